"""How output and offsets get to the brokers: together in a transaction, or output first and offsets after it."""

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
from worker.kafka.aiokafka_internals.transactions import Requests, discard, end_with_offsets, nobody_waits
from worker.kafka.login import Login
from worker.kafka.throttling import GROUP, TRANSACTION, Throttling
from worker.lanes.timeouts import Timeouts

PRODUCER_OPTIONS = {"linger_ms": 0, "retry_backoff_ms": 20}
"""The back-off is also the wait for the markers of the transaction before, where 100 ms would be an age."""

SHARE_OF_TIMEOUT = 0.75
"""Of the transaction's timeout at the brokers: the rest is for the commit."""

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
    """One producer's life. Everything but ``discard`` may raise, and may take as long as it likes."""

    producer: AIOKafkaProducer
    throttling: Throttling
    may_take: float
    """Seconds from its beginning until a transaction should be handed over: then the brokers take it back soon."""

    @property
    def left_open(self) -> bool:
        """Whether the brokers may hold a transaction of it that has not ended: the next producer's start ends it."""

    async def start(self) -> None: ...

    async def begin(self) -> None: ...

    async def commit(self, offset: int, note: str = "") -> None:
        """Only after every batch was taken by the brokers. The brokers keep the note beside the offset."""

    async def abort(self) -> None:
        """Take back what was sent, where that is safe. Never raises."""

    async def clear_leftovers(self) -> None:
        """Of earlier transactions, in the group's coordinator. The group's offset stays what it is."""

    async def stop(self) -> None: ...

    async def discard(self) -> None:
        """Throw the producer away, whatever state it is in."""


def transactional_id(group: str, partition: TopicPartition) -> str:
    """Who starts a producer of this id fences whoever works on the partition."""
    return f"{group}:{partition.topic}:{partition.partition}"


@asynccontextmanager
async def successor(clients: ClientFactory, group: str, partition: TopicPartition) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that has fenced the partition's last owner and ended the transaction that he left open. It is thrown
    away afterwards. Raises KafkaError where the brokers refuse it; brokers that are away are waited for."""
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
        """Not where something was not answered. It may arrive late, and a broker before Kafka 3.6 would take it for the
        beginning of the next transaction: whoever starts the next producer of this id ends this one, by a higher epoch.
        """
        nobody_waits(self.producer)
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
