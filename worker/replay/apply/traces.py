"""Traces of a replay in its destination, for when neither Kafka's offsets nor the ledger can say where it was.

Records behind an open transaction are looked at as well, committed or not: nobody can tell yet, and a replay that went
on beside them might double them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from upcasters.event import SourceRecord
from worker.errors import WorkerError
from worker.kafka.clients import KafkaClients
from worker.kafka.log_offsets import LogOffsets
from worker.lanes.lineage import PREFIX, REPLAY_ID
from worker.replay.ranges import Range
from worker.replay.reading import Piece, open_range_reader, read_ranges

SOURCE_OFFSET = PREFIX + "source.offset"
TAIL = 2_000
"""Offsets looked at behind which a forgotten replay may hide."""


async def refuse_forgotten(
    replay_id: str, topic: str, partitions: Sequence[int], consumer: AIOKafkaConsumer, clients: KafkaClients
) -> None:
    """Nobody knows of this replay: its records must not be at the destination's end."""
    found = await _offsets(topic, partitions, consumer)
    starts = {number: each.stable - TAIL for number, each in found.items()}
    async for number, record in _records(replay_id, topic, starts, found, (consumer, clients)):
        raise WorkerError(
            f"{topic} partition {number}: offset {record.offset} was written by this very replay ({replay_id}), of "
            "which neither Kafka's offsets nor the ledger know any more: set ledger.url to the ledger it was run with"
        )


async def refuse_ahead(
    replay_id: str,
    topic: str,
    reached: Mapping[int, tuple[int, int]],
    consumer: AIOKafkaConsumer,
    clients: KafkaClients,
    origin: str = SOURCE_OFFSET,
) -> None:
    """Only the ledger knows how far the replay is, and may be a moment behind: nothing past it may have been written.

    ``reached`` holds, by partition, where the replay's output begins and the source offset it has come to; ``origin``
    is the header that tells of which offset an output was made.
    """
    found = await _offsets(topic, list(reached), consumer)
    starts = {number: start for number, (start, _) in reached.items()}
    async for number, record in _records(replay_id, topic, starts, found, (consumer, clients)):
        source = int(_last(record, origin) or -1)
        if source >= reached[number][1]:
            raise WorkerError(
                f"{topic} partition {number}: offset {record.offset} came from source offset {source}, the ledger "
                f"says that replay {replay_id} is at {reached[number][1]}, and Kafka has forgotten it: going on "
                "would double records; make a new plan into an empty destination"
            )


async def _records(
    replay_id: str,
    topic: str,
    starts: Mapping[int, int],
    found: Mapping[int, LogOffsets],
    readers: tuple[AIOKafkaConsumer, KafkaClients],
) -> AsyncIterator[tuple[int, SourceRecord]]:
    consumer, clients = readers
    ranges = [Range(number, max(starts[number], each.start), each.stable) for number, each in found.items()]
    hidden = [Range(number, max(starts[number], each.stable), each.end) for number, each in found.items()]
    async for record in _of_replay(replay_id, read_ranges(consumer, topic, ranges)):
        yield record
    if any(each.offsets for each in hidden):
        async with open_range_reader(clients, len(hidden), committed=False) as reader:
            async for record in _of_replay(replay_id, read_ranges(reader, topic, hidden)):
                yield record


async def _of_replay(replay_id: str, pieces: AsyncIterator[Piece]) -> AsyncIterator[tuple[int, SourceRecord]]:
    async for piece in pieces:
        for record in piece.slice.records:
            if _last(record, REPLAY_ID) == replay_id.encode():
                yield piece.partition, record


async def _offsets(topic: str, partitions: Sequence[int], consumer: AIOKafkaConsumer) -> dict[int, LogOffsets]:
    places = [TopicPartition(topic, number) for number in partitions]
    return {at.partition: each for at, each in (await consumer.log_offsets(places)).items()}


def _last(record: SourceRecord, name: str) -> bytes | None:
    return next((value for key, value in reversed(record.headers) if key == name), None)
