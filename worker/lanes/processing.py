"""The worker's hot loop: upcasts records, counts outcomes and appends output to the outbox. It never waits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

import structlog

from upcasters.event import Header, SourcePartition, SourceRecord
from upcasters.outcome import DeadLettered, Fault, Outcome, Passage, Passed, Skipped, Upcast
from worker.dead_letters import Redriven, Reporter, dead_letter
from worker.kafka.fetched import NO_TIMESTAMP, Slice, record_bytes
from worker.lanes.bounded_pass import Journal, Written
from worker.lanes.breaker import Breaker
from worker.lanes.counters import Counters
from worker.lanes.faults import BlockedError, PoisonError
from worker.lanes.lineage import Lineage
from worker.lanes.outbox import Outbox, OutgoingRecord
from worker.routes.route import OutputTopic, Route

log = structlog.get_logger(__name__)

IN_PLACE = "in-place"
"""In a topic that is source and destination a record that needs no change is not written again: it would be doubled,
endlessly."""

TIMESTAMP: Callable[[SourceRecord], int] = attrgetter("timestamp")
"""Fetched records always have one, -1 where it is unknown."""

KEYLESS_SECONDS = 60.0

UNREADABLE = Fault("decode", "HeaderNameNotUtf8", "the name of a header is not UTF-8")


@dataclass
class Work:
    """The state of one transaction: its outbox, its counters, and the breaker as it will be after the commit.

    ``written`` are the records that the journal has yet to get; ``weigh`` asks to count the bytes that were read;
    ``on_dead_letter`` is called for each dead letter.
    """

    outbox: Outbox
    breaker: Breaker
    counters: Counters = field(default_factory=Counters)
    journal: Journal | None = None
    written: list[Written] = field(default_factory=list)
    weigh: bool = False
    on_dead_letter: Callable[[SourceRecord, Fault], None] | None = None


class Processor:
    """Upcasts the slices of one partition. ``redriven`` is the dead letter from which its records were restored.

    The usual path (``_process_fast``) does as little as possible for each record. The other path also handles records
    that brokers refused before, a route in place, and timestamps and keys that the destination would refuse.
    """

    def __init__(
        self,
        route: Route,
        source: SourcePartition,
        reporter: Reporter,
        clock: Callable[[], float] = time.time,
        redriven: Redriven | None = None,
    ) -> None:
        self.route = route
        """Replaced when its topics accept other sizes."""
        self._source = source
        self._reporter = reporter
        self._clock = clock
        self._redriven = redriven
        place = redriven.place if redriven else ()
        self._lineage = Lineage(source, route.chain, route.replay_id, place) if route.lineage_headers else None
        self.refusals: dict[int, Fault] = {}
        """By offset: records that become dead letters whatever the chain says, with the reason."""
        self.restamped: set[int] = set()
        """Offsets whose dead letters get the current time, because the topic refuses their own timestamp."""
        self.refused_ahead = math.inf
        """The smallest number of milliseconds past the destination's limit, by this machine's clock, at which the
        brokers refused a timestamp. Until they do nothing counts as too late, since this clock may be wrong."""
        self.keyless_until = 0.0
        """Unix time (s) until which records without a key become dead letters without asking the brokers: the compacted
        destination has just refused one. Afterwards the brokers decide again, since the topic's policy may have
        changed."""

    def forget_before(self, offset: int) -> None:
        """Forget what is known of records before ``offset``: they are committed."""
        if self.refusals or self.restamped:
            self.refusals = {at: fault for at, fault in self.refusals.items() if at >= offset}
            self.restamped = {at for at in self.restamped if at >= offset}

    def note_late(self, timestamp: int) -> None:
        """Note that the brokers refused a record for this timestamp (ms)."""
        ahead = timestamp - round(self._clock() * 1000) - (self.route.destination.max_timestamp_ahead_ms or 0)
        if ahead > 0:
            self.refused_ahead = min(self.refused_ahead, ahead)

    def note_keyless(self) -> None:
        """Note that the brokers refused a record for its content."""
        if self.route.destination.compacted:
            self.keyless_until = self._clock() + KEYLESS_SECONDS

    def process(self, piece: Slice, work: Work) -> None:
        """Upcast a slice and add its output and counts to ``work``. Raises ``PoisonError`` where processing a record
        raises, ``BlockedError`` where even its dead letter is refused."""
        records = piece.records
        for offset in piece.unreadable:
            self.refusals.setdefault(offset, UNREADABLE)
        if not records:
            return
        violations = self.route.violations
        violations.clear()  # of a slice whose transaction was aborted
        self.process_records(records, work)
        if violations:
            work.counters.add_violations(violations)
            violations.clear()
        if work.journal:
            work.journal.read(records)
            work.journal.wrote(work.written)
            work.written.clear()
        if work.weigh:
            work.counters.bytes += sum(map(record_bytes, records))
        work.breaker.advance(len(records))
        work.counters.add_slice(_timestamp(records[0]), len(records), _offset(records[0]))

    def process_records(self, records: Sequence[SourceRecord], work: Work) -> None:
        """Upcast the records and put their output into the outbox."""
        if self.refusals or self.route.in_place or self._has_late_timestamps(records) or self._has_keyless(records):
            self._process_with_checks(records, work)
        else:
            self._process_fast(records, work)

    def _process_fast(self, records: Sequence[SourceRecord], work: Work) -> None:  # noqa: C901, PLR0912, PLR0915  (hot: no calls)
        upcast, source = self.route.upcaster.upcast, self._source
        outbox, destination = work.outbox, self.route.destination
        batch = outbox.batch(destination)
        append, place = batch.append, batch.count
        lineage = self._lineage
        note = work.written.append if work.journal else None
        passages: list[Passage] = []
        passed = others = 0
        record = records[0]
        try:
            for record in records:
                outcome = upcast(record, source)
                kind = type(outcome)
                if kind is Upcast and outcome.new_records is None:  # type: ignore[union-attr]  # mypy cannot follow `kind`
                    value = outcome.new_value  # type: ignore[union-attr]  # an Upcast: `kind` says so, and isinstance costs
                elif kind is Passed:
                    value = record.value
                else:
                    batch.count = place
                    self._apply(record, outcome, len(passages) + passed + others, work)
                    batch = outbox.batch(destination)
                    append, place = batch.append, batch.count
                    others += 1
                    continue
                timestamp, key, headers = record.timestamp, record.key, record.headers
                if lineage is not None:
                    headers = [*headers, *lineage.headers(record, outcome.passage)]  # type: ignore[union-attr]  # an Upcast: `kind` says so, and isinstance costs
                if append(place, timestamp, key, value, headers) is not None:  # type: ignore[arg-type]  # of an outcome that has a value
                    place += 1
                else:
                    batch.count = place
                    full = OutgoingRecord(timestamp, key, value, headers)  # type: ignore[arg-type]  # of an outcome that has a value
                    if not outbox.begin_batch(destination, full):
                        self._dead_letter(record, self._too_large(outcome), len(passages) + passed + others, work)
                        others += 1
                        continue
                    batch = outbox.batch(destination)
                    append, place = batch.append, batch.count
                if note is not None:
                    note((record.offset, timestamp, key, value, record.headers))  # type: ignore[arg-type]  # of an outcome that has a value
                if kind is Upcast:
                    passages.append(outcome.passage)  # type: ignore[union-attr]  # an Upcast: `kind` says so, and isinstance costs
                else:
                    passed += 1
        except BlockedError:
            raise
        except Exception as error:
            raise _poison(record, error) from error
        batch.count = place
        work.counters.add_upcast(passages)
        work.counters.passed += passed
        work.counters.produced[destination.name] += len(passages) + passed

    def _process_with_checks(self, records: Sequence[SourceRecord], work: Work) -> None:
        latest = self._latest(self.route.destination)
        for index, record in enumerate(records):
            try:
                outcome = self._refused(record) or self.route.upcaster.upcast(record, self._source)
                self._apply(record, self._unless_late(record, outcome, latest), index, work)
            except BlockedError:
                raise
            except Exception as error:
                raise _poison(record, error) from error

    def _apply(self, record: SourceRecord, outcome: Outcome, index: int, work: Work) -> None:
        """Count the outcome of a record and produce its output. ``index`` is its place in the slice."""
        counters = work.counters
        if isinstance(outcome, Skipped):
            counters.skipped[outcome.reason] += 1
        elif isinstance(outcome, DeadLettered):
            self._dead_letter(record, outcome.fault, index, work)
        elif isinstance(outcome, Passed) and self.route.in_place:
            counters.skipped[IN_PLACE] += 1
        elif fault := self._produce(record, outcome, work):
            self._dead_letter(record, fault, index, work)
        elif isinstance(outcome, Upcast):
            counters.add_upcast([outcome.passage])
            counters.tombstones += sum(made.value is None for made in outcome.new_records or ())
        else:
            counters.passed += 1

    def _produce(self, record: SourceRecord, outcome: Upcast | Passed, work: Work) -> Fault | None:
        """Produce all of the record's output; or none, where the destination does not accept a part of it, and return
        why."""
        outputs = outcome.output(record)
        ours = self._lineage.headers(record, outcome.passage) if self._lineage else []
        destination, timestamp = self.route.destination, _timestamp(record)
        parts = [OutgoingRecord(timestamp, each.key, each.value, [*each.headers, *ours]) for each in outputs]
        if self._refuses_keyless() and any(part.key is None for part in parts):
            return Fault("produce", "InvalidRecordError", f"{destination.name} is compacted, and the record has no key")
        if not all(work.outbox.fits(destination, part) for part in parts):
            return self._too_large(outcome)
        for part in parts:
            work.outbox.put(destination, part)
        if work.journal:
            work.written += [(_offset(record), timestamp, each.key, each.value, each.headers) for each in outputs]
        work.counters.produced[destination.name] += len(parts)
        return None

    def _dead_letter(self, record: SourceRecord, fault: Fault, index: int, work: Work) -> None:
        """Make the record a dead letter in the same transaction."""
        topic, outbox, now = self.route.dead_letter, work.outbox, self._clock()
        latest = self._latest(topic)
        restamped = _offset(record) in self.restamped or (latest is not None and _timestamp(record) > latest)
        timestamp = round(now * 1000) if restamped else _timestamp(record)

        def with_headers(headers: Iterable[Header]) -> OutgoingRecord:
            return OutgoingRecord(timestamp, record.key, record.value, list(headers))

        letter = dead_letter(
            record,
            self._source,
            fault,
            self._reporter,
            now,
            lambda headers: outbox.fits(topic, with_headers(headers)),
            restamped=restamped,
            redriven=self._redriven,
            schema=self.route.schemas.told(record) if self.route.schemas else "",
        )
        if not letter.fits or not outbox.put(topic, with_headers(letter.headers)):
            raise BlockedError(
                f"the dead letter of the record at offset {record.offset} is larger than {topic.name} accepts: raise "
                f"its max.message.bytes ({topic.max_message_bytes} now), then resume the route or restart the worker"
            )
        if fault.fingerprint not in self.route.expected:
            work.breaker.dead_letter(index)
        work.counters.add_dead_letter(fault, _offset(record), trimmed=letter.trimmed)
        if work.on_dead_letter:
            work.on_dead_letter(record, fault)

    def _has_late_timestamps(self, records: Sequence[SourceRecord]) -> bool:
        latest = self._latest(self.route.destination)
        return latest is not None and max(map(TIMESTAMP, records)) > latest

    def _refuses_keyless(self) -> bool:
        return bool(self.keyless_until) and self._clock() < self.keyless_until

    def _has_keyless(self, records: Sequence[SourceRecord]) -> bool:
        return self._refuses_keyless() and any(record.key is None for record in records)

    def _latest(self, topic: OutputTopic) -> int | None:
        """The latest timestamp (ms) that is sent; later ones become dead letters without asking the brokers. It lies
        half as far past the topic's limit as the smallest timestamp that they refused: that is surely too late, unless
        this clock is wrong by as much. The brokers refuse the rest."""
        if topic.max_timestamp_ahead_ms is None or math.isinf(self.refused_ahead):
            return None
        return round(self._clock() * 1000 + topic.max_timestamp_ahead_ms + self.refused_ahead / 2)

    def _refused(self, record: SourceRecord) -> DeadLettered | None:
        fault = self.refusals.get(_offset(record))
        return DeadLettered(fault) if fault else None

    def _unless_late(self, record: SourceRecord, outcome: Outcome, latest: int | None) -> Outcome:
        """The outcome, or a dead letter where the record would be written and its timestamp is too late."""
        written = isinstance(outcome, Upcast) or (isinstance(outcome, Passed) and not self.route.in_place)
        if latest is None or _timestamp(record) <= latest or not written:
            return outcome
        name = self.route.destination.name
        return DeadLettered(Fault("produce", "InvalidTimestampError", f"the timestamp is too far ahead for {name}"))

    def _too_large(self, outcome: Outcome) -> Fault:
        destination = self.route.destination
        message = f"the result is larger than {destination.name} takes ({destination.max_message_bytes} bytes)"
        passage = outcome.passage if isinstance(outcome, Upcast | Passed) else Passage("", "", "")
        return Fault(
            "produce",
            "MessageSizeTooLargeError",
            message,
            event_type=passage.event_type,
            from_version=passage.from_version,
            to_version=passage.to_version,
        )


def _poison(record: SourceRecord, error: Exception) -> PoisonError:
    """Logs where the error was raised, never its text, which could hold a value."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    log.error("processing a record raised an error", offset=record.offset, error=type(error).__name__, place=place)
    return PoisonError(_offset(record), error)


def _timestamp(record: SourceRecord) -> int:
    return NO_TIMESTAMP if record.timestamp is None else record.timestamp


def _offset(record: SourceRecord) -> int:
    return NO_TIMESTAMP if record.offset is None else record.offset
