"""Records of one partition, one after the other, each with the source offset that it tells of."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator

from aiokafka import AIOKafkaConsumer, TopicPartition

from upcasters.event import SourceRecord
from worker.replay.ranges import Range
from worker.replay.reading import Piece, read_ranges

REPLAY_ID = "upcaster.replay.id"
SOURCE = ("upcaster.source.topic", "upcaster.source.partition", "upcaster.source.offset")
ORIGIN = ("__connect.errors.topic", "__connect.errors.partition", "__connect.errors.offset")
UNKNOWN = -1
END = sys.maxsize

Placed = tuple[int, SourceRecord]
Place = Callable[[Iterable[SourceRecord]], Iterator[Placed]]


class Stream:
    """``head`` is the next record, None at the end; ``at`` is its source offset: ``UNKNOWN`` where it tells none,
    ``END`` at the end. Call ``advance`` once to begin."""

    def __init__(self, pieces: AsyncIterator[Piece], place: Place) -> None:
        self._pieces = pieces
        self._place = place
        self._held: deque[Placed] = deque()
        self.at = UNKNOWN
        self.head: SourceRecord | None = None

    async def advance(self) -> None:
        """Step over the head."""
        while not self._held:
            piece = await anext(self._pieces, None)
            if piece is None:
                self.at, self.head = END, None
                return
            self._held.extend(self._place(piece.slice.records))
        self.at, self.head = self._held.popleft()


async def read_from(consumer: AIOKafkaConsumer, topic: str, partition: int, start: int) -> AsyncIterator[Piece]:
    """From an offset, or where the topic begins by now, to the end of what can be read now."""
    place = TopicPartition(topic, partition)
    first = (await consumer.beginning_offsets([place]))[place]
    end = (await consumer.end_offsets([place]))[place]
    async for piece in read_ranges(consumer, topic, [Range(partition, max(first, start), end)]):
        yield piece


def own_offsets(records: Iterable[SourceRecord]) -> Iterator[Placed]:
    """For the source itself."""
    for record in records:
        yield record.offset or 0, record


def written_by(replay_id: str, source: str, partition: int, names: tuple[str, str, str]) -> Place:
    """Picks the replay's records that came from a source partition; one whose origin is cut off is taken, too."""
    wanted, topics, numbers = replay_id.encode(), (source.encode(), None), (b"%d" % partition, None)
    topic, number, offset = names

    def place(records: Iterable[SourceRecord]) -> Iterator[Placed]:
        for record in records:
            # Of several headers of one name the last counts: ours are appended behind whatever a record brought along.
            headers = dict(record.headers)
            if headers.get(REPLAY_ID) == wanted and headers.get(topic) in topics and headers.get(number) in numbers:
                told = headers.get(offset)
                yield int(told) if told is not None and told.isdigit() else UNKNOWN, record

    return place


def last_header(record: SourceRecord, name: str) -> bytes | None:
    return dict(record.headers).get(name)
