"""Records whose values have a frame, through a chain that knows none: the frame comes off, the chain does its work, and
what it makes gets the frame of the destination."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import force_setattr

from upcasters.event import Header, Partition, Record, SourceRecord
from upcasters.outcome import DeadLettered, Fault, Outcome, Passed, Skipped, Upcast
from upcasters.policy import Policy
from worker.schemas.answers import Answers
from worker.schemas.frames import MOST_MARKS, VALUE_HEADERS, Frame, Mark, without_ids
from worker.schemas.targets import NOTHING, Target, Targets


class RecordUpcaster(Protocol):
    """As ``worker.routes.route`` has it."""

    def upcast(self, record: SourceRecord, source: Partition | None = None) -> Outcome: ...


MakeUpcaster = Callable[[Policy], RecordUpcaster]


class Bare(Struct, frozen=True, gc=False):
    """A record without its frame: as an event has it, and made in a fraction of the time."""

    value: bytes | None
    key: bytes | None
    headers: Sequence[Header]
    timestamp: int | None
    offset: int | None


class _Seen:
    """A record with another value. One of them serves all records, one after the other: nobody keeps it."""

    __slots__ = ("headers", "of", "value")

    of: SourceRecord
    value: bytes
    headers: Sequence[Header]

    @property
    def key(self) -> bytes | None:
        return self.of.key

    @property
    def timestamp(self) -> int | None:
        return self.of.timestamp

    @property
    def offset(self) -> int | None:
        return self.of.offset


class Opening(Protocol):
    """What is known of a mark: what its schema says of its events, or why it says nothing."""

    def __call__(self, mark: Mark) -> Answers | Fault: ...


Upcasting = Callable[[SourceRecord, Partition | None], Outcome]


class FramedUpcaster:
    """``frame`` is the source's, None where values are bare; ``targets`` gives None where the destination's are.
    ``opening`` is asked once a mark, ``policy_for`` once for what it answers: from then on a record costs a look into a
    map. ``lacking`` gives the headers that say an answer which the chain does not know: such a record goes by the
    route's own policy, which reads them.
    """

    def __init__(
        self,
        frame: Frame | None,
        opening: Opening,
        policy_for: Callable[[Answers], Policy],
        lacking: Callable[[Answers], Sequence[Header]],
        make: MakeUpcaster,
        targets: Callable[[], Targets | None],
    ) -> None:
        self._frame = frame
        self._size = frame.size if frame else 0
        self._opening = opening
        self._policy_for = policy_for
        self._lacking = lacking
        self._make = make
        self._find_targets = targets
        self._targets: Targets | None = None
        self._is_ready = False
        self._seen = _Seen()
        self._ways: dict[Mark, Upcasting] = {}
        self._made: dict[Answers, RecordUpcaster] = {}

    def upcast(self, record: SourceRecord, source: Partition | None = None) -> Outcome:  # noqa: PLR0911  (hot: no calls)
        value, headers = record.value, record.headers
        if value is None or headers:
            return self._carefully(record, source)
        size, seen = self._size, self._seen
        start = value[:size]
        upcast = self._ways.get(start)
        if upcast is None:
            return self._carefully(record, source)
        seen.of, seen.value, seen.headers = record, value[size:], headers
        outcome = upcast(seen, source)
        kind = type(outcome)
        if kind is not Upcast and (kind is not Passed or outcome.reason == "policy"):  # type: ignore[union-attr]  # a Passed: `kind` says so
            return outcome
        passage = outcome.passage  # type: ignore[union-attr]  # mypy cannot follow `kind`
        target = self._targets[passage.event_type][passage.to_version] if self._targets else NOTHING
        if target.headers:
            return self._framed(record, seen.value, outcome)
        if kind is Passed:
            if target.prefix == start:
                return outcome
            return Upcast(passage, target.prefix + seen.value)
        if outcome.new_records is not None:  # type: ignore[union-attr]  # an Upcast: `kind` says so
            return self._framed(record, seen.value, outcome)
        # It was made for us alone, and another one would cost as much as all of this.
        force_setattr(outcome, "new_value", target.prefix + outcome.new_value)  # type: ignore[operator,union-attr]  # an Upcast: `kind` says so
        return outcome

    def _carefully(self, record: SourceRecord, source: Partition | None) -> Outcome:
        """The same for any record."""
        if not self._is_ready:
            self._targets, self._is_ready = self._find_targets(), True
        frame, value = self._frame, record.value
        if value is None:
            return self._upcaster(Answers()).upcast(record, source)
        mark: Mark = frame.mark(record) if frame else b""
        way = self._way(mark)
        if isinstance(way, Fault):
            return DeadLettered(way)
        body = frame.body(mark, value) if frame else value
        outcome = way(Bare(body, record.key, record.headers, record.timestamp, record.offset), source)
        return self._framed(record, body, outcome)

    def _way(self, mark: Mark) -> Upcasting | Fault:
        """A fault is not kept: it may be another one the next time."""
        way = self._ways.get(mark)
        if way is None:
            answers = self._opening(mark)
            if isinstance(answers, Fault):
                return answers
            way = self._upcaster(answers).upcast
            if headers := self._lacking(answers):
                way = _with_headers(way, headers)
            if len(self._ways) >= MOST_MARKS:
                self._ways.clear()
            self._ways[mark] = way
        return way

    def _upcaster(self, answers: Answers) -> RecordUpcaster:
        made = self._made.get(answers)
        if made is None:
            made = self._made[answers] = self._make(self._policy_for(answers))
        return made

    def _framed(self, record: SourceRecord, body: bytes, outcome: Outcome) -> Outcome:
        """An outcome as the destination has it. What is current already is written anew where its frame would be
        another one."""
        if isinstance(outcome, DeadLettered | Skipped) or (isinstance(outcome, Passed) and outcome.reason == "policy"):
            return outcome
        target = self._target(outcome)
        if isinstance(outcome, Passed):
            made = self._record(Record(body, record.key, record.headers), target)
            same = made.value == record.value and list(made.headers) == list(record.headers)
            return outcome if same else self._slim(Upcast(outcome.passage, None, (made,)), record)
        records = tuple(self._record(each, target) for each in outcome.output(record))
        return self._slim(Upcast(outcome.passage, None, records), record)

    def _target(self, outcome: Upcast | Passed) -> Target:
        passage = outcome.passage
        return NOTHING if self._targets is None else self._targets[passage.event_type][passage.to_version]

    def _record(self, made: Record, target: Target) -> Record:
        headers = made.headers
        if any(header[0] in VALUE_HEADERS for header in headers):
            headers = without_ids(headers)
        if made.value is None:
            return Record(made.value, made.key, headers)
        if target.headers:
            headers = [*headers, *target.headers]
        return Record(target.prefix + made.value, made.key, headers)

    def _slim(self, outcome: Upcast, record: SourceRecord) -> Upcast:
        """Without records of its own where only the value is another one."""
        assert outcome.new_records is not None  # noqa: S101  (it was made with them)
        only = outcome.new_records[0]
        if (
            only.value is None
            or len(outcome.new_records) > 1
            or only.key != record.key
            or list(only.headers) != list(record.headers)
        ):
            return outcome
        return Upcast(outcome.passage, only.value)


def _with_headers(upcast: Upcasting, headers: Sequence[Header]) -> Upcasting:
    """Nothing that comes out has them: where they are needed an event passes as it is, is skipped, or a dead letter."""

    def upcasting(record: SourceRecord, source: Partition | None) -> Outcome:
        given = [*record.headers, *headers]
        return upcast(Bare(record.value, record.key, given, record.timestamp, record.offset), source)

    return upcasting
