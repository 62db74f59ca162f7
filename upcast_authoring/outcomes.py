"""The results of a chain, for `upcast check --against`: a process for each of the two chains, since both have the same
name.

``python -m upcast_authoring.outcomes make NAME`` makes events up for every version below the current one and prints
them with what became of them; ``… ask NAME`` reads such a list and prints what becomes of the same events here.
"""

from __future__ import annotations

import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import suppress

import msgspec

from upcasters import Chain, ChainError, load_chain
from upcasters.event import Event, SourcePartition
from upcasters.outcome import DeadLettered, Outcome, Skipped
from upcasters.policy import Policy
from upcasters.testing import golden_folder
from upcasters.testing.events import Inputs
from upcasters.testing.golden import event_of, goldens
from upcasters.testing.law import told_event, told_outcome
from upcasters.testing.routes import goes_by_schemas, pinned, rules_of
from upcasters.upcaster import Upcaster

SOURCE = SourcePartition("released", 0)
EXAMPLES = 60


class Tried(msgspec.Struct):
    """An event of a version, and what the chain makes of it on its way to ``target``. ``result`` is empty for a dead
    letter; ``summary`` is for people."""

    event_type: str
    version: str
    target: str
    value: str | None
    key: str | None
    headers: list[tuple[str, str | None]]
    offset: int
    event: str
    result: list[object] = msgspec.field(default_factory=list)
    summary: str = ""


def made(name: str, chain: Chain) -> Iterator[Tried]:
    """Events of every version that can be upcast, those of golden pairs among them, with their results."""
    folder = golden_folder(name, chain)
    pairs = goldens(chain, folder) if folder else []
    inputs = Inputs(chain, pairs)
    for event_type in chain.types:
        target = chain.current(event_type)
        for version in chain.older(event_type):
            upcaster = _upcaster(chain, event_type, version, target)
            rules = rules_of(chain) or pinned(chain, event_type, version)
            here = [event_of(chain, each) for each in pairs if (each.event_type, each.source) == (event_type, version)]
            for event in (*here, *inputs.drawn(event_type, version, rules, EXAMPLES)):
                yield _tried(upcaster, event, event_type, version, target)


def asked(chain: Chain, given: Sequence[Tried]) -> Iterator[Tried]:
    """The same events with the results of this chain."""
    upcasters: dict[tuple[str, str, str], Upcaster | str] = {}
    for each in given:
        way = (each.event_type, each.version, each.target)
        if way not in upcasters:
            try:
                upcasters[way] = _upcaster(chain, *way)
            except (ChainError, KeyError) as error:
                upcasters[way] = str(error).splitlines()[0]
        upcaster = upcasters[way]
        if isinstance(upcaster, str):
            yield msgspec.structs.replace(each, result=[], summary=f"no path there: {upcaster}")
        else:
            yield _tried(upcaster, _event(each), *way)


def _upcaster(chain: Chain, event_type: str, version: str, target: str) -> Upcaster:
    """An upcaster to the version that was current, by the chain's own detection where it has some."""
    targets = {event_type: target} if target in chain.types.get(event_type, ()) else {}
    if not goes_by_schemas(chain):
        with suppress(ChainError):
            return chain.upcaster(Policy(target=targets, validate_source="never"))
    return chain.upcaster(Policy(pinned(chain, event_type, version), targets, validate_source="never"))


def _tried(upcaster: Upcaster, event: Event, event_type: str, version: str, target: str) -> Tried:
    outcome = upcaster.upcast(event, SOURCE)
    headers = [(name, _text(value)) for name, value in event.headers]
    place = (_text(event.value), _text(event.key), headers, event.offset or 0)
    return Tried(
        event_type, version, target, *place, told_event(event), _result(outcome, event), told_outcome(outcome, event)
    )


def _result(outcome: Outcome, event: Event) -> list[object]:
    if isinstance(outcome, DeadLettered):
        return []
    if isinstance(outcome, Skipped):
        return ["skipped", outcome.reason]
    return [
        "output",
        *(
            [_text(each.key), _text(each.value), [[k, _text(v)] for k, v in each.headers]]
            for each in outcome.output(event)
        ),
    ]


def _event(tried: Tried) -> Event:
    headers = [(name, _bytes(value)) for name, value in tried.headers]
    return Event(_bytes(tried.value), _bytes(tried.key), headers, 1_700_000_000_000, tried.offset)


def _text(value: bytes | None) -> str | None:
    return None if value is None else b64encode(value).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


def main() -> None:
    doing, name = sys.argv[1:]
    try:
        chain = load_chain(name)
    except ChainError as error:
        raise SystemExit(str(error)) from error
    if doing == "make":
        found = made(name, chain)
    else:
        found = asked(chain, msgspec.json.decode(sys.stdin.buffer.read(), type=list[Tried]))
    sys.stdout.buffer.write(msgspec.json.encode(list(found)))


if __name__ == "__main__":
    main()
