"""Records whose values are read or written by their schemas, through the engine's ``SchemaUpcaster``: it knows formats,
and this knows what tells the schema of a record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from upcasters.document import Object
from upcasters.errors import EventError
from upcasters.event import Event, Header, Partition, Record, SourceRecord
from upcasters.formats import BARE_JSON, Encoding
from upcasters.outcome import DeadLettered, Fault, Outcome, Passed, Upcast
from upcasters.reference import HopTrace, Trace
from upcasters.schema_upcaster import SchemaUpcaster, opened_value, readable_value, written_value
from upcasters.step import VersionKey
from worker.schemas.frames import MOST_MARKS, VALUE_HEADERS, Frame, Mark, without_ids


class Way(NamedTuple):
    """What is known of a mark: how its values are written, what upcasts them, and headers that go with them where the
    chain does not know the version that the schema says."""

    encoding: Encoding
    upcaster: SchemaUpcaster
    lacking: Sequence[Header] = ()


Opening = Callable[[Mark], Way | Fault]
Bring = Callable[[Way, SourceRecord, Partition | None], Outcome]


class SchemaRecords:
    """``frame`` is the source's, None where values are bare; ``written`` the destination's. ``opening`` is asked once a
    mark, ``upcaster`` and ``targets``, which say how results are written, when the first record has come."""

    def __init__(
        self,
        frame: Frame | None,
        written: Frame | None,
        opening: Opening,
        upcaster: Callable[[], SchemaUpcaster],
        targets: Callable[[], Iterable[Encoding]],
    ) -> None:
        self._frame = frame
        self._written = written
        self._start = frame.start if frame else itemgetter(slice(0))
        self._opening = opening
        self._upcaster = upcaster
        self._targets = targets
        self._ways: dict[Mark, Way] = {}
        self._quick: dict[bytes, Callable[[SourceRecord, Partition | None], Outcome]] = {}

    def upcast(self, record: SourceRecord, source: Partition | None = None) -> Outcome:
        """What becomes of a record as it stands in the source. Never raises for what it holds."""
        value = record.value
        if value is not None and not record.headers:
            quick = self._quick.get(self._start(value))
            if quick is not None:
                return quick(record, source)
        return self._bring(record, source, _at_once)

    def trace(self, record: SourceRecord, source: Partition | None = None) -> Trace:
        """The same operation by operation, with the document as JSON before and after each hop."""
        hops: list[HopTrace] = []

        def step_by_step(way: Way, given: SourceRecord, source: Partition | None) -> Outcome:
            found = way.upcaster.trace(given, source, way.encoding)
            hops.extend(found.hops)
            return found.outcome

        return Trace(self._bring(record, source, step_by_step), hops)

    def version_of(self, record: SourceRecord) -> VersionKey | Fault:
        """The type and version that a record with a value is taken for."""
        way = self._way_of(record)
        if isinstance(way, Fault):
            return way
        try:
            return way.upcaster.version_of_event(_with(record, way.lacking) if way.lacking else record, way.encoding)
        except EventError as error:
            return Fault(error.stage, type(error).__name__, str(error))

    def readable(self, record: SourceRecord) -> Event | Fault:
        """The record with its value as JSON for people, and without headers that name its schema."""
        way = self._way_of(record)
        if isinstance(way, Fault):
            return way
        try:
            value = None if record.value is None else readable_value(record.value, way.encoding)
        except EventError as error:
            return Fault(error.stage, type(error).__name__, str(error))
        return Event(value, record.key, without_ids(record.headers), record.timestamp, record.offset)

    def readable_trace(self, record: SourceRecord, source: Partition | None = None) -> tuple[Event, Trace]:
        """The record and what becomes of it, every value as JSON for people."""
        trace = self.trace(record, source)
        shown = self.readable(record)
        if isinstance(shown, Fault):
            return Event(record.value, record.key, list(record.headers), record.timestamp, record.offset), trace
        outcome = trace.outcome
        if isinstance(outcome, Upcast):
            made = tuple(self._readable_result(outcome, each) for each in outcome.output(record))
            trace.outcome = Upcast(outcome.passage, None, made)
        return shown, trace

    def opened(self, record: SourceRecord) -> Object | Fault:
        """The document of a record with a value."""
        way = self._way_of(record)
        if isinstance(way, Fault):
            return way
        try:
            return opened_value(record.value or b"", way.encoding)
        except EventError as error:
            return Fault(error.stage, type(error).__name__, str(error))

    def opened_result(self, made: Record) -> Object | None:
        """The document of a result; None for a tombstone."""
        return None if made.value is None else opened_value(made.value, self._result_encoding(made))

    def written_as(self, record: SourceRecord, document: Object) -> bytes | None:
        """Another document as the value of a record, by the same schema; None where that has no place for it."""
        way = self._way_of(record)
        try:
            return None if isinstance(way, Fault) else written_value(document, way.encoding)
        except EventError:
            return None

    def _readable_result(self, outcome: Upcast, made: Record) -> Record:
        if made.value is None:
            return made
        return Record(readable_value(made.value, self._result_encoding(made)), made.key, without_ids(made.headers))

    def _result_encoding(self, made: Record) -> Encoding:
        mark = b"" if self._written is None else self._written.mark(_as_event(made))
        return next((each for each in self._targets() if mark in (each.frame, *each.headers)), BARE_JSON)

    def _bring(self, record: SourceRecord, source: Partition | None, bring: Bring) -> Outcome:
        way = self._way_of(record)
        if isinstance(way, Fault):
            return DeadLettered(way)
        kept = _less_others(record.headers, way.encoding) if record.headers else record.headers
        is_changed = len(kept) < len(record.headers)
        given = _with(record, way.lacking, kept) if is_changed or way.lacking else record
        outcome = bring(way, given, source)
        if isinstance(outcome, Passed):
            if is_changed and outcome.reason == "current":
                return Upcast(outcome.passage, None, (Record(record.value, record.key, kept),))
            return outcome
        if not isinstance(outcome, Upcast) or (outcome.new_records is None and given is record):
            return outcome
        return Upcast(outcome.passage, None, tuple(map(_unnamed_tombstone, outcome.output(given))))

    def _way_of(self, record: SourceRecord) -> Way | Fault:
        """A fault is not kept: it may be another one the next time."""
        value = record.value
        if value is None:
            return Way(BARE_JSON, self._upcaster())
        mark: Mark = self._frame.mark(record) if self._frame else b""
        way = self._ways.get(mark)
        if way is None:
            found = self._opening(mark)
            if isinstance(found, Fault):
                return found
            way = found
            if len(self._ways) >= MOST_MARKS:
                self._ways.clear()
                self._quick.clear()
            self._ways[mark] = way
            if isinstance(mark, bytes) and not way.lacking:
                self._quick[mark] = partial(way.upcaster.upcast, encoding=way.encoding)
        return way


class Traced:
    """The same records step by step: what a proof compares the quick way with."""

    def __init__(self, records: SchemaRecords) -> None:
        self._records = records

    def upcast(self, record: SourceRecord, source: Partition | None = None) -> Outcome:
        return self._records.trace(record, source).outcome


def _at_once(way: Way, record: SourceRecord, source: Partition | None) -> Outcome:
    return way.upcaster.upcast(record, source, way.encoding)


def _with(record: SourceRecord, more: Sequence[Header], headers: Sequence[Header] | None = None) -> Event:
    own = record.headers if headers is None else headers
    return Event(record.value, record.key, [*own, *more], record.timestamp, record.offset)


def _as_event(made: Record) -> Event:
    return Event(made.value, made.key, list(made.headers))


def _less_others(headers: Sequence[Header], encoding: Encoding) -> Sequence[Header]:
    """Less the headers that name a schema other than this record's: whoever reads the new value would follow them."""
    if not any(header[0] in VALUE_HEADERS for header in headers):
        return headers
    kept = [header for header in headers if header[0] not in VALUE_HEADERS or header in encoding.headers]
    named = [header for header in kept if header[0] in VALUE_HEADERS]
    return kept if len(named) < 2 else [*without_ids(headers), *encoding.headers]


def _unnamed_tombstone(made: Record) -> Record:
    return Record(None, made.key, without_ids(made.headers)) if made.value is None else made
