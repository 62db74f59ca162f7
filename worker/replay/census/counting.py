"""Counts what a topic holds by type and version and, where the route detects versions by shape, by shape. Changes
nothing.

Memory is bounded: it keeps counts for at most ``MOST_KINDS`` kinds of events."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from upcasters import Chain
from upcasters.context import last_header
from upcasters.detect import Detector
from upcasters.detection import FromHeader, FromShape
from upcasters.document import Object
from upcasters.errors import EventError
from upcasters.event import SourcePartition, SourceRecord
from upcasters.event_flow import reading_of
from upcasters.outcome import Fault
from upcasters.policy import Policy
from worker.kafka.clients import KafkaClients
from worker.kafka.fetched import NO_TIMESTAMP, record_bytes, timestamp_of
from worker.kafka.open_transactions import OpenTransaction, open_transactions
from worker.kafka.waiting import wait_for_broker
from worker.progress import OnProgress
from worker.replay.ranges import Range, freeze, parse_end, parse_start
from worker.replay.reading import open_range_reader, read_ranges, with_schemas
from worker.replay.topics import partitions_of
from worker.routes.chains import RouteChain
from worker.settings import Settings

if TYPE_CHECKING:
    from worker.schemas.framing import Framing

MOST_KINDS = 1_000
MOST_PRODUCERS = 5_000
LONGEST_NAME = 100
TOMBSTONE = "tombstone"
OTHERS = "(others)"


class EventKind(NamedTuple):
    """What events are counted by. ``problem`` is ``stage ErrorClass`` where type or version could not be detected,
    ``tombstone`` for tombstones, else empty; ``shape`` is the version whose shape the document has, where the route
    detects by shape; ``schema`` the one that the frame of the value names."""

    event_type: str
    version: str
    shape: str = ""
    problem: str = ""
    schema: str = ""


@dataclass
class Seen:
    """Number of records, bytes of keys and values, earliest and latest timestamp (ms; -1 unknown)."""

    records: int = 0
    bytes: int = 0
    first: int = NO_TIMESTAMP
    last: int = NO_TIMESTAMP

    def add(self, size: int, timestamp: int) -> None:
        self.records += 1
        self.bytes += size
        if timestamp >= 0:
            self.last = max(self.last, timestamp)
            self.first = timestamp if self.first < 0 else min(self.first, timestamp)

    def merge(self, other: Seen) -> None:
        """Add the counts of ``other``."""
        first = min((at for at in (self.first, other.first) if at >= 0), default=NO_TIMESTAMP)
        self.records, self.bytes = self.records + other.records, self.bytes + other.bytes
        self.first, self.last = first, max(self.last, other.last)


@dataclass
class CensusLine:
    """The counts of one kind of event: in all, by partition and by producer."""

    seen: Seen = field(default_factory=Seen)
    by_partition: dict[int, int] = field(default_factory=dict)
    by_producer: dict[str, Seen] = field(default_factory=dict)


class Identifier:
    """Finds the kind of an event by the route's rules, without upcasting it. ``framing`` is the route's, where
    its values have a frame."""

    def __init__(self, chain: Chain, policy: Policy, framing: Framing | None = None) -> None:
        self._framing = framing
        self._detector = Detector(chain, policy.detection)
        self._reading = reading_of(chain, policy, self._detector)
        rules = self._detector.version_rules
        self._by_shape = any(isinstance(rule, FromShape) for rule in rules)
        by_header = all(isinstance(rule, FromHeader) for rule in rules)
        self._unread = by_header and self._detector.fixed_type is not None
        self._tombstone = EventKind(self._detector.fixed_type or "", "", "", TOMBSTONE)

    def kinds(self, record: SourceRecord, source: SourcePartition) -> Sequence[tuple[EventKind, SourceRecord]]:
        """The events in a record, each with its kind: several only where a reader of the route splits. Never raises."""
        if self._reading is None or self._framing is not None:
            return ((self.kind(record), record),)
        try:
            read = self._reading.read(record, source)
        except EventError as error:
            return ((_problem(error), record),)
        return [(self.kind(event), event) for event in (read.parts if read else (record,))]

    def kind(self, record: SourceRecord) -> EventKind:
        """Of an event that needs no reader, or has them behind it. Never raises."""
        if record.value is None:
            return self._tombstone
        if self._framing is None:
            return self._of_bare(record)
        schema, found = self._framing.told(record)[:LONGEST_NAME], self._framing.version_of(record)
        if isinstance(found, tuple):
            event_type, version = found
            return EventKind(event_type[:LONGEST_NAME], version[:LONGEST_NAME], schema=schema)
        bare = found or self._framing.bare(record)
        if isinstance(bare, Fault):
            return EventKind("", "", "", f"{bare.stage} {bare.error_type}", schema)
        return self._of_bare(bare)._replace(schema=schema)

    def _of_bare(self, record: SourceRecord) -> EventKind:
        assert record.value is not None  # noqa: S101  (whoever asks has looked)
        try:
            found = self._detector.detect(record, {}) if self._unread else self._detector.look(record)
            shape = self._shape(found.event_type, found.body) if self._by_shape else ""
        except EventError as error:
            return _problem(error)
        except Exception as error:  # noqa: BLE001  # a condition of the chain's; what it was is counted
            return EventKind("", "", "", f"detect {type(error).__name__}")
        return EventKind(found.event_type[:LONGEST_NAME], found.version[:LONGEST_NAME], shape)

    def _shape(self, event_type: str, body: Object) -> str:
        return self._detector.shape_of(event_type, body) or ""


def _problem(error: EventError) -> EventKind:
    return EventKind("", "", "", f"{error.stage} {type(error).__name__}")


class Census:
    """The counts of any number of records, and of the ``events`` in them. ``producer_header`` names the header to count
    old versions by."""

    def __init__(self, identifier: Identifier, topic: str, producer_header: str | None = None) -> None:
        self._identifier = identifier
        self._topic = topic
        self._producer_header = producer_header
        self._producers = 0
        self.lines: dict[EventKind, CensusLine] = {}
        self.records = 0
        self.events = 0

    def add(self, partition: int, records: Sequence[SourceRecord]) -> None:
        source, kinds_of = SourcePartition(self._topic, partition), self._identifier.kinds
        for record in records:
            for kind, event in kinds_of(record, source):
                self._add(partition, kind, event)
        self.records += len(records)

    def _add(self, partition: int, kind: EventKind, event: SourceRecord) -> None:
        line = self._line(kind)
        size = record_bytes(event)
        timestamp = timestamp_of(event.timestamp)
        line.seen.add(size, timestamp)
        line.by_partition[partition] = line.by_partition.get(partition, 0) + 1
        if self._producer_header is not None:
            self._producer(line, event, self._producer_header).add(size, timestamp)
        self.events += 1

    def _line(self, kind: EventKind) -> CensusLine:
        line = self.lines.get(kind)
        if line is None:
            full = len(self.lines) >= MOST_KINDS
            line = self.lines.setdefault(EventKind(OTHERS, "", "", OTHERS) if full else kind, CensusLine())
        return line

    def _producer(self, line: CensusLine, record: SourceRecord, header: str) -> Seen:
        name = (last_header(record.headers, header) or b"").decode("utf-8", "replace")[:LONGEST_NAME]
        seen = line.by_producer.get(name)
        if seen is None:
            self._producers += 1
            full = self._producers > MOST_PRODUCERS
            seen = line.by_producer.setdefault(OTHERS if full else name, Seen())
        return seen


@dataclass(frozen=True)
class Survey:
    """The result of a census. ``hidden`` are the open transactions behind which records could not be counted; ``whole``
    says that the whole topic was asked for."""

    census: Census
    ranges: list[Range]
    hidden: list[OpenTransaction]
    whole: bool
    seconds: float


async def survey(
    settings: Settings, given: RouteChain, start: str, end: str, progress: OnProgress, *, producers: bool = False
) -> Survey:
    """Count the records from ``start`` to ``end`` (bounds as in ``worker.replay.ranges``). Raises WorkerError."""
    now = time.time()
    first, last = parse_start(start, now), parse_end(end, now)
    clients = KafkaClients(settings.kafka)
    await wait_for_broker(clients)
    source = given.route.source
    partitions = await partitions_of(clients, source)
    await given.begin_to_show(leniently=True)
    identifier = Identifier(given.chain, given.route.policy(), given.framing)
    census = Census(identifier, source, given.route.producer_header if producers else None)
    began = time.monotonic()
    async with open_range_reader(clients, partitions) as consumer:
        frozen = await freeze(consumer, source, partitions, first, last)
        hidden = await open_transactions(consumer, frozen.hidden)
        behind = RangeProgress(frozen.ranges, progress)
        async for piece in with_schemas(read_ranges(consumer, source, frozen.ranges), given.learn):
            census.add(piece.partition, piece.slice.records)
            behind.reached(piece.partition, piece.slice.next_offset)
    whole = (start, end) in {("earliest", "now"), ("earliest", "latest")}
    return Survey(census, frozen.ranges, hidden, whole, time.monotonic() - began)


class RangeProgress:
    """Reports the progress over all partitions."""

    def __init__(self, ranges: Sequence[Range], progress: OnProgress) -> None:
        self._total = sum(each.offsets for each in ranges)
        self._position = {each.partition: each.start for each in ranges}
        self._done = 0
        self._progress = progress
        progress(0, self._total)

    def reached(self, partition: int, offset: int) -> None:
        self._done += offset - self._position[partition]
        self._position[partition] = offset
        self._progress(self._done, self._total)
