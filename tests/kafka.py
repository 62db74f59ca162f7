"""What tests do with Kafka themselves, apart from the worker's own code, so that they can judge it.

name = await topics.create("legacy", partitions=2)
await produce(kafka_bootstrap, name, [Record(b"key", b"value"), Record(b"key", None, partition=1)])
records = await read_all(kafka_bootstrap, name)
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)

from tests.limits import HANG


@dataclass(frozen=True, slots=True)
class Record:
    """One record, before it has an offset (-1) or after it was read."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int | None = None  # milliseconds
    partition: int = 0
    offset: int = field(default=-1, compare=False)


class NotUtf8(str):
    """The name of a header that goes out as bytes that are no UTF-8; only a builder in pure Python writes it."""

    __slots__ = ()

    def encode(self, *_: str, **__: str) -> bytes:
        return b"\xff\xfe" + super().encode()


class Topics:
    """Creates topics whose names no other test has, and deletes them in the end."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._suffix = uuid.uuid4().hex[:12]
        self._created: list[str] = []

    async def create(
        self, name: str = "events", *, partitions: int = 1, configs: Mapping[str, str] | None = None
    ) -> str:
        """Create `<name>-<unique>` and return that; within one test the suffix is always the same."""
        unique = self.name(name)
        self._created.append(unique)
        await make_topic(self._bootstrap_servers, unique, partitions, configs or {})
        return unique

    def name(self, name: str) -> str:
        """The name that `create` would give; also good for consumer groups."""
        return f"{name}-{self._suffix}"

    async def delete_all(self) -> None:
        if self._created:
            async with admin_of(self._bootstrap_servers) as admin:
                await admin.delete_topics(self._created)


async def make_topic(
    bootstrap_servers: str,
    name: str,
    partitions: int | Mapping[int, list[int]],
    configs: Mapping[str, str],
    replicas: int = 1,
) -> None:
    """A topic of exactly this name; returns when each of the named brokers tells its clients of it.

    `partitions` may say which brokers each of them is on, the leader first.
    """
    if isinstance(partitions, int):
        topic, count = NewTopic(name, partitions, replicas, topic_configs=dict(configs)), partitions
    else:
        given = dict(partitions)
        topic, count = NewTopic(name, -1, -1, replica_assignments=given, topic_configs=dict(configs)), len(given)
    async with admin_of(bootstrap_servers) as admin:
        _check(await admin.create_topics([topic]))
    for broker in bootstrap_servers.split(","):
        await _told_of(broker, name, count)


async def _told_of(broker: str, name: str, partitions: int) -> None:
    """The answer to the creation is the controller's: a broker that learns of it later denies the topic till then."""
    async with admin_of(broker) as admin, asyncio.timeout(HANG):
        while not _is_led((await admin.describe_topics([name]))[0], partitions):
            pass


async def delete_topics(bootstrap_servers: str, names: Iterable[str]) -> None:
    """Those that are there; returns when they are gone."""
    wanted = set(names)
    async with admin_of(bootstrap_servers) as admin, asyncio.timeout(HANG):
        while there := wanted & set(await admin.list_topics()):
            await admin.delete_topics(sorted(there))


async def delete_before(bootstrap_servers: str, topic: str, offset: int, partition: int = 0) -> None:
    """What retention does, at once."""
    async with admin_of(bootstrap_servers) as admin:
        await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=offset)})


async def produce(bootstrap_servers: str, topic: str, records: Iterable[Record]) -> None:
    """Write the records, each to its own partition, in order, and return when all are acknowledged."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, enable_idempotence=True) as producer:
        by_partition: dict[int, list[Record]] = {}
        for record in records:
            by_partition.setdefault(record.partition, []).append(record)
        for partition, its_records in by_partition.items():
            await _produce_in_batches(producer, topic, partition, its_records)


async def read_all(bootstrap_servers: str, topic: str, *, committed_only: bool = True) -> list[Record]:
    """Every record of the topic as it is now, partition by partition.

    The end is judged by position: transaction markers and aborted records take offsets that are never read.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed" if committed_only else "read_uncommitted",
    )
    async with consumer:
        partitions = await _partitions(consumer, topic)
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition, start in (await consumer.beginning_offsets(partitions)).items():
            consumer.seek(partition, start)
        return await _read_until(consumer, ends)


async def committed_offsets(bootstrap_servers: str, group: str) -> dict[tuple[str, int], int]:
    """What the consumer group has committed, by topic and partition."""
    async with admin_of(bootstrap_servers) as admin, asyncio.timeout(HANG):
        offsets = None
        while offsets is None:
            # A new broker has no coordinator before its offsets topic is there, and then it may be moving.
            with contextlib.suppress(
                GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError
            ):
                offsets = await admin.list_consumer_group_offsets(group)
    return {(each.topic, each.partition): metadata.offset for each, metadata in offsets.items()}


@asynccontextmanager
async def open_transaction(bootstrap_servers: str, *topics: str, name: str = "") -> AsyncIterator[AIOKafkaProducer]:
    """Of somebody else, with one record in partition 0 of each topic; taken back where nobody has ended it."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        transactional_id=name or f"somebody-{uuid.uuid4().hex[:12]}",
        transaction_timeout_ms=600_000,
    )
    async with producer:
        await producer.begin_transaction()
        for topic in topics:
            await producer.send_and_wait(topic, b"{}", partition=0)
        yield producer
        await producer.abort_transaction()


@asynccontextmanager
async def admin_of(bootstrap_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def _produce_in_batches(
    producer: AIOKafkaProducer, topic: str, partition: int, records: Iterable[Record]
) -> None:
    """Unlike `send`, a batch takes a record that has neither key nor value."""
    acknowledged = []
    batch = producer.create_batch()
    for record in records:
        if not _append(batch, record):
            acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            _append(batch, record)
    acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*acknowledged)


def _append(batch: Any, record: Record) -> bool:
    timestamp = int(time.time() * 1000) if record.timestamp is None else record.timestamp
    appended = batch.append(timestamp=timestamp, key=record.key, value=record.value, headers=list(record.headers))
    return appended is not None


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    # A consumer without a subscription does not know the topic until it is asked for.
    await consumer._client._wait_on_metadata(topic)
    return [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]


async def _read_until(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> list[Record]:
    found: list[Record] = []
    async with asyncio.timeout(HANG):
        for partition, end in sorted(ends.items()):
            while await consumer.position(partition) < end:
                batches = await consumer.getmany(partition, timeout_ms=200)
                found += [_record(each) for each in batches.get(partition, ()) if each.offset < end]
    return found


def _record(record: Any) -> Record:
    return Record(record.key, record.value, tuple(record.headers), record.timestamp, record.partition, record.offset)


def _is_led(topic: Mapping[str, Any], partitions: int) -> bool:
    leaders = [each["leader"] for each in topic["partitions"] if not each["error_code"]]
    return len(leaders) == partitions and -1 not in leaders


def _check(response: Any) -> None:
    failed = [error for error in response.topic_errors if error[1] != 0]
    if failed:
        raise RuntimeError(f"The topic could not be created: {failed}")
