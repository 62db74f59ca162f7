"""The search for second outputs among records that tell nothing of where they came from (see ``unmarked``).

It costs nothing where there are none: what the proof itself has read tells that, and the destination's index of
timestamps, of what stands in front of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition

from upcasters.event import SourcePartition, SourceRecord
from worker.kafka.fetched import timestamp_of
from worker.replay.apply.receipt import Receipt
from worker.replay.plan.parts import Filters
from worker.replay.ranges import Range
from worker.replay.reading import read_ranges
from worker.routes.chains import RouteChain
from worker.verifying.findings import Findings
from worker.verifying.oracle import Expected, Judges, Oracle
from worker.verifying.others import REPLAY_ID, SOURCE, is_marked
from worker.verifying.redrives import LetterOracle
from worker.verifying.unmarked import MOST_HELD, RecordPosition, UnmarkedRecords


@dataclass
class SearchScope:
    """What the proof has seen on its way. By partition of the destination: from where on it has looked (``begin``), and
    behind which offset no unmarked record was (``end``). ``times`` are the range's least and greatest timestamp."""

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
    """``consumers`` read the source and the destination. ``run`` once the proof has gone through all partitions."""

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
        policy = given.route.policy()
        self._ours = Judges(given.chain, policy, receipt.filters)
        self._live = Judges(given.chain, policy, Filters())
        self._receipt = receipt
        self._sighted = sighted
        self._counts = counts
        self._source, self._destination = consumers
        self._findings = findings
        self._most = most

    async def run(self) -> None:
        """Ends early where a lot holds second outputs: the verdict is known then."""
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
        """Whether it is known to be wrong."""
        if lot.count:
            await self._compare(lot)
            if lot.keep_suspects():
                await self._explain(lot)
                lot.tell(self._findings, self._receipt.route.destination)
        return bool(self._findings.wrong)

    # The destination.

    async def _unmarked(self, least: int, greatest: int) -> AsyncIterator[tuple[int, SourceRecord]]:
        """With a timestamp of the range's; only those may be of a record in it."""
        topic = self._receipt.route.destination
        for wanted in await self._places(least):
            async for piece in read_ranges(self._destination, topic, [wanted]):
                for record in piece.slice.records:
                    if least <= timestamp_of(record.timestamp) <= greatest and self._tells_nothing(
                        piece.partition, record
                    ):
                        yield piece.partition, record

    async def _places(self, least: int) -> list[Range]:
        """From the first record that is not older than the range, to the last unmarked one that was seen, or to where
        the proof began to look."""
        topic, sighted = self._receipt.route.destination, self._sighted
        places = [TopicPartition(topic, number) for number in range(self._counts[topic])]
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
        """What tells of its source was judged by that, except in front of where the proof began to look."""
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
        """With the records in range, and what the pass has written of each."""
        told = self._receipt
        for each in told.partitions:
            wanted = [Range(each.partition, each.start, each.end)]
            judge = self._letters if told.redrive is not None else self._records
            async for piece in read_ranges(self._source, told.topic, wanted):
                for origin, record, expected in judge(each.partition, piece.slice.records, self._ours, lot):
                    lot.compare(origin, record, expected.outputs)

    async def _explain(self, lot: UnmarkedRecords) -> None:
        """By all that is in the source, as a worker without the pass's filters makes it."""
        source = self._receipt.route.source
        places = [TopicPartition(source, number) for number in range(self._counts.get(source, 0))]
        offsets = await self._source.log_offsets(places)
        ranges = [Range(place.partition, each.start, each.stable) for place, each in offsets.items()]
        async for piece in read_ranges(self._source, source, ranges):
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
