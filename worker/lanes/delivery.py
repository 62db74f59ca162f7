"""How output and offsets reach the brokers: together in a transaction (exactly once), or output first and the offset
after it (at least once)."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from worker.kafka.aiokafka_internals.producer import transaction_timeout
from worker.kafka.aiokafka_internals.quota_patches import throttling_of
from worker.kafka.aiokafka_internals.transactions import Requests, discard, end_with_offsets, ignore_end_of_transaction
from worker.kafka.login import Login
from worker.kafka.throttling import GROUP, TRANSACTION, Throttling
from worker.lanes.timeouts import Timeouts

PRODUCER_OPTIONS = {"linger_ms": 0, "retry_backoff_ms": 20}
"""The back-off is also the wait for the markers of the previous transaction, for which aiokafka's 100 ms are too
long."""

SHARE_OF_TIMEOUT = 0.75
"""The share of the transaction's timeout that is for output: the rest is for the commit."""

STOP_SUCCESSOR = 1.0
"""Seconds."""


class ClientFactory(Protocol):
    """Makes clients that are not started yet."""

    login: Login

    def group_consumer(self, **options: Any) -> AIOKafkaConsumer: ...

    def reader(self, **options: Any) -> AIOKafkaConsumer: ...

    def producer(self, **options: Any) -> AIOKafkaProducer: ...

    def admin(self) -> AIOKafkaAdminClient: ...


class Delivery(Protocol):
    """One producer and its transactions. Every method but ``discard`` may raise, and may take long."""

    producer: AIOKafkaProducer
    throttling: Throttling
    may_take: float
    """Seconds after its begin in which a transaction must have sent its output, before the brokers time it out."""

    @property
    def left_open(self) -> bool:
        """Whether the brokers may hold an open transaction of this producer; the start of the next producer ends it."""

    async def start(self) -> None: ...

    async def begin(self) -> None: ...

    async def commit(self, offset: int, note: str = "") -> None:
        """Commit ``offset`` with ``note`` as its metadata. Call it only after the brokers have acknowledged every
        batch."""

    async def abort(self) -> None:
        """Abort the transaction, where that is safe. Never raises."""

    async def clear_leftovers(self) -> None:
        """Clear pending offsets of earlier transactions from the group's coordinator. The committed offset does not
        change."""

    async def stop(self) -> None: ...

    async def discard(self) -> None:
        """Close the producer, whatever state it is in, without ending its transaction. Never raises."""


def transactional_id(group: str, partition: TopicPartition) -> str:
    """The transactional id of a partition: starting a producer with it fences the last one."""
    return f"{group}:{partition.topic}:{partition.partition}"


@asynccontextmanager
async def successor(clients: ClientFactory, group: str, partition: TopicPartition) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that has fenced the partition's last owner and ended its open transaction; discarded after the block.
    Raises KafkaError where the brokers refuse it; waits for brokers that do not answer."""
    producer = clients.producer(transactional_id=transactional_id(group, partition), **PRODUCER_OPTIONS)
    try:
        await producer.start()
        yield producer
    finally:
        with contextlib.suppress(KafkaError, OSError):
            await discard(producer, STOP_SUCCESSOR)


class ExactlyOnce:
    """One transactional producer for one partition: starting it fences the partition's last owner."""

    def __init__(
        self, clients: ClientFactory, group: str, partition: TopicPartition, batch_bytes: int, timeouts: Timeouts
    ) -> None:
        self._group = group
        self._partition = partition
        self._timeouts = timeouts
        self.producer = clients.producer(
            transactional_id=transactional_id(group, partition),
            max_batch_size=batch_bytes,
            **PRODUCER_OPTIONS,
        )
        self.throttling = throttling_of(self.producer)
        self.may_take = transaction_timeout(self.producer) * SHARE_OF_TIMEOUT
        self._requests = Requests(self.producer)
        self.left_open = False

    async def start(self) -> None:
        await self.producer.start()

    async def begin(self) -> None:
        self._requests.begin()
        async with asyncio.timeout(self._timeouts.operation):
            await self.producer.begin_transaction()
        self.left_open = True

    async def commit(self, offset: int, note: str = "") -> None:
        async with self.throttling.patience(TRANSACTION, self._timeouts.operation):
            await self.producer.send_offsets_to_transaction(
                {self._partition: OffsetAndMetadata(offset, note)}, self._group
            )
            await self.producer.commit_transaction()
        self.left_open = False

    async def abort(self) -> None:
        """Abort, unless a request was not answered. That request may arrive late, and a broker before Kafka 3.6 would
        take it for the beginning of the next transaction: then the start of the next producer ends this transaction, by
        a higher epoch.
        """
        ignore_end_of_transaction(self.producer)
        if not self._requests.all_answered:
            return
        with contextlib.suppress(KafkaError, TimeoutError, OSError, AssertionError):
            async with asyncio.timeout(self._timeouts.abort):
                await self.producer.abort_transaction()
            self.left_open = False

    async def clear_leftovers(self) -> None:
        async with asyncio.timeout(self._timeouts.operation):
            await end_with_offsets(self.producer, self._group)

    async def stop(self) -> None:
        async with asyncio.timeout(self._timeouts.stop):
            await self.producer.stop()

    async def discard(self) -> None:
        await discard(self.producer, self._timeouts.stop)


class AtLeastOnce:
    """An idempotent producer; the group's offset is committed when the brokers have taken the output."""

    left_open = False

    def __init__(
        self,
        clients: ClientFactory,
        consumer: AIOKafkaConsumer,
        partition: TopicPartition,
        batch_bytes: int,
        timeouts: Timeouts,
    ) -> None:
        self._consumer = consumer
        self._partition = partition
        self._timeouts = timeouts
        self.producer = clients.producer(enable_idempotence=True, max_batch_size=batch_bytes, **PRODUCER_OPTIONS)
        self.throttling = throttling_of(self.producer)
        self.may_take = math.inf

    async def start(self) -> None:
        await self.producer.start()

    async def begin(self) -> None:
        """Nothing to begin."""

    async def commit(self, offset: int, note: str = "") -> None:
        async with throttling_of(self._consumer).patience(GROUP, self._timeouts.operation):
            await self._consumer.commit({self._partition: OffsetAndMetadata(offset, note)})

    async def abort(self) -> None:
        """Nothing to take back: what was sent will be sent again."""

    async def clear_leftovers(self) -> None:
        """It has no transactions."""

    async def stop(self) -> None:
        async with asyncio.timeout(self._timeouts.stop):
            await self.producer.stop()

    async def discard(self) -> None:
        await discard(self.producer, self._timeouts.stop)
