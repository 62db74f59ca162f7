"""Searches the destination's records without lineage headers for second outputs: by key, timestamp and value."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain

from aiokafka import AIOKafkaConsumer

from upcasters.event import SourcePartition, SourceRecord
from worker.kafka.fetched import timestamp_of
from worker.kafka.topics import places_of
from worker.replay.apply.receipt import Receipt
from worker.replay.plan.file import Filters
from worker.replay.ranges import Range
from worker.replay.reading import read_ranges, with_schemas
from worker.routes.chains import RouteChain
from worker.verifying.destination import REPLAY_ID, SOURCE, OffsetSet, is_marked
from worker.verifying.findings import Findings
from worker.verifying.oracle import Expected, Judges, Oracle, Output
from worker.verifying.redrives import LetterOracle

MOST_HELD = 50_000
"""Records that are compared at a time, some 700 bytes each; the source is read again for each such lot."""

RecordPosition = tuple[int, int]
"""Partition and offset."""


def digest(value: bytes | None) -> bytes:
    return b"" if value is None else blake2b(value, digest_size=16).digest()


@dataclass(slots=True)
class Alike:
    """Records without lineage headers that share key and timestamp, by the digests of their values: ``same`` equal an
    output of a record in range, ``others`` do not. ``origin`` is the first record in range with this key and
    timestamp."""

    origin: RecordPosition | None = None
    same: dict[bytes, list[RecordPosition]] = field(default_factory=dict)
    others: dict[bytes, list[RecordPosition]] = field(default_factory=dict)

    def take(self, value: bytes) -> bool:
        return _take(self.same, value) or _take(self.others, value)

    def take_any(self) -> None:
        if self.others:
            _take(self.others, next(iter(self.others)))


def _take(places: dict[bytes, list[RecordPosition]], value: bytes) -> bool:
    if value not in places:
        return False
    places[value].pop()
    if not places[value]:
        del places[value]
    return True


class UnmarkedRecords:
    """One lot of records without lineage headers. ``compare`` takes all records in range, then ``explain`` all records
    that may explain one; ``tell`` reports what is left."""

    def __init__(self) -> None:
        self._alike: dict[int, Alike] = {}
        self._times: set[int] = set()
        self._written: dict[int, OffsetSet] = {}
        self.count = 0

    def add(self, partition: int, record: SourceRecord) -> None:
        timestamp = timestamp_of(record.timestamp)
        alike = self._alike.setdefault(hash((timestamp, record.key)), Alike())
        alike.others.setdefault(digest(record.value), []).append((partition, record.offset or 0))
        self._times.add(timestamp)
        self.count += 1

    def concerns(self, record: SourceRecord) -> bool:
        """Whether the lot has a record with the same timestamp."""
        return timestamp_of(record.timestamp) in self._times

    def compare(self, origin: RecordPosition, record: SourceRecord, outputs: Sequence[Output]) -> None:
        """Compare the lot with the ``outputs`` of a record in range."""
        for output in outputs:
            _, timestamp, key, value, _ = output.content
            made = digest(value)
            for alike in filter(None, (self._of(timestamp, key), self._of(timestamp, record.key))):
                alike.origin = alike.origin or origin
                self._written.setdefault(origin[0], OffsetSet()).add(origin[1])
                if made in alike.others:
                    alike.same[made] = alike.others.pop(made)

    def keep_suspects(self) -> bool:
        """Drop the records that share no key and timestamp with a record in range; returns whether any is left."""
        self._alike = {key: alike for key, alike in self._alike.items() if alike.origin}
        return bool(self._alike)

    def explain(self, origin: RecordPosition, record: SourceRecord, outputs: Sequence[Output]) -> None:
        """Remove the records that a source record outside of the range explains: one for each of its ``outputs``, and
        one of another value, which another chain may have made."""
        if origin[1] in self._written.get(origin[0], ()):
            return
        exact = [self._take_exact(output) for output in outputs]
        alike = self._of(timestamp_of(record.timestamp), record.key)
        if alike and not any(exact):
            alike.take_any()

    def add_findings(self, findings: Findings, destination: str) -> None:
        """Add findings for the records that nothing explains."""
        for partition, (origin, offset, count) in sorted(self._left(same=True).items()):
            findings.add(
                "doubled by another pass",
                f"{destination} partition {partition}, offset {offset} (of {_named(origin)}): {count:,} records "
                "without lineage headers equal the output of records in range, so readers see them twice: replay "
                "into an empty topic, and start the live worker with --after",
                count,
            )
        for partition, (origin, offset, count) in sorted(self._left(same=False).items()):
            findings.leave_open(
                "of unknown origin",
                f"{destination} partition {partition}, offset {offset} (as {_named(origin)}): {count:,} records "
                "without lineage headers have key and timestamp of records in range, but other values: another "
                "producer wrote them, or a worker with another chain",
                count,
            )

    def _left(self, *, same: bool) -> dict[int, tuple[RecordPosition, int, int]]:
        """By partition of the destination: origin and offset of the first, and how many there are."""
        left: dict[int, tuple[RecordPosition, int, int]] = {}
        for alike in self._alike.values():
            if alike.origin is None:
                continue
            for partition, offset in chain(*(alike.same if same else alike.others).values()):
                origin, first, count = left.get(partition, (alike.origin, offset, 0))
                before = first <= offset
                left[partition] = (origin if before else alike.origin, min(first, offset), count + 1)
        return left

    def _of(self, timestamp: int, key: bytes | None) -> Alike | None:
        return self._alike.get(hash((timestamp, key)))

    def _take_exact(self, output: Output) -> bool:
        _, timestamp, key, value, _ = output.content
        alike = self._of(timestamp, key)
        return alike is not None and alike.take(digest(value))


def _named(origin: RecordPosition) -> str:
    return f"source partition {origin[0]}, offset {origin[1]}"


@dataclass
class SearchScope:
    """What the verification has read. By partition of the destination: the first offset that it read (``begin``), and
    the offset after its last record without lineage headers (``end``). ``times`` are the least and greatest timestamp
    of the range (ms)."""

    begin: dict[int, int] = field(default_factory=dict)
    end: dict[int, int] = field(default_factory=dict)
    times: tuple[int, int] | None = None

    def add_times(self, times: tuple[int, int] | None) -> None:
        if times:
            least, greatest = self.times or times
            self.times = min(least, times[0]), max(greatest, times[1])

    def add_partition(self, partition: int, begin: int, end: int) -> None:
        self.begin[partition] = min(begin, self.begin.get(partition, begin))
        self.end[partition] = max(end, self.end.get(partition, end))


class Search:
    """``consumers`` read the source and the destination. Call ``run`` once the verification has read all partitions."""

    def __init__(
        self,
        given: RouteChain,
        receipt: Receipt,
        sighted: SearchScope,
        counts: Mapping[str, int],
        consumers: tuple[AIOKafkaConsumer, AIOKafkaConsumer],
        findings: Findings,
        most: int = MOST_HELD,
    ) -> None:
        self._given = given
        self._ours = Judges(given, receipt.filters)
        self._live = Judges(given, Filters())
        self._receipt = receipt
        self._sighted = sighted
        self._counts = counts
        self._source, self._destination = consumers
        self._findings = findings
        self._most = most

    async def run(self) -> None:
        """Search all lots; ends early where one holds second outputs, since the verdict is known then."""
        route, lot = self._receipt.route, UnmarkedRecords()
        if self._sighted.times is None or route.source == route.destination:
            # Of a topic that is brought up in place each worker has to write the headers.
            return
        async for partition, record in self._unmarked(*self._sighted.times):
            lot.add(partition, record)
            if lot.count >= self._most:
                if await self._judge(lot):
                    return
                lot = UnmarkedRecords()
        await self._judge(lot)

    async def _judge(self, lot: UnmarkedRecords) -> bool:
        """Compare one lot; returns whether it holds second outputs."""
        if lot.count:
            await self._compare(lot)
            if lot.keep_suspects():
                await self._explain(lot)
                lot.add_findings(self._findings, self._receipt.route.destination)
        return bool(self._findings.wrong)

    # The destination.

    async def _unmarked(self, least: int, greatest: int) -> AsyncIterator[tuple[int, SourceRecord]]:
        """Yields the records without lineage headers whose timestamp lies in the range's: only those can be second
        outputs."""
        topic = self._receipt.route.destination
        for wanted in await self._places(least):
            async for piece in read_ranges(self._destination, topic, [wanted]):
                for record in piece.slice.records:
                    if least <= timestamp_of(record.timestamp) <= greatest and self._tells_nothing(
                        piece.partition, record
                    ):
                        yield piece.partition, record

    async def _places(self, least: int) -> list[Range]:
        """The offsets to search: from the first record that is not older than the range to the last one without lineage
        headers, or to the first one that the verification read."""
        topic, sighted = self._receipt.route.destination, self._sighted
        places = places_of(topic, self._counts[topic])
        offsets = await self._destination.log_offsets(places)
        first = {place: each.start for place, each in offsets.items()}
        last = {place: each.stable for place, each in offsets.items()}
        found = await self._destination.offsets_for_times(dict.fromkeys(places, least)) if least > 0 else {}
        ranges = []
        for place in places:
            of_time = found.get(place)
            begin = first[place] if least <= 0 else last[place] if of_time is None else of_time.offset
            end = max(sighted.begin.get(place.partition, last[place]), sighted.end.get(place.partition, 0))
            ranges.append(Range(place.partition, max(first[place], begin), min(end, last[place])))
        return [each for each in ranges if each.offsets]

    def _tells_nothing(self, partition: int, record: SourceRecord) -> bool:
        """Whether a record has no lineage headers, or stands before the offsets that the verification read."""
        headers = dict(record.headers)
        if headers.get(REPLAY_ID) == self._receipt.replay_id.encode():
            return False
        if not is_marked(headers):
            return True
        topic, number, offset = (headers.get(name) or b"" for name in SOURCE)
        looked_at = (record.offset or 0) >= self._sighted.begin.get(partition, 0)
        return (
            not looked_at and topic == self._receipt.route.source.encode() and self._in_range(int(number), int(offset))
        )

    def _in_range(self, partition: int, offset: int) -> bool:
        told = self._receipt
        ranges = {} if told.redrive else {each.partition: range(each.start, each.end) for each in told.partitions}
        return offset in ranges.get(partition, ())

    # The source.

    async def _compare(self, lot: UnmarkedRecords) -> None:
        """Compare the lot with the records in range and their outputs."""
        told = self._receipt
        for each in told.partitions:
            wanted = [Range(each.partition, each.start, each.end)]
            judge = self._letters if told.redrive is not None else self._records
            async for piece in with_schemas(read_ranges(self._source, told.topic, wanted), self._given.learn):
                for origin, record, expected in judge(each.partition, piece.slice.records, self._ours, lot):
                    lot.compare(origin, record, expected.outputs)

    async def _explain(self, lot: UnmarkedRecords) -> None:
        """Explain the lot by all records of the source, as a worker without the pass's filters would upcast them."""
        source = self._receipt.route.source
        places = places_of(source, self._counts.get(source, 0))
        offsets = await self._source.log_offsets(places)
        ranges = [Range(place.partition, each.start, each.stable) for place, each in offsets.items()]
        async for piece in with_schemas(read_ranges(self._source, source, ranges), self._given.learn):
            for origin, record, expected in self._records(piece.partition, piece.slice.records, self._live, lot):
                lot.explain(origin, record, expected.outputs)

    def _records(
        self, partition: int, records: Sequence[SourceRecord], judges: Judges, lot: UnmarkedRecords
    ) -> Iterator[tuple[RecordPosition, SourceRecord, Expected]]:
        oracle = Oracle(judges, self._receipt, SourcePartition(self._receipt.route.source, partition))
        for record in filter(lot.concerns, records):
            yield (partition, record.offset or 0), record, oracle.expect(record)

    def _letters(
        self, partition: int, letters: Sequence[SourceRecord], judges: Judges, lot: UnmarkedRecords
    ) -> Iterator[tuple[RecordPosition, SourceRecord, Expected]]:
        oracle = LetterOracle(judges, self._receipt, partition)
        for record in filter(lot.concerns, oracle.opened(letters)):
            yield oracle.origin(record), record, oracle.expect(record)
