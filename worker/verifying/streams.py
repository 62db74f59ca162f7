"""Records of one partition, one after the other, each with the source offset that it tells of."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator

from aiokafka import AIOKafkaConsumer, TopicPartition

from upcasters.event import SourceRecord
from worker.kafka.fetched import FetchedBatch
from worker.replay.ranges import Range
from worker.replay.reading import read_batches
from worker.verifying.other_writers import REPLAY_ID, OtherWriters

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


def last_header(record: SourceRecord, name: str) -> bytes | None:
    return dict(record.headers).get(name)
