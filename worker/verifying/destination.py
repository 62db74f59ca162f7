"""Reads the destination: the records of one partition in order, each with the source offset in its headers, and sorts
out records that the verified replay did not write."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from upcast_authoring.counted import counted
from upcasters.event import SourceRecord
from worker.kafka.fetched import FetchedBatch
from worker.replay.ranges import Range
from worker.replay.reading import read_batches
from worker.verifying.findings import Findings

REPLAY_ID = "upcaster.replay.id"
REDRIVES = "upcaster.dlq.redrive.count"
SOURCE = ("upcaster.source.topic", "upcaster.source.partition", "upcaster.source.offset")
ORIGIN = ("__connect.errors.topic", "__connect.errors.partition", "__connect.errors.offset")
BITS = 1024
MOST_WRITERS = 100
"""Other writers that are counted one by one."""


class OffsetSet:
    """A set of offsets: a bit for each, and no memory for stretches without any."""

    def __init__(self) -> None:
        self._bits: dict[int, int] = {}

    def add(self, offset: int) -> None:
        at = offset // BITS
        self._bits[at] = self._bits.get(at, 0) | 1 << offset % BITS

    def __contains__(self, offset: int) -> bool:
        return bool(self._bits.get(offset // BITS, 0) >> offset % BITS & 1)

    def without(self, other: OffsetSet) -> Iterator[tuple[int, int]]:
        """Of each stretch with offsets that ``other`` lacks: the first of them, and their number."""
        for at, bits in sorted(self._bits.items()):
            if left := bits & ~other._bits.get(at, 0):
                yield at * BITS + (left & -left).bit_length() - 1, left.bit_count()

    def within(self, other: OffsetSet) -> Iterator[tuple[int, int]]:
        """The same of offsets that ``other`` also has."""
        for at, bits in sorted(self._bits.items()):
            if common := bits & other._bits.get(at, 0):
                yield at * BITS + (common & -common).bit_length() - 1, common.bit_count()


class OtherWriters:
    """Output of offsets in ``wanted`` that other passes over the source partition wrote, and output that the replay
    itself wrote into the wrong one of the destination's ``partitions``. ``silent`` are the offsets of which the replay
    wrote nothing: output of those, for instance by a redrive, is no duplicate. After ``unmarked_end`` every record
    names its source.
    """

    names = SOURCE

    def __init__(self, replay_id: str, source: tuple[str, int], wanted: range, partitions: int) -> None:
        self._ours = replay_id.encode()
        self._topic, self._number = source[0].encode(), source[1]
        self._wanted = wanted
        self._partitions = partitions
        self.home = source[1] % partitions
        self._by_writer: dict[bytes | None, OffsetSet] = {}
        self._astray = 0
        self.silent = OffsetSet()
        self.unmarked_end = 0

    def look(self, headers: Mapping[str, bytes | None], at: int = 0) -> None:
        """Note a record that the verified replay did not write; ``at`` is its offset."""
        topic, number, offset = (headers.get(name) or b"" for name in self.names)
        if not is_marked(headers):
            self.unmarked_end = max(self.unmarked_end, at + 1)
        if topic != self._topic or not (number.isdigit() and offset.isdigit()):
            return
        writer = headers.get(REPLAY_ID)
        if writer == self._ours:
            self._astray += (int(number) - self._number) % self._partitions != 0
            return
        known = writer in self._by_writer or len(self._by_writer) < MOST_WRITERS
        if known and int(number) == self._number and int(offset) in self._wanted:
            self._by_writer.setdefault(writer, OffsetSet()).add(int(offset))

    def add_findings(self, findings: Findings, destination: str) -> None:
        """Add a finding for each writer whose records double the replay's, and one for records in the wrong
        partition."""
        if self._astray:
            findings.add(
                "in another partition",
                f"{destination} partition {self.home} holds {counted(self._astray, 'record')} meant for another "
                "partition",
            )
        for writer, offsets in self._by_writer.items():
            if stretches := list(self._twice(offsets)):
                first, count = stretches[0][0], sum(count for _, count in stretches)
                who = "the live worker" if writer is None else f"replay {writer.decode(errors='replace')}"
                findings.add(
                    "doubled by another pass",
                    f"partition {self._number}, source offset {first}: {who} also wrote {count:,} of these offsets "
                    f"to {destination}, so readers see them twice: replay into an empty topic",
                )

    def _twice(self, offsets: OffsetSet) -> Iterator[tuple[int, int]]:
        return offsets.without(self.silent)


class OtherLetters(OtherWriters):
    """The same for dead letters, which always name their origin. ``dead_lettered`` are the offsets of which the replay
    wrote one; a redrive that fails writes another letter of the same record, which is no duplicate."""

    names = ORIGIN

    def __init__(self, replay_id: str, source: tuple[str, int], wanted: range, partitions: int) -> None:
        super().__init__(replay_id, source, wanted, partitions)
        self.dead_lettered = OffsetSet()

    def look(self, headers: Mapping[str, bytes | None], at: int = 0) -> None:
        if headers.get(REDRIVES) in (None, b"0"):
            super().look(headers, at)

    def _twice(self, offsets: OffsetSet) -> Iterator[tuple[int, int]]:
        return offsets.within(self.dead_lettered)


def is_marked(headers: Mapping[str, bytes | None]) -> bool:
    """Whether the headers of a record in the destination name its source."""
    topic, number, offset = (headers.get(name) or b"" for name in SOURCE)
    return bool(topic) and number.isdigit() and offset.isdigit()


UNKNOWN = -1
END = sys.maxsize

Placed = tuple[int, SourceRecord]
Locate = Callable[[Iterable[SourceRecord]], Iterator[Placed]]


class Stream:
    """Records one by one. ``head`` is the next record, None at the end; ``at`` is its source offset: ``UNKNOWN`` where
    its headers name none, ``END`` at the end or where the next batch is not decoded yet (``open``). A whole next batch
    can be inspected (``unopened``) and skipped (``skip``) without decoding it. ``short``: the stream ends before the
    log does, at an open transaction.
    """

    def __init__(self, batches: AsyncIterator[FetchedBatch], place: Locate, *, short: bool = False) -> None:
        self._batches = batches
        self._short = short
        self._place = place
        self._held: deque[Placed] = deque()
        self._next: FetchedBatch | None = None
        self.at = END
        self.head: SourceRecord | None = None

    async def unopened(self) -> FetchedBatch | None:
        """The next batch, undecoded; None in the middle of a batch, and at the end."""
        if self.head is None and self._next is None:
            self._next = await anext(self._batches, None)
        return self._next

    def skip(self) -> None:
        """Skip the next batch."""
        self._next = None

    async def open(self) -> None:
        """Decode the next batch, so that there is a head, except at the end."""
        while self.head is None and (batch := await self.unopened()) is not None:
            self.skip()
            self._held.extend(self._place(batch.records()))
            self.step()

    def may_hide_more(self) -> bool:
        """Whether an open transaction may hide further records. The replay's are in the source's order: where a later
        one can be read, no earlier one is hidden."""
        return self._short and self.head is None and self._next is None

    async def advance(self) -> None:
        """Go to the next record."""
        self.step()
        await self.open()

    def step(self) -> None:
        """Go to the next record without decoding another batch."""
        self.at, self.head = self._held.popleft() if self._held else (END, None)


async def read_from(consumer: AIOKafkaConsumer, topic: str, partition: int, start: int) -> AsyncIterator[FetchedBatch]:
    """The stream from ``start``, or from the partition's first offset if that is later, to the end of what can be
    read."""
    place = TopicPartition(topic, partition)
    log = (await consumer.log_offsets([place]))[place]
    async for batch in read_batches(consumer, topic, Range(partition, max(log.start, start), log.stable)):
        yield batch


def written_by(
    replay_id: str, source: str, partition: int, names: tuple[str, str, str], others: OtherWriters | None = None
) -> Locate:
    """A function that selects the replay's records of a source partition, also those whose origin had to be cut.
    ``others`` notes the records that are not selected."""
    wanted, topics, numbers = replay_id.encode(), (source.encode(), None), (b"%d" % partition, None)
    topic, number, offset = names

    def place(records: Iterable[SourceRecord]) -> Iterator[Placed]:
        for record in records:
            # Of several headers of one name the last counts: ours are appended behind whatever a record brought along.
            headers = dict(record.headers)
            if headers.get(REPLAY_ID) == wanted and headers.get(topic) in topics and headers.get(number) in numbers:
                told = headers.get(offset)
                yield int(told) if told is not None and told.isdigit() else UNKNOWN, record
            elif others is not None:
                others.look(headers, record.offset or 0)

    return place
