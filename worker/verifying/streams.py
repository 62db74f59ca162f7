"""Records of one partition, one after the other, with a look at the next one."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable

from aiokafka import AIOKafkaConsumer, TopicPartition

from upcasters.event import SourceRecord
from worker.replay.ranges import Range
from worker.replay.reading import Piece, read_ranges

REPLAY_ID = "upcaster.replay.id"
SOURCE = ("upcaster.source.topic", "upcaster.source.partition", "upcaster.source.offset")
ORIGIN = ("__connect.errors.topic", "__connect.errors.partition", "__connect.errors.offset")


class Stream:
    """``head`` is the next record, None at the end. Call ``advance`` once to begin."""

    def __init__(self, pieces: AsyncIterator[Piece], wanted: Callable[[SourceRecord], bool] | None = None) -> None:
        self._pieces = pieces
        self._wanted = wanted
        self._held: deque[SourceRecord] = deque()
        self.head: SourceRecord | None = None

    async def advance(self) -> SourceRecord | None:
        """Step over the head; returns the new one."""
        while not self._held:
            piece = await anext(self._pieces, None)
            if piece is None:
                self.head = None
                return None
            records = piece.slice.records
            self._held.extend(filter(self._wanted, records) if self._wanted else records)
        self.head = self._held.popleft()
        return self.head


async def read_from(consumer: AIOKafkaConsumer, topic: str, partition: int, start: int) -> AsyncIterator[Piece]:
    """From an offset, or where the topic begins by now, to the end of what can be read now."""
    place = TopicPartition(topic, partition)
    first = (await consumer.beginning_offsets([place]))[place]
    end = (await consumer.end_offsets([place]))[place]
    async for piece in read_ranges(consumer, topic, [Range(partition, max(first, start), end)]):
        yield piece


def last_header(record: SourceRecord, name: str) -> bytes | None:
    """The last one of this name counts: ours are appended behind whatever a record brought along."""
    return next((value for key, value in reversed(record.headers) if key == name), None)


def written_by(
    replay_id: str, source: str, partition: int, names: tuple[str, str, str]
) -> Callable[[SourceRecord], bool]:
    """Picks the replay's records that came from a source partition; one whose origin is cut off is taken, too."""
    wanted, topic, number = replay_id.encode(), source.encode(), b"%d" % partition

    def wants(record: SourceRecord) -> bool:
        return (
            last_header(record, REPLAY_ID) == wanted
            and last_header(record, names[0]) in (topic, None)
            and last_header(record, names[1]) in (number, None)
        )

    return wants


def origin(record: SourceRecord, names: tuple[str, str, str]) -> int | None:
    """The source offset that a record tells of; None where it tells none."""
    told = last_header(record, names[2])
    return int(told) if told is not None and told.isdigit() else None
