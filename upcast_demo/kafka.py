"""The demo's own Kafka code, apart from the worker's: creates topics, writes the history, reads topics back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from upcast_demo.history import MadeEvent
from worker.errors import MAY_PASS, WorkerError

READ_SECONDS = 30.0


@dataclass(frozen=True)
class RecordReadBack:
    """One record as it was read back."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp: int


async def create_topics(bootstrap_servers: str, partitions: Mapping[str, int]) -> list[str]:
    """Topics that keep what is old: the history's timestamps are years back. Returns the names of those that were not
    there yet. Raises WorkerError."""
    configs = {"retention.ms": "-1"}
    topics = [NewTopic(name, count, 1, topic_configs=configs) for name, count in partitions.items()]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        answer = await admin.create_topics(topics)
    finally:
        await admin.close()
    for name, code, *_ in answer.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            raise WorkerError(f"topic {name} cannot be created: {for_code(code).description}", MAY_PASS, code="UPC1208")
    return [name for name, code, *_ in answer.topic_errors if code == 0]


async def delete_topics(bootstrap_servers: str, names: Iterable[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics(list(names))
    finally:
        await admin.close()


async def write(
    bootstrap_servers: str, topic: str, events: Iterable[MadeEvent], written: Callable[[int], None]
) -> dict[int, list[MadeEvent]]:
    """Write a history, and return it by partition; ``written`` is told of each batch's size."""
    by_partition: dict[int, list[MadeEvent]] = {}
    for event in events:
        by_partition.setdefault(event.partition, []).append(event)
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers, enable_idempotence=True, max_batch_size=200_000
    ) as producer:
        for partition, its_events in sorted(by_partition.items()):
            await _write_partition(producer, topic, partition, its_events, written)
    return by_partition


async def _write_partition(
    producer: AIOKafkaProducer, topic: str, partition: int, events: list[MadeEvent], written: Callable[[int], None]
) -> None:
    batch, size = producer.create_batch(), 0
    for event in events:
        if _append(batch, event) is None:
            await (await producer.send_batch(batch, topic, partition=partition))
            written(size)
            batch, size = producer.create_batch(), 0
            _append(batch, event)
        size += 1
    await (await producer.send_batch(batch, topic, partition=partition))
    written(size)


def _append(batch: Any, event: MadeEvent) -> object | None:
    appended: object | None = batch.append(
        timestamp=event.timestamp, key=event.key, value=event.value, headers=list(event.headers)
    )
    return appended


async def read(bootstrap_servers: str, topic: str, partitions: int) -> dict[int, list[RecordReadBack]]:
    """What read_committed consumers see in a topic now, by partition, in order."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        group_id=None,
        auto_offset_reset="none",
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    async with consumer:
        assigned = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(assigned)
        ends = await consumer.end_offsets(assigned)
        for partition, start in (await consumer.beginning_offsets(assigned)).items():
            consumer.seek(partition, start)
        async with asyncio.timeout(READ_SECONDS):
            return await _read_to(consumer, ends)


async def _read_to(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> dict[int, list[RecordReadBack]]:
    # The end is judged by position: transaction markers take offsets that are never read.
    found: dict[int, list[RecordReadBack]] = {}
    for partition, end in ends.items():
        here = found.setdefault(partition.partition, [])
        while await consumer.position(partition) < end:
            batches = await consumer.getmany(partition, timeout_ms=200)
            here += [_found(record) for record in batches.get(partition, ()) if record.offset < end]
    return found


def _found(record: Any) -> RecordReadBack:
    return RecordReadBack(
        record.partition, record.offset, record.key, record.value, tuple(record.headers), record.timestamp
    )
