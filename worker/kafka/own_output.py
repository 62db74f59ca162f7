"""What a producer has committed to a partition behind an offset, and whether the record there was: the partition's own
log tells.

Each batch names its producer, and a control batch says how a transaction ended, so that no record is unpacked. Reading
takes the right to read the topic, which a worker does not need otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka import errors as kafka_errors
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.control_record import COMMIT_MARKER, ControlRecord
from aiokafka.record.memory_records import MemoryRecords

from worker.kafka.log_ends import READ_UNCOMMITTED, ask_leader, end_of_log, raise_error, start_of_log
from worker.kafka.transaction_requests import DescribeProducersRequest

MOST_BYTES = 16 * 2**20
"""Bytes of a log that are looked through: where many write to a partition, the next output of one of them is near."""
AT_ONCE = 2**20
LONGEST_WAIT_MS = 100


class Behind(NamedTuple):
    """What a log says of a producer behind an offset: the first record there that it has ``committed``, and whether the
    transaction before that ended in an abort (``taken_back``)."""

    committed: int | None = None
    taken_back: bool = False


async def look_behind(client: AIOKafkaClient, partition: TopicPartition, offset: int, producer_id: int) -> Behind:
    """Look through the ``MOST_BYTES`` behind ``offset``. Where the producer has written the record there, that is the
    last one of its transaction. Raises KafkaError."""
    end = await end_of_log(client, partition)
    if end <= offset + 1:
        return Behind()
    first: int | None = None
    taken_back, is_next = False, True
    async for batch in _batches(client, partition, offset + 1, end):
        if batch.producer_id != producer_id:
            continue
        if not batch.is_control_batch:
            first = batch.base_offset if first is None else first
        elif first is None:
            taken_back = taken_back or (is_next and not _commits(batch))
        elif _commits(batch):
            return Behind(first, taken_back)
        else:
            first = None
        is_next = False
    return Behind(None, taken_back)


async def is_written_by(client: AIOKafkaClient, partition: TopicPartition, offset: int, producer_id: int) -> bool:
    """Whether the record at ``offset`` is there, and is the producer's. Compaction leaves empty batches behind, and the
    markers of transactions go with their last record. Raises KafkaError."""
    batches = _parsed(await _fetch(client, partition, offset))
    found = next((batch for batch in batches if batch.next_offset > offset), None)
    if found is None or found.producer_id != producer_id:
        return False
    return any(record.offset == offset for record in found)


async def has_written(client: AIOKafkaClient, partition: TopicPartition, producer_id: int) -> bool:
    """Whether the leader remembers the producer: it does for a day (`producer.id.expiration.ms`), also where all was
    aborted. Raises KafkaError."""
    request = DescribeProducersRequest([(partition.topic, [partition.partition])])
    answer = await ask_leader(client, partition, request)
    _, code, _, producers, _ = answer.topics[0][1][0]
    raise_error(client, code)
    return any(found == producer_id for found, *_ in producers)


async def _batches(client: AIOKafkaClient, partition: TopicPartition, place: int, end: int) -> Any:
    """The batches from ``place`` to ``end``, of ``MOST_BYTES`` at most."""
    place, left = max(place, await start_of_log(client, partition)), MOST_BYTES
    while place < end and left > 0:
        data = await _fetch(client, partition, place)
        before, left = place, left - len(data)
        for batch in _parsed(data):
            if batch.next_offset > place:
                place = batch.next_offset
                yield batch
        if place == before:
            return


async def _fetch(client: AIOKafkaClient, partition: TopicPartition, place: int) -> bytes:
    topics = [(partition.topic, [(partition.partition, place, AT_ONCE)])]
    request = FetchRequest(LONGEST_WAIT_MS, 1, AT_ONCE, READ_UNCOMMITTED, topics)
    answer = await ask_leader(client, partition, request)
    if not answer.topics:
        raise kafka_errors.UnknownError(f"{partition.topic}:{partition.partition}")
    _, code, *_, data = answer.topics[0][1][0]
    raise_error(client, code)
    return data or b""


def _parsed(data: bytes) -> Iterator[Any]:
    records = MemoryRecords(data)
    while records.has_next():
        yield records.next_batch()


def _commits(batch: Any) -> bool:
    return bool(ControlRecord.parse(next(batch).key) == COMMIT_MARKER)
