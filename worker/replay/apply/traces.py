"""Traces of a replay in its destination, for when neither Kafka's offsets nor the ledger can say where it was."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from upcasters.event import SourceRecord
from worker.errors import WorkerError
from worker.lanes.lineage import PREFIX, REPLAY_ID
from worker.replay.ranges import Range
from worker.replay.reading import read_ranges

SOURCE_OFFSET = PREFIX + "source.offset"
TAIL = 2_000
"""Offsets looked at behind which a forgotten replay may hide."""


async def refuse_forgotten(replay_id: str, topic: str, partitions: Sequence[int], consumer: AIOKafkaConsumer) -> None:
    """Nobody knows of this replay: its records must not be at the destination's end."""
    ends = await _ends(topic, partitions, consumer)
    starts = {number: end - TAIL for number, end in ends.items()}
    async for number, record in _records(replay_id, topic, starts, ends, consumer):
        raise WorkerError(
            f"{topic} partition {number}: offset {record.offset} was written by this very replay ({replay_id}), of "
            "which neither Kafka's offsets nor the ledger know any more: set ledger.url to the ledger it was run with"
        )


async def refuse_ahead(
    replay_id: str,
    topic: str,
    reached: Mapping[int, tuple[int, int]],
    consumer: AIOKafkaConsumer,
    origin: str = SOURCE_OFFSET,
) -> None:
    """Only the ledger knows how far the replay is, and may be a moment behind: nothing past it may have been written.

    ``reached`` holds, by partition, where the replay's output begins and the source offset it has come to; ``origin``
    is the header that tells of which offset an output was made.
    """
    ends = await _ends(topic, list(reached), consumer)
    starts = {number: start for number, (start, _) in reached.items()}
    async for number, record in _records(replay_id, topic, starts, ends, consumer):
        source = int(_last(record, origin) or -1)
        if source >= reached[number][1]:
            raise WorkerError(
                f"{topic} partition {number}: offset {record.offset} came from source offset {source}, the ledger "
                f"says that replay {replay_id} is at {reached[number][1]}, and Kafka has forgotten it: going on "
                "would double records; make a new plan into an empty destination"
            )


async def _records(
    replay_id: str, topic: str, starts: Mapping[int, int], ends: Mapping[int, int], consumer: AIOKafkaConsumer
) -> AsyncIterator[tuple[int, SourceRecord]]:
    if not ends:
        return
    first = await consumer.beginning_offsets([TopicPartition(topic, number) for number in ends])
    ranges = [
        Range(number, max(starts[number], first[TopicPartition(topic, number)]), end) for number, end in ends.items()
    ]
    async for piece in read_ranges(consumer, topic, ranges):
        for record in piece.slice.records:
            if _last(record, REPLAY_ID) == replay_id.encode():
                yield piece.partition, record


async def _ends(topic: str, partitions: Sequence[int], consumer: AIOKafkaConsumer) -> dict[int, int]:
    found = await consumer.end_offsets([TopicPartition(topic, number) for number in partitions])
    return {partition.partition: end for partition, end in found.items()}


def _last(record: SourceRecord, name: str) -> bytes | None:
    return next((value for key, value in reversed(record.headers) if key == name), None)
