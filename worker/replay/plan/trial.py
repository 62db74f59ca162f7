"""Runs the lanes' own processing over a range, and measures the output instead of writing it."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from upcasters.event import Header, SourcePartition, SourceRecord
from upcasters.outcome import Fault, Passage
from worker.dead_letters import Reporter
from worker.errors import WorkerError
from worker.kafka.aiokafka_internals.open_batch import Append
from worker.kafka.fetched import record_bytes
from worker.lanes.breaker import Breaker
from worker.lanes.counters import Counters
from worker.lanes.faults import BlockedError, PoisonError
from worker.lanes.lane_context import MakeProcessor
from worker.lanes.outbox import Outbox, OutgoingRecord, OutputBatch
from worker.lanes.processing import Processor, Work
from worker.preflight.facts import Backlog
from worker.replay.plan.file import (
    Coordinates,
    FaultGroup,
    ObservedViolation,
    OutcomeCounts,
    PassageCount,
    PlannedRange,
)
from worker.replay.plan.identity import Marks
from worker.replay.ranges import Range
from worker.replay.reading import Piece
from worker.routes.route import OutputTopic, Route

LINEAGE: list[Header] = [("upcaster", b"." * 240)]
"""About as large as the headers that a replay adds to each record."""
SURE = 4096
"""So far below a topic's limit nothing needs exact weighing: the room for a batch's frame and what stands in it."""


class DryOutbox(Outbox):
    """The producer is never started: it only knows how large a batch may be."""

    def __init__(self, producer: AIOKafkaProducer, destination: OutputTopic) -> None:
        super().__init__(producer, 0)
        self._destination = destination
        self.append: Append = self._append
        self.count = 0
        self._surely_fits = destination.max_message_bytes - SURE
        self.bytes = 0
        """Of keys, values and headers that would go to the destination."""

    def batch(self, topic: OutputTopic) -> OutputBatch:
        return self if topic.name == self._destination.name else super().batch(topic)

    def begin_batch(self, topic: OutputTopic, record: OutgoingRecord) -> bool:
        return self.put(topic, record)

    def put(self, topic: OutputTopic, record: OutgoingRecord) -> bool:
        if topic.name != self._destination.name:
            return self.fits(topic, record)
        if not self.fits(topic, record._replace(headers=[*record.headers, *LINEAGE])):
            return False
        self.bytes += _size(record.key, record.value, record.headers)
        return True

    def _append(
        self, place: int, timestamp: int, key: bytes | None, value: bytes | None, headers: list[Header]
    ) -> object | None:
        size = len(value or b"") + len(key or b"")
        if headers:
            size = _size(key, value, headers)
        if size > self._surely_fits:
            return None
        self.bytes += size
        return self


def _size(key: bytes | None, value: bytes | None, headers: list[Header]) -> int:
    return len(key or b"") + len(value or b"") + sum(len(name) + len(content or b"") for name, content in headers)


MOST_GROUPS = 500


class Trial:
    """Counts what would become of every record. ``coordinates`` is how many to keep of each kind of dead letter."""

    def __init__(
        self,
        route: Route,
        ranges: Sequence[Range],
        producer: AIOKafkaProducer,
        reporter: Reporter,
        coordinates: int,
        make_processor: MakeProcessor = Processor,
    ) -> None:
        self._route = route
        self._producer = producer
        self._ranges = {each.partition: each for each in ranges}
        self._marks = {each.partition: Marks(each.start, each.end) for each in ranges}
        self._read: Counter[int] = Counter()
        self._bytes: Counter[int] = Counter()
        self._oldest: int | None = None
        self._processors = {
            each.partition: make_processor(route, SourcePartition(route.source, each.partition), reporter, time.time)
            for each in ranges
        }
        for processor in self._processors.values():
            # No broker is asked, so this machine's clock has to do, and what the topic's settings say.
            processor.refused_ahead = 0
            processor.keyless_until = math.inf if route.destination.compacted else 0
        self._total = Counters()
        self._passages: dict[Passage, int] = {}
        self._faults = Faults(coordinates)
        self._violations: Counter[tuple[str, str, str, str]] = Counter()
        self.output_bytes = 0

    def process(self, piece: Piece) -> Counters:
        """Process a piece; returns its counts. Raises WorkerError where a replay could not go on."""
        records = piece.slice.records
        self._marks[piece.partition].look(records)
        work = self._run(piece)
        self.output_bytes += work.outbox.bytes
        self._read[piece.partition] += len(records)
        self._weigh(piece.partition, self._for_the_chain(piece))
        self._add(work.counters)
        return work.counters

    def _for_the_chain(self, piece: Piece) -> Sequence[SourceRecord]:
        return piece.slice.records

    def _weigh(self, partition: int, records: Sequence[SourceRecord]) -> None:
        self._bytes[partition] += sum(map(record_bytes, records))
        stamps = [record.timestamp for record in records if (record.timestamp or -1) >= 0]
        self._oldest = min([stamp for stamp in (self._oldest, *stamps) if stamp is not None], default=None)

    def _run(self, piece: Piece) -> Work:
        """A record on which the chain raises becomes a dead letter, and the piece is processed again, as in a lane."""
        processor = self._processors[piece.partition]
        while True:
            found: list[tuple[SourceRecord, Fault]] = []
            work = Work(
                DryOutbox(self._producer, self._route.destination),
                Breaker(self._route.breaker),
                on_dead_letter=lambda record, fault, found=found: found.append((record, fault)),  # type: ignore[misc]  # mypy cannot tell the type of a default in a lambda
            )
            try:
                processor.process(piece.slice, work)
            except PoisonError as error:
                processor.refusals[error.offset] = error.fault
                continue
            except BlockedError as error:
                raise WorkerError(str(error), code="UPC1620") from error
            processor.forget_before(piece.slice.next_offset)
            for record, fault in found:
                self._faults.add(piece.partition, record, fault)
            return work

    def _add(self, counters: Counters) -> None:
        total = self._total
        total.consumed += counters.consumed
        total.passed += counters.passed
        total.tombstones += counters.tombstones
        total.skipped += counters.skipped
        total.dead_lettered += counters.dead_lettered
        total.produced += counters.produced
        for violation, count in counters.violations.values():
            fault = violation.fault
            kind = (violation.event_type, violation.version, fault.pattern, fault.message)
            if kind in self._violations or len(self._violations) < MOST_GROUPS:
                self._violations[kind] += count
        for passage, count in counters.upcast.values():
            self._passages[passage] = self._passages.get(passage, 0) + count

    @property
    def input_bytes(self) -> int:
        return self._bytes.total()

    def backlog(self) -> Backlog:
        """What was read, in the form that the checks at the start use."""
        return Backlog(self._read.total(), self._oldest, max(self._bytes.values(), default=0))

    def counts(self) -> OutcomeCounts:
        total = self._total
        return OutcomeCounts(
            read=total.consumed,
            upcast=sum(self._passages.values()),
            passed=total.passed,
            skipped=dict(sorted(total.skipped.items())),
            dead_lettered=sum(total.dead_lettered.values()),
            produced=total.produced[self._route.destination.name],
            tombstones=total.tombstones,
        )

    def passages(self) -> tuple[PassageCount, ...]:
        ordered = sorted(self._passages.items(), key=lambda item: (item[0].event_type, item[0].from_version))
        return tuple(
            PassageCount(
                event_type=each.event_type, from_version=each.from_version, to_version=each.to_version, records=count
            )
            for each, count in ordered
        )

    def ranges(self) -> tuple[PlannedRange, ...]:
        return tuple(
            PlannedRange(
                partition=number,
                start=each.start,
                end=each.end,
                records=self._read[number],
                marks=self._marks[number].marks(),
            )
            for number, each in sorted(self._ranges.items())
        )

    def faults(self) -> tuple[FaultGroup, ...]:
        return self._faults.groups()

    def violations(self) -> tuple[ObservedViolation, ...]:
        """Most first."""
        return tuple(
            ObservedViolation(event_type=event_type, version=version, path=path, message=message, records=count)
            for (event_type, version, path, message), count in self._violations.most_common()
        )

    @property
    def faults_truncated(self) -> bool:
        return self._faults.truncated


class Faults:
    """Dead letters by fault fingerprint: a bounded number of groups, and of coordinates in each."""

    def __init__(self, coordinates: int) -> None:
        self._coordinates = coordinates
        self._groups: dict[str, tuple[Fault, int, list[Coordinates]]] = {}
        self.truncated = False

    def add(self, partition: int, record: SourceRecord, fault: Fault) -> None:
        name = fault.fingerprint
        if name not in self._groups and len(self._groups) >= MOST_GROUPS:
            self.truncated = True
            return
        first, count, samples = self._groups.get(name, (fault, 0, []))
        if len(samples) < self._coordinates:
            samples.append(Coordinates(partition=partition, offset=record.offset or 0))
        self._groups[name] = (first, count + 1, samples)

    def groups(self) -> tuple[FaultGroup, ...]:
        """Most first."""
        ordered = sorted(self._groups.items(), key=lambda item: (-item[1][1], item[0]))
        return tuple(_group(name, *found) for name, found in ordered)


def _group(name: str, fault: Fault, count: int, samples: list[Coordinates]) -> FaultGroup:
    return FaultGroup(
        fingerprint=name,
        count=count,
        stage=fault.stage,
        error_type=fault.error_type,
        event_type=fault.event_type,
        from_version=fault.from_version,
        to_version=fault.to_version,
        step=fault.step,
        path=fault.pattern,
        samples=tuple(samples),
    )
