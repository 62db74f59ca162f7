"""The output batches of one transaction: filled in order, sent when full, and all acknowledged before the offset is
committed."""

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
from worker.kafka.aiokafka_internals.open_batch import Append, OpenBatch, highest_timestamp
from worker.kafka.aiokafka_internals.transactions import mark_retrieved
from worker.lanes.committed_offset import LastWritten
from worker.lanes.faults import CONTENT_ERRORS, BlockedError, RefusedError
from worker.routes.route import OutputTopic
from worker.settings.compression import Compression

BATCH_BYTES = 900_000
LOG_APPEND_TIME = 1
"""The timestamp type in a produce response of a topic whose broker sets timestamps."""


class OutgoingRecord(NamedTuple):
    """A record to be written, its parts in the order of the batch builder. The timestamp is -1 where it is unknown."""

    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]


class OutputBatch(Protocol):
    """A batch to append to. ``append`` takes place in the batch, timestamp, key, value and headers, and returns None
    where the batch is full.

    The caller counts the records that it appends, and sets ``count`` before it calls the outbox again.
    """

    append: Append
    count: int


def batch_bytes(topics: Iterable[OutputTopic]) -> int:
    """The largest batch size that all of these topics accept, in bytes."""
    return min(BATCH_BYTES, *(topic.max_message_bytes for topic in topics))


class Outbox:
    """Holds one open batch for each topic (and pinned partition). It never sends a batch that exceeds
    ``max.message.bytes``."""

    def __init__(self, producer: AIOKafkaProducer, source_partition: int) -> None:
        self._producer = producer
        self._source_partition = source_partition
        self._open: dict[OutputTopic, OpenBatch] = {}
        self._full: list[tuple[OutputTopic, Any]] = []
        self._sent: list[tuple[str, asyncio.Future[Any], int]] = []
        """Topic, produce response, and number of records of each batch that was sent."""
        self._stamped: list[str] = []
        """Topics that replaced the timestamps of records."""
        self.bytes = 0
        """Bytes of all closed batches, before compression."""

    def batch(self, topic: OutputTopic) -> OutputBatch:
        """The topic's open batch; a full one where there is none yet."""
        return self._open.get(topic) or _NONE_YET

    def begin_batch(self, topic: OutputTopic, record: OutgoingRecord) -> bool:
        """Begin a batch with this record. Returns False, and does nothing, where the record is too large for the
        topic."""
        batch = self._begun(topic, record)
        if batch.size > topic.max_message_bytes and not self._fits_packed(topic, record):
            return False
        self._close(topic)
        self._open[topic] = batch
        return True

    def put(self, topic: OutputTopic, record: OutgoingRecord) -> bool:
        """Add a record to the open batch or to a new one. Returns False where the record is too large for the topic."""
        batch = self._open.get(topic)
        return bool(batch and batch.put(*record)) or self.begin_batch(topic, record)

    def fits(self, topic: OutputTopic, record: OutgoingRecord) -> bool:
        """Whether the record is small enough for the topic. It is measured exactly only where an estimate does not
        decide."""
        _, *parts = record
        estimate: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(*parts)
        return estimate <= topic.max_message_bytes or self._fits_packed(topic, record)

    @property
    def has_full_batches(self) -> bool:
        return bool(self._full)

    async def send_full(self) -> None:
        """Send full batches; waits while the producer is busy with earlier ones."""
        for topic, batch in self._full:
            partition = topic.partition_for(self._source_partition)
            future = await self._producer.send_batch(batch, topic.name, partition=partition)
            self._sent.append((topic.name, future, batch.record_count()))
            future.add_done_callback(partial(self._look_at_time, batch))
        self._full.clear()

    async def send_all(self) -> None:
        """Send all batches, and return when the brokers have acknowledged them. Raises the worst error of any batch."""
        for topic in list(self._open):
            self._close(topic)
        await self.send_full()
        if self._sent:
            # Unlike `gather` it does not cancel the futures when it is cancelled.
            await asyncio.wait([future for _, future, _ in self._sent])
        _raise_first([(topic, error) for topic, future, _ in self._sent if (error := future.exception())])
        for stamped in self._stamped:
            raise BlockedError(
                f"{stamped} replaces the timestamps of records (message.timestamp.type is LogAppendTime), so the "
                "events' own would be lost: set it to CreateTime, then resume the route or restart the worker"
            )

    @property
    def last_written(self) -> dict[str, LastWritten | None]:
        """The last record written, by topic, after ``send_all``; None where the last batch was sent twice, since that
        is acknowledged without an offset."""
        written: dict[str, LastWritten | None] = {}
        for _, future, count in self._sent:
            if not future.exception():
                answer: RecordMetadata = future.result()
                known = answer.offset is not None and answer.offset >= 0
                last = LastWritten(answer.topic, answer.partition, answer.offset + count - 1) if known else None
                written[answer.topic] = last
        return written

    def forget(self) -> None:
        """Ignore the results of the batches."""
        for _, future, _ in self._sent:
            future.add_done_callback(mark_retrieved)

    def _look_at_time(self, batch: Any, answered: asyncio.Future[Any]) -> None:
        """Note a topic that replaced the timestamps of a batch. Nothing of it is committed yet, so no reader sees them.

        The response to a batch that was sent twice also has a timestamp: the highest one of the batch.
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
        return self._begun(topic, record).wire_size <= topic.max_message_bytes

    def _begun(self, topic: OutputTopic, record: OutgoingRecord) -> OpenBatch:
        make = OpenBatch if record.timestamp >= 0 else _UndatedBatch
        batch = make(self._producer, len(record.value or b""), topic.compression)
        batch.put(*record)
        return batch


class _NoBatch:
    """In place of a batch that does not exist yet: always full."""

    def __init__(self) -> None:
        self.append: Append = lambda *_: None
        self.count = 0


_NONE_YET = _NoBatch()


class _UndatedBatch(OpenBatch):
    """A batch for records without a timestamp (-1): aiokafka's builder uses -1 for "none yet", and would give them the
    first timestamp that comes."""

    def __init__(self, producer: AIOKafkaProducer, value_bytes: int, compression: Compression) -> None:
        super().__init__(producer, value_bytes, compression)
        append = self.append
        self.append = lambda place, timestamp, *rest: None if timestamp >= 0 else append(place, timestamp, *rest)


def _raise_first(failed: list[tuple[str, BaseException]]) -> None:
    """Raise a refusal, if there is one: the batches after a refused one fail as well, with less precise errors."""
    for topic, error in failed:
        if isinstance(error, CONTENT_ERRORS) and isinstance(error, KafkaError):
            raise RefusedError(topic, error) from error
    for _, error in failed:
        raise error
