"""What of the source events reaches no output: found by trying, on samples.

A leaf that is not where it was is given another value, and the event upcast again. Where that changes nothing in what
comes out, the leaf's content is lost there; and where the operation at which it vanished says that it drops it, that
was meant. So functions are judged by what they do, not by what they say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from upcasters import Chain, Upcaster
from upcasters.document import decode_plain, encode
from upcasters.event import Event
from upcasters.outcome import DeadLettered, Passage, Skipped, Upcast
from upcasters.policy import Policy
from worker.replay.plan.leaves import LeafPath, Naming, Scalar, leaves, other_values, replace_leaf
from worker.replay.plan.meant import declares_loss
from worker.replay.plan.parts import Coordinates, LossReport, LostPath
from worker.replay.plan.samples import Sample

MOST_PATHS = 200
MOST_LEAVES = 64
"""Leaves of one event that are tried."""
POOL = 4
"""Values of one path that are remembered, while the samples are looked at, to be tried in each other's place."""

Outputs = tuple[tuple[bytes | None, bytes | None, tuple[Any, ...]], ...]


@dataclass
class _Path:
    """A path of one version that was lost in some events."""

    passage: Passage
    events: int = 0
    samples: list[Coordinates] = field(default_factory=list)


class Loss:
    """Looks at samples; ``coordinates`` is how many to keep of each lost path."""

    def __init__(self, chain: Chain, policy: Policy, coordinates: int) -> None:
        # Values that are made up need not be valid.
        self._upcaster = Upcaster(chain, replace(policy, validate_target="never", validate_source="never"))
        self._chain = chain
        self._coordinates = coordinates
        self._naming: dict[tuple[str, str], Naming] = {}
        self._pool: dict[tuple[Passage, str], list[Scalar]] = {}
        self._lost: dict[tuple[Passage, str], _Path] = {}
        self._judged: set[tuple[Passage, str]] = set()
        self._refused: dict[tuple[Passage, str], None] = {}
        self._compared = 0
        self._truncated = False

    def look(self, samples: Iterable[Sample]) -> LossReport:
        """Compare all samples before and after."""
        listed = list(samples)
        for sample in listed:
            self._remember(sample)
        for sample in listed:
            self._compare(sample)
        return self._report()

    def _remember(self, sample: Sample) -> None:
        passage = sample.outcome.passage
        for at, value in islice(_leaves(sample), MOST_LEAVES):
            values = self._pool.setdefault((passage, self._name(passage, at)), [])
            if len(values) < POOL and value not in values:
                values.append(value)

    def _compare(self, sample: Sample) -> None:
        document = _document(sample.event.value)
        if document is None:
            return
        self._compared += 1
        trial = _Trial(self._upcaster, sample, document)
        passage = sample.outcome.passage
        lost = dict.fromkeys(self._name(passage, at) for at in trial.moved() if self._vanishes(trial, passage, at))
        for name in lost:
            self._note(passage, name, sample.coordinates)

    def _vanishes(self, trial: _Trial, passage: Passage, at: LeafPath) -> bool:
        name = self._name(passage, at)
        same = trial.without_effect(at, self._pool.get((passage, name), []))
        if same is None:
            self._refused.setdefault((passage, name))
            return False
        self._judged.add((passage, name))
        return bool(same) and not declares_loss(self._chain, self._upcaster, trial.sample, trial.encoded, same)

    def _note(self, passage: Passage, name: str, coordinates: Coordinates) -> None:
        key = (passage, name)
        if key not in self._lost and len(self._lost) >= MOST_PATHS:
            self._truncated = True
            return
        lost = self._lost.setdefault(key, _Path(passage))
        lost.events += 1
        if len(lost.samples) < self._coordinates:
            lost.samples.append(coordinates)

    def _name(self, passage: Passage, at: LeafPath) -> str:
        node = (passage.event_type, passage.from_version)
        if node not in self._naming:
            known = self._chain.versions.get(node)
            self._naming[node] = Naming(known.model if known else None)
        return self._naming[node].name(at)

    def _report(self) -> LossReport:
        ordered = sorted(
            self._lost.items(), key=lambda item: (item[0][0].event_type, item[0][0].from_version, item[0][1])
        )
        lost = tuple(
            LostPath(
                path=name,
                event_type=passage.event_type,
                from_version=passage.from_version,
                to_version=passage.to_version,
                events=found.events,
                samples=tuple(found.samples),
            )
            for (passage, name), found in ordered
        )
        unjudged = [
            f"{name} of {passage.event_type} {passage.from_version}"
            for passage, name in self._refused
            if (passage, name) not in self._judged
        ]
        return LossReport(
            compared=self._compared, lost=lost, truncated=self._truncated, unjudged=tuple(unjudged[:MOST_PATHS])
        )


class _Trial:
    """One event, and what comes out of it when one of its leaves is another."""

    def __init__(self, upcaster: Upcaster, sample: Sample, document: Any) -> None:
        self.sample = sample
        self.encoded = encode(document)
        """As the trials write it, so that white space makes no difference."""
        self._upcaster = upcaster
        self._document = document
        self._before = self._output(self.encoded)

    def moved(self) -> list[LeafPath]:
        """The places whose leaves are not found again, with the same value, in any output."""
        kept = {leaf for value, _, _ in self._before or () for leaf in leaves(_document(value))}
        found = (at for at, value in leaves(self._document) if (at, value) not in kept)
        return list(islice(found, MOST_LEAVES))

    def without_effect(self, at: LeafPath, more: Iterable[Scalar]) -> bytes | None:
        """A document whose other leaf at ``at`` changes nothing; empty where some other value does change something,
        None where the chain takes no other value."""
        unchanged = None
        for encoded in self._variants(at, more):
            output = self._output(encoded)
            if output is not None and output != self._before:
                return b""
            if output is not None and unchanged is None:
                unchanged = encoded
        return unchanged

    def _variants(self, at: LeafPath, more: Iterable[Scalar]) -> Iterator[bytes]:
        original = replace_leaf(self._document, at, None)
        try:
            for value in (*other_values(original), *(one for one in more if one != original)):
                replace_leaf(self._document, at, value)
                yield encode(self._document)
        finally:
            replace_leaf(self._document, at, original)

    def _output(self, value: bytes) -> Outputs | None:
        """All that would be produced; None where the event would be a dead letter."""
        event = Event(
            value,
            self.sample.event.key,
            self.sample.event.headers,
            self.sample.event.timestamp,
            self.sample.event.offset,
        )
        outcome = self._upcaster.upcast(event, self.sample.source)
        if isinstance(outcome, DeadLettered):
            return None
        if isinstance(outcome, Skipped):
            return ()
        if not isinstance(outcome, Upcast):
            return ((value, event.key, tuple(event.headers)),)
        return tuple((record.value, record.key, tuple(record.headers)) for record in outcome.output(event))


def _leaves(sample: Sample) -> Iterator[tuple[LeafPath, Scalar]]:
    return leaves(_document(sample.event.value))


def _document(value: bytes | None) -> Any:
    """The value as Python objects; None where this reader cannot: it is then left out of the comparison."""
    try:
        return decode_plain(value) if value is not None else None
    except (ValueError, RecursionError):
        return None
