"""What stands in the destination: the records of one partition, one after the other, each with the source offset
that it tells of, and those that are not what is proved."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

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
"""That are told apart."""


class OffsetSet:
    """A set of offsets, a bit for each, and nothing for stretches without any."""

    def __init__(self) -> None:
        self._bits: dict[int, int] = {}

    def add(self, offset: int) -> None:
        at = offset // BITS
        self._bits[at] = self._bits.get(at, 0) | 1 << offset % BITS

    def __contains__(self, offset: int) -> bool:
        return bool(self._bits.get(offset // BITS, 0) >> offset % BITS & 1)

    def without(self, other: OffsetSet) -> Iterator[tuple[int, int]]:
        """Of each stretch that has offsets which the other one has not: the first of them, and how many."""
        for at, bits in sorted(self._bits.items()):
            if left := bits & ~other._bits.get(at, 0):
                yield at * BITS + (left & -left).bit_length() - 1, left.bit_count()

    def within(self, other: OffsetSet) -> Iterator[tuple[int, int]]:
        """The same of the offsets that the other one has, too."""
        for at, bits in sorted(self._bits.items()):
            if common := bits & other._bits.get(at, 0):
                yield at * BITS + (common & -common).bit_length() - 1, common.bit_count()


class OtherWriters:
    """What other passes over a source partition wrote of the offsets in ``wanted``, and what the replay itself wrote
    into a partition that is not its own: ``partitions`` are those of the destination.

    ``silent`` are the offsets of which the replay itself wrote nothing: what another one wrote of those, such as a
    redrive, is there once. Behind ``unmarked_end`` is no record that tells nothing of a source.
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
        """At one record that is not what is proved; ``at`` is its own offset."""
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

    def tell(self, findings: Findings, destination: str) -> None:
        """A finding for each writer whose records stand beside the replay's own, and one for those astray."""
        if self._astray:
            findings.add(
                "in another partition", f"{destination} partition {self.home} holds {self._astray:,} that are not its"
            )
        for writer, offsets in self._by_writer.items():
            if stretches := list(self._twice(offsets)):
                first, count = stretches[0][0], sum(count for _, count in stretches)
                who = "the live worker" if writer is None else f"replay {writer.decode(errors='replace')}"
                findings.add(
                    "doubled by another pass",
                    f"partition {self._number}, source offset {first}: {who} wrote {count:,} of these offsets to "
                    f"{destination}, too, so readers see them twice: replay into an empty topic",
                )

    def _twice(self, offsets: OffsetSet) -> Iterator[tuple[int, int]]:
        return offsets.without(self.silent)


class OtherLetters(OtherWriters):
    """The same of dead letters, which always tell their origin. ``buried`` are the offsets of which the replay wrote
    one itself; a redrive that failed again buries the same record once more, and that is no second letter of it."""

    names = ORIGIN

    def __init__(self, replay_id: str, source: tuple[str, int], wanted: range, partitions: int) -> None:
        super().__init__(replay_id, source, wanted, partitions)
        self.buried = OffsetSet()

    def look(self, headers: Mapping[str, bytes | None], at: int = 0) -> None:
        if headers.get(REDRIVES) in (None, b"0"):
            super().look(headers, at)

    def _twice(self, offsets: OffsetSet) -> Iterator[tuple[int, int]]:
        return offsets.within(self.buried)


def is_marked(headers: Mapping[str, bytes | None]) -> bool:
    """Whether a record of the destination tells what it was made of."""
    topic, number, offset = (headers.get(name) or b"" for name in SOURCE)
    return bool(topic) and number.isdigit() and offset.isdigit()


UNKNOWN = -1
END = sys.maxsize

Placed = tuple[int, SourceRecord]
Locate = Callable[[Iterable[SourceRecord]], Iterator[Placed]]


class Stream:
    """Records one by one. ``head`` is the next one, None at the end; ``at`` is its source offset: ``UNKNOWN`` where it
    tells none, ``END`` at the end or where the next batch was not opened yet (``open``).

    A batch that is next, as a whole, can be looked at (``unopened``) and stepped over (``skip``) without decoding it.
    ``short``: it ends before the log does, at an open transaction.
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
        """None in the middle of a batch, and at the end."""
        if self.head is None and self._next is None:
            self._next = await anext(self._batches, None)
        return self._next

    def skip(self) -> None:
        """Step over the unopened batch."""
        self._next = None

    async def open(self) -> None:
        """See to it that there is a head, except at the end."""
        while self.head is None and (batch := await self.unopened()) is not None:
            self.skip()
            self._held.extend(self._place(batch.records()))
            self.step()

    def may_hide_more(self) -> bool:
        """Whether records may follow that nobody can read yet. Ours are in the source's order: where a later one can
        be read, no earlier one is hidden."""
        return self._short and self.head is None and self._next is None

    async def advance(self) -> None:
        """Step over the head, to the next one."""
        self.step()
        await self.open()

    def step(self) -> None:
        """Step over the head, and open nothing."""
        self.at, self.head = self._held.popleft() if self._held else (END, None)


async def read_from(consumer: AIOKafkaConsumer, topic: str, partition: int, start: int) -> AsyncIterator[FetchedBatch]:
    """From an offset, or where the topic begins by now, to the end of what can be read now."""
    place = TopicPartition(topic, partition)
    log = (await consumer.log_offsets([place]))[place]
    async for batch in read_batches(consumer, topic, Range(partition, max(log.start, start), log.stable)):
        yield batch


def written_by(
    replay_id: str, source: str, partition: int, names: tuple[str, str, str], others: OtherWriters | None = None
) -> Locate:
    """Picks the replay's records that came from a source partition; one whose origin is cut off is taken, too.
    ``others`` looks at what is not picked."""
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
