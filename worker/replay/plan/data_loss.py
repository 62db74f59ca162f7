"""Finds values of source events that do not reach the output, by changing samples value by value, and asks whether an
operation declares that it drops them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any

from pydantic import BaseModel

from upcasters import Chain, Operation
from upcasters.context import Context
from upcasters.detect import Detector
from upcasters.document import Duration, Object, decode_plain
from upcasters.errors import EventError
from upcasters.event import Event
from upcasters.event_flow import reading_of
from upcasters.operations.scopes import At, Everywhere
from upcasters.operations.values import Function
from upcasters.outcome import DeadLettered, Passage, Skipped, Upcast
from upcasters.paths import EACH, Path, Segment, show
from upcasters.policy import Policy
from upcasters.step import Hop
from upcasters.validation.declared import Declared
from worker.replay.plan.file import Coordinates, LossReport, LostPath
from worker.replay.plan.loss_values import JsonValues, Values, told
from worker.replay.plan.samples import Sample

LeafPath = tuple[str | int, ...]
Scalar = str | int | float | bool | Decimal | bytes | dt.date | dt.time | Duration

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def leaves(node: Any, at: LeafPath = ()) -> Iterator[tuple[LeafPath, Scalar]]:
    """Yields every scalar with its place. Nulls and empty containers hold nothing that could be lost."""
    if isinstance(node, dict):
        for key, child in node.items():
            yield from leaves(child, (*at, key))
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from leaves(child, (*at, index))
    elif node is not None:
        yield at, node


def replace_leaf(root: Any, at: LeafPath, value: Any) -> Any:
    """Put ``value`` in the place of a leaf; returns the former value."""
    for key in at[:-1]:
        root = root[key]
    before, root[at[-1]] = root[at[-1]], value
    return before


def other_values(value: Scalar) -> Iterator[Scalar]:
    """Values of the same type, likely ones first."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, str):
        yield from _other_texts(value)
    elif isinstance(value, int):
        yield from (value + 1, value - 1, 0 if value else 7)
    elif isinstance(value, float):
        yield from (value + 1.0, value / 2 + 1)
    else:
        yield from _other_beyond_json(value)


def _other_beyond_json(value: Any) -> Iterator[Any]:
    """The same of what JSON does not have: a decimal of as many digits, bytes of as many, a time a little later."""
    with suppress(OverflowError):
        if isinstance(value, Decimal):
            digit = Decimal((0, (1,), int(value.as_tuple().exponent)))
            yield from (value + digit, value - digit)
        elif isinstance(value, bytes):
            yield value[:-1] + bytes([value[-1] ^ 1]) if value else b"x"
        elif isinstance(value, dt.time):
            yield value.replace(second=(value.second + 1) % 60)
        elif isinstance(value, dt.datetime):
            yield value + dt.timedelta(seconds=1)
        elif isinstance(value, dt.date):
            yield value + dt.timedelta(days=1)
        elif isinstance(value, Duration):
            yield value._replace(days=value.days + 1)


def _other_texts(text: str) -> Iterator[str]:
    """Texts of the same form, so that operations still read dates and numbers: one digit or letter differs."""
    for index in (len(text) - 1, len(text) // 2, 0):
        if 0 <= index < len(text) and text[index] in _NEXT:
            yield text[:index] + _NEXT[text[index]] + text[index + 1 :]
    yield text + "x"
    yield "x"


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NEXT = {
    **dict(zip(_LETTERS, _LETTERS[1:] + "a", strict=True)),
    **dict(zip(_LETTERS.upper(), _LETTERS[1:].upper() + "A", strict=True)),
    **dict(zip("0123456789", "1234567890", strict=True)),
}


class Naming:
    """Writes places as paths of the version's model: indexes, and keys that differ from event to event, become ``*``.

    A field that the model does not declare is named, and nothing inside it is; without a model all keys are named
    that look like names.
    """

    def __init__(self, model: type[BaseModel] | None) -> None:
        self._declared = Declared(model) if model else None

    def name(self, at: LeafPath) -> str:
        if self._declared is None:
            return show(map(_plain, at))
        known = self._declared.path(at)
        beyond = () if len(known) == len(at) else (_plain(at[len(known)]),)
        return show((*known, *beyond))


def _plain(key: str | int) -> Segment:
    return key if isinstance(key, str) and _NAME.fullmatch(key) else EACH


def declares_loss(chain: Chain, policy: Policy, values: Values, sample: Sample, one: bytes, other: bytes) -> bool:
    """``one`` and ``other`` differ in one leaf and come out the same. True where the operation that made them the same
    declares that it drops that place, or reads it and writes what several values share (a map of values).

    False also where this cannot be found out: a split, or an operation that needs more of the chain.
    """
    first, second = _Run(values, sample, one), _Run(values, sample, other)
    with values.at_work():
        for operation in _operations(chain, policy, first):
            places = _differing(first.root, second.root)
            try:
                operation.apply(first.root, first.context)
                operation.apply(second.root, second.context)
            except (EventError, TypeError, AttributeError):
                return False
            if told(first.root) == told(second.root):
                return bool(places) and all(_declares(operation, place) for place in places)
    return False


class _Run:
    """A document that goes through the operations."""

    def __init__(self, values: Values, sample: Sample, value: bytes) -> None:
        event = sample.event
        given = Event(value, event.key, event.headers, event.timestamp, event.offset)
        self.node, self.root = values.opened(given)
        self.context = Context.of(event, sample.source, self.node[0])


def _operations(chain: Chain, policy: Policy, run: _Run) -> Iterator[Operation]:
    hops: Iterable[Hop] = chain.path(run.node, policy.target)
    for hop in hops:
        for operation in hop.operations:
            yield from _apart(operation)


def _apart(operation: Operation) -> Iterator[Operation]:
    """Operations at a path, one by one, so that each is seen at the names that it works with."""
    if not isinstance(operation, At):
        yield operation
        return
    for inner in operation.operations:
        for each in _apart(inner):
            yield At(operation.path, (each,), operation.missing, operation.wrong_type)


def _differing(one: Object, other: Object) -> list[LeafPath]:
    before, after = (dict(leaves(decode_plain(told(root)))) for root in (one, other))
    places = dict.fromkeys((*before, *after))
    return [at for at in places if before.get(at) != after.get(at) or (at in before) != (at in after)]


def _declares(operation: Operation, place: LeafPath) -> bool:
    if any(_covers(gone, place) for gone in operation.dropped()):
        return True
    if isinstance(operation, Everywhere):
        inside = [gone for inner in operation.operations for gone in inner.dropped()]
        return any(_covers(gone, place[start:]) for gone in inside for start in range(len(place)))
    mapped = operation.reads() if not _calls_function(operation) else ()
    return any(read and _covers(read, place) for read in mapped)


def _calls_function(operation: Operation) -> bool:
    inner = operation
    while isinstance(inner, At):
        inner = inner.operations[0]
    return isinstance(inner, Function)


def _covers(path: Path, place: LeafPath) -> bool:
    """True where the place is the path's, or inside it."""
    return len(place) >= len(path) and all(part is EACH or part == key for part, key in zip(path, place, strict=False))


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

    def __init__(self, chain: Chain, policy: Policy, coordinates: int, values: Values | None = None) -> None:
        self._policy = policy
        self._values = values or JsonValues(chain, policy)
        self._reading = reading_of(chain, policy, Detector(chain, policy.detection))
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
        listed = [each for sample in samples for each in self._read(sample)]
        for sample in listed:
            self._remember(sample)
        for sample in listed:
            self._compare(sample)
        return self._report()

    def _read(self, sample: Sample) -> Iterator[Sample]:
        """The events in a sample, as the readers of the route read it. What they change is not lost."""
        read = None if self._reading is None else self._reading.read(sample.event, sample.source)
        if read is None:
            yield sample
            return
        for part in read.parts:
            event = Event(part.value, part.key, part.headers, part.timestamp, part.offset)
            outcome = self._values.upcaster.upcast(event, sample.source)
            if isinstance(outcome, Upcast):
                yield Sample(event, sample.source, outcome)

    def _remember(self, sample: Sample) -> None:
        passage = sample.outcome.passage
        for at, value in islice(leaves(self._values.document(sample.event)), MOST_LEAVES):
            values = self._pool.setdefault((passage, self._name(passage, at)), [])
            if len(values) < POOL and value not in values:
                values.append(value)

    def _compare(self, sample: Sample) -> None:
        document = self._values.document(sample.event)
        encoded = None if document is None else self._values.written(sample.event, document)
        if encoded is None:
            return
        self._compared += 1
        trial = _Trial(self._values, sample, document, encoded)
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
        return bool(same) and not declares_loss(
            self._chain, self._policy, self._values, trial.sample, trial.encoded, same
        )

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

    def __init__(self, values: Values, sample: Sample, document: Any, encoded: bytes) -> None:
        self.sample = sample
        self.encoded = encoded
        """As the trials write it, so that white space makes no difference."""
        self._values = values
        self._document = document
        self._before = self._output(self.encoded)

    def moved(self) -> list[LeafPath]:
        """The places whose leaves are not found again, with the same value, in any output."""
        kept = {leaf for record in self._before or () for leaf in leaves(self._result(record))}
        found = (at for at, value in leaves(self._document) if (at, value) not in kept)
        return list(islice(found, MOST_LEAVES))

    def _result(self, record: tuple[bytes | None, bytes | None, tuple[Any, ...]]) -> Any:
        value, key, headers = record
        return self._values.result(value, Event(value, key, headers))

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
                if (encoded := self._values.written(self.sample.event, self._document)) is not None:
                    yield encoded
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
        outcome = self._values.upcaster.upcast(event, self.sample.source)
        if isinstance(outcome, DeadLettered):
            return None
        if isinstance(outcome, Skipped):
            return ()
        if not isinstance(outcome, Upcast):
            return ((value, event.key, tuple(event.headers)),)
        made = outcome.output(event)
        return tuple((one.value, one.key, tuple(one.headers)) for one in made if one.value is not None)
