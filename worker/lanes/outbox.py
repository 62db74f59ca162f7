"""The batches of one transaction: filled in order, sent when full, and all of them awaited before any offset goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from upcasters.event import Header
from worker.kafka_internals import wire_size
from worker.lanes.faults import CONTENT_ERRORS, RefusedError
from worker.route import OutputTopic

BATCH_BYTES = 900_000


class Append(Protocol):
    """Adds a record to a batch; None where the batch is full."""

    def __call__(
        self, *, timestamp: int, key: bytes | None, value: bytes | None, headers: list[Header]
    ) -> object | None: ...


def batch_bytes(topics: Iterable[OutputTopic]) -> int:
    """The size of batches that suits all of these topics."""
    return min(BATCH_BYTES, *(topic.max_message_bytes for topic in topics))


class Outbox:
    """One open batch a topic (and pinned partition). No batch that ``max.message.bytes`` forbids is ever sent."""

    def __init__(self, producer: AIOKafkaProducer, source_partition: int) -> None:
        self._producer = producer
        self._source_partition = source_partition
        self._open: dict[OutputTopic, Any] = {}
        self._full: list[tuple[OutputTopic, Any]] = []
        self._sent: list[tuple[str, asyncio.Future[Any]]] = []

    def append_to(self, topic: OutputTopic) -> Append:
        """How to add a record to the topic's open batch."""
        batch = self._open.get(topic)
        if batch is None:
            return _full
        append: Append = batch.append
        return append

    def begin_batch(
        self,
        topic: OutputTopic,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: list[Header],
    ) -> bool:
        """A new batch with this record first; False, and nothing done, where the topic takes no such record."""
        batch = self._producer.create_batch()
        batch.append(timestamp=timestamp, key=key, value=value, headers=headers)
        if batch.size() > topic.max_message_bytes and not self._fits_packed(topic, timestamp, key, value, headers):
            return False
        self._close(topic)
        self._open[topic] = batch if timestamp >= 0 else _UndatedBatch(batch)
        return True

    def put(
        self,
        topic: OutputTopic,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: list[Header],
    ) -> bool:
        """Add a record to the open batch or to a new one; False where the topic takes no such record."""
        append = self.append_to(topic)
        if append(timestamp=timestamp, key=key, value=value, headers=headers) is not None:
            return True
        return self.begin_batch(topic, timestamp, key, value, headers)

    def fits(
        self,
        topic: OutputTopic,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: list[Header],
    ) -> bool:
        """Whether the topic takes such a record; weighs exactly only what a quick estimate leaves open."""
        estimate: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(key, value, headers)
        return estimate <= topic.max_message_bytes or self._fits_packed(topic, timestamp, key, value, headers)

    @property
    def has_full_batches(self) -> bool:
        return bool(self._full)

    async def send_full(self) -> None:
        """Hand full batches to the producer; waits while it is busy with the ones before."""
        for topic, batch in self._full:
            partition = topic.partition_for(self._source_partition)
            future = await self._producer.send_batch(batch, topic.name, partition=partition)
            self._sent.append((topic.name, future))
        self._full.clear()

    async def send_all(self) -> None:
        """Send what is left, and return when the brokers have taken everything. Raises the worst that happened."""
        for topic in list(self._open):
            self._close(topic)
        await self.send_full()
        answers = await asyncio.gather(*(future for _, future in self._sent), return_exceptions=True)
        failed = [
            (topic, answer)
            for (topic, _), answer in zip(self._sent, answers, strict=True)
            if isinstance(answer, BaseException)
        ]
        _raise_first(failed)

    def forget(self) -> None:
        """Nobody waits for the batches any more."""
        for _, future in self._sent:
            future.cancel()

    def _close(self, topic: OutputTopic) -> None:
        if topic in self._open:
            batch = self._open.pop(topic)
            self._full.append((topic, getattr(batch, "batch", batch)))

    def _fits_packed(
        self,
        topic: OutputTopic,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: list[Header],
    ) -> bool:
        return wire_size(self._producer, timestamp, key, value, headers) <= topic.max_message_bytes


def _full(*, timestamp: int, key: bytes | None, value: bytes | None, headers: list[Header]) -> None:
    """The batch that is not there yet takes nothing."""


class _UndatedBatch:
    """A batch whose first record has no timestamp (-1) takes only such: aiokafka's builder uses -1 for "none yet",
    and would give the first ones the timestamp of the first that has one."""

    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def append(self, *, timestamp: int, key: bytes | None, value: bytes | None, headers: list[Header]) -> object | None:
        if timestamp >= 0:
            return None
        added: object | None = self.batch.append(timestamp=timestamp, key=key, value=value, headers=headers)
        return added


def _raise_first(failed: list[tuple[str, BaseException]]) -> None:
    """A refused batch makes those behind it fail as well, with less telling errors: raise the refusal."""
    for topic, error in failed:
        if isinstance(error, CONTENT_ERRORS) and isinstance(error, KafkaError):
            raise RefusedError(topic, error) from error
    for _, error in failed:
        raise error
