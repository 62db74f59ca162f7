"""Which old versions may be removed: what the topic still holds of them, who sends it, and what the policy promises.

The migration guide's policy: legacy schemas are supported for at least two minor versions. So the step of a version
may be dropped when two minor versions have come after it, and when nothing of it, or of a version before it, is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from upcast_authoring.counted import counted
from upcasters import Chain
from worker.kafka.fetched import NO_TIMESTAMP
from worker.replay.census.counting import OTHERS, TOMBSTONE, Census, Seen

SUPPORTED_MINORS = 2
Verdict = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class Retiring:
    """One old version, as one producer sends it (empty where nobody does, or where producers are not counted).

    ``step`` is what could be dropped with it, ``last_seen`` in milliseconds, -1 where never.
    """

    event_type: str
    version: str
    step: str
    producer: str
    records: int
    last_seen: int
    why: str
    may_go: Verdict


@dataclass(frozen=True)
class _Old:
    """What was found of one old version."""

    event_type: str
    version: str
    records: int
    producers: dict[str, Seen]
    last: int


def retiring(chain: Chain, census: Census, *, whole_range: bool, hidden: int = 0) -> list[Retiring]:
    """Lines for each version below the current one, oldest first. ``yes`` only where the whole topic was read
    (``whole_range``, and no offsets were ``hidden``) and everything in it could be told apart."""
    doubt = _doubt(census, whole_range, hidden)
    lines: list[Retiring] = []
    held = [node for node in chain.versions if _found(census, *node).records]
    for event_type in chain.types:
        for version in old_versions(chain, event_type):
            found = _found(census, event_type, version)
            verdict, why = _judge(chain, found, _goes_by(chain, held, event_type, version), doubt)
            lines += _lines(chain, found, verdict, why)
    return lines


def _goes_by(chain: Chain, held: Sequence[tuple[str, str]], event_type: str, version: str) -> str:
    """A version that the topic still holds and whose chain leads through this one, maybe as another type; empty where
    there is none."""
    below = (node for node in held if node != (event_type, version) and (event_type, version) in chain.above(node))
    return next((other if name == event_type else f"{name} {other}" for name, other in below), "")


def old_versions(chain: Chain, event_type: str) -> Sequence[str]:
    """The versions of a type below its current one, oldest first."""
    return chain.older(event_type)


def _found(census: Census, event_type: str, version: str) -> _Old:
    kinds = {
        kind: line for kind, line in census.lines.items() if kind[:2] == (event_type, version) and not kind.problem
    }
    producers: dict[str, Seen] = {}
    for line in kinds.values():
        for name, seen in line.by_producer.items():
            producers.setdefault(name, Seen()).merge(seen)
    records = sum(line.seen.records for line in kinds.values())
    last = max((line.seen.last for line in kinds.values()), default=NO_TIMESTAMP)
    return _Old(event_type, version, records, producers, last)


def _judge(chain: Chain, found: _Old, left: str, doubt: str) -> tuple[Verdict, str]:
    newer = _minors_above(chain, found)
    if found.records:
        return "no", "the topic still holds it"
    if left:
        return "no", f"the topic still holds {left}, which needs this step"
    if newer < SUPPORTED_MINORS:
        return "no", f"the policy promises {SUPPORTED_MINORS} minor versions of support, {newer} came after it"
    if doubt:
        return "unknown", doubt
    return "yes", "no record of it is left, and its support has ended"


def _minors_above(chain: Chain, found: _Old) -> int:
    """How many minor versions came after it, up to the current one, whatever its type was then.

    Versions that are no numbers count one each.
    """
    above = {_minor(hop.target[1]) for hop in chain.path((found.event_type, found.version))}
    return len(above - {_minor(found.version)})


def _minor(version: str) -> str:
    numbers = re.fullmatch(r"v?(\d+\.\d+)(\.\d+)+", version)
    return numbers[1] if numbers else version.removeprefix("v")


def _doubt(census: Census, whole_range: bool, hidden: int) -> str:
    if not whole_range:
        return "only a part of the topic was read: leave out --from and --to"
    if hidden:
        return f"{counted(hidden, 'offset')} hidden by an open transaction"
    unclear = sum(line.seen.records for kind, line in census.lines.items() if kind.problem not in ("", TOMBSTONE))
    if unclear:
        return f"{counted(unclear, 'record')} without a version that could be detected"
    return "more kinds of events than the census counts" if any(OTHERS in kind for kind in census.lines) else ""


def _lines(chain: Chain, found: _Old, verdict: Verdict, why: str) -> Iterator[Retiring]:
    hop = chain.hops.get((found.event_type, found.version))
    step = hop.id if hop else ""
    producers = found.producers or {"": Seen(found.records, 0, found.last, found.last)}
    for name, seen in sorted(producers.items(), key=lambda item: -item[1].records):
        yield Retiring(found.event_type, found.version, step, name, seen.records, seen.last, why, verdict)
