"""The batches of one transaction: filled in order, sent when full, and all of them awaited before any offset goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import RecordMetadata

from upcasters.event import Header
from worker.kafka.aiokafka_internals.open_batch import Append, OpenBatch, highest_timestamp, wire_size
from worker.kafka.aiokafka_internals.transactions import nobody_asks
from worker.lanes.committed_offset import LastWritten
from worker.lanes.faults import CONTENT_ERRORS, BlockedError, RefusedError
from worker.routes.route import OutputTopic

BATCH_BYTES = 900_000
LOG_APPEND_TIME = 1
"""What the answer to a batch calls a timestamp that is the broker's."""


class OutgoingRecord(NamedTuple):
    """In the order in which a batch takes its parts. The timestamp is -1 where it is unknown."""

    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]


class OutputBatch(Protocol):
    """What records are appended to: place in the batch, timestamp, key, value and headers; None where it is full.

    Whoever appends counts, and sets ``count`` before the outbox is asked for anything again.
    """

    append: Append
    count: int


def batch_bytes(topics: Iterable[OutputTopic]) -> int:
    """The size of batches that suits all of these topics."""
    return min(BATCH_BYTES, *(topic.max_message_bytes for topic in topics))


class Outbox:
    """One open batch a topic (and pinned partition). No batch that ``max.message.bytes`` forbids is ever sent."""

    def __init__(self, producer: AIOKafkaProducer, source_partition: int) -> None:
        self._producer = producer
        self._source_partition = source_partition
        self._open: dict[OutputTopic, OpenBatch] = {}
        self._full: list[tuple[OutputTopic, Any]] = []
        self._sent: list[tuple[str, asyncio.Future[Any], int]] = []
        """Topic, answer, and how many records it is about."""
        self._stamped: list[str] = []
        """Topics that have put their own time on records."""
        self.bytes = 0
        """Of all batches that are closed, before they are compressed."""

    def batch(self, topic: OutputTopic) -> OutputBatch:
        """The topic's open batch; one that takes nothing where there is none yet."""
        return self._open.get(topic) or _NONE_YET

    def begin_batch(self, topic: OutputTopic, record: OutgoingRecord) -> bool:
        """A new batch with this record first; False, and nothing done, where the topic takes no such record."""
        make = OpenBatch if record.timestamp >= 0 else _UndatedBatch
        batch = make(self._producer, len(record.value or b""))
        batch.put(*record)
        if batch.size > topic.max_message_bytes and not self._fits_packed(topic, record):
            return False
        self._close(topic)
        self._open[topic] = batch
        return True

    def put(self, topic: OutputTopic, record: OutgoingRecord) -> bool:
        """Add a record to the open batch or to a new one; False where the topic takes no such record."""
        batch = self._open.get(topic)
        return bool(batch and batch.put(*record)) or self.begin_batch(topic, record)

    def fits(self, topic: OutputTopic, record: OutgoingRecord) -> bool:
        """Whether the topic takes such a record; weighs exactly only what a quick estimate leaves open."""
        _, *parts = record
        estimate: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(*parts)
        return estimate <= topic.max_message_bytes or self._fits_packed(topic, record)

    @property
    def has_full_batches(self) -> bool:
        return bool(self._full)

    async def send_full(self) -> None:
        """Hand full batches to the producer; waits while it is busy with the ones before."""
        for topic, batch in self._full:
            partition = topic.partition_for(self._source_partition)
            future = await self._producer.send_batch(batch, topic.name, partition=partition)
            self._sent.append((topic.name, future, batch.record_count()))
            future.add_done_callback(partial(self._look_at_time, batch))
        self._full.clear()

    async def send_all(self) -> None:
        """Send what is left, and return when the brokers have taken everything. Raises the worst that happened."""
        for topic in list(self._open):
            self._close(topic)
        await self.send_full()
        if self._sent:
            # Unlike `gather` it leaves them alone where it is cancelled, and they still have an end to tell of.
            await asyncio.wait([future for _, future, _ in self._sent])
        _raise_first([(topic, error) for topic, future, _ in self._sent if (error := future.exception())])
        for stamped in self._stamped:
            raise BlockedError(
                f"{stamped} replaces the timestamps of records (message.timestamp.type is LogAppendTime), so the "
                "events' own would be lost: set it to CreateTime, then resume the route or restart the worker"
            )

    @property
    def last_written(self) -> dict[str, LastWritten]:
        """By topic, when ``send_all`` has returned. A batch that was sent twice is answered without an offset."""
        answers = [(future.result(), count) for _, future, count in self._sent if not future.exception()]
        return {
            answer.topic: LastWritten(answer.topic, answer.partition, answer.offset + count - 1)
            for answer, count in answers
            if answer.offset is not None and answer.offset >= 0
        }

    def forget(self) -> None:
        """Nobody waits for the batches any more, nor asks what became of them."""
        for _, future, _ in self._sent:
            future.add_done_callback(nobody_asks)

    def _look_at_time(self, batch: Any, answered: asyncio.Future[Any]) -> None:
        """Nothing of it is committed yet, so no reader sees the events with a time that is not theirs.

        A batch that the broker has already is answered with a time, too: its own highest one.
        """
        if answered.cancelled() or answered.exception():
            return
        answer: RecordMetadata = answered.result()
        if answer.timestamp_type == LOG_APPEND_TIME and answer.timestamp != highest_timestamp(batch):
            self._stamped.append(answer.topic)

    def _close(self, topic: OutputTopic) -> None:
        if topic in self._open:
            batch = self._open.pop(topic)
            self.bytes += batch.size
            self._full.append((topic, batch.closed()))

    def _fits_packed(self, topic: OutputTopic, record: OutgoingRecord) -> bool:
        return wire_size(self._producer, *record) <= topic.max_message_bytes


class _NoBatch:
    """The batch that is not there yet is full."""

    def __init__(self) -> None:
        self.append: Append = lambda *_: None
        self.count = 0


_NONE_YET = _NoBatch()


class _UndatedBatch(OpenBatch):
    """A batch whose first record has no timestamp (-1) takes only such: aiokafka's builder uses -1 for "none yet",
    and would give the first ones the timestamp of the first that has one."""

    def __init__(self, producer: AIOKafkaProducer, value_bytes: int) -> None:
        super().__init__(producer, value_bytes)
        append = self.append
        self.append = lambda place, timestamp, *rest: None if timestamp >= 0 else append(place, timestamp, *rest)


def _raise_first(failed: list[tuple[str, BaseException]]) -> None:
    """A refused batch makes those behind it fail as well, with less telling errors: raise the refusal."""
    for topic, error in failed:
        if isinstance(error, CONTENT_ERRORS) and isinstance(error, KafkaError):
            raise RefusedError(topic, error) from error
    for _, error in failed:
        raise error
