"""A producer's open batch, without aiokafka's wrapper around each record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from upcasters.event import Header
from worker.kafka.large_batch import LARGE_VALUE, LargeBatchBuilder
from worker.kafka.record_format import BATCH_HEADER, LAST_TIMESTAMP

Append = Callable[[int, int, bytes | None, bytes | None, list[Header]], object | None]


class OpenBatch:
    """A producer's batch while it is being filled.

    ``append`` takes place in the batch, timestamp, key, value and headers, by position, and returns None where the
    batch is full. It is the builder's own method: aiokafka's wrapper around it would double the cost. The caller counts
    the records that it appends, and sets ``count`` before it uses the batch otherwise.

    ``value_bytes`` is the expected size of the values; that of the first one will do.
    """

    def __init__(self, producer: AIOKafkaProducer, value_bytes: int = 0) -> None:
        self._batch: Any = _large_batch(producer, value_bytes) or producer.create_batch()
        self.append: Append = self._batch._builder.append
        self.count = 0

    def put(self, timestamp: int, key: bytes | None, value: bytes | None, headers: list[Header]) -> bool:
        """Append a record. Returns False, and does nothing, where the batch is full."""
        if self.append(self.count, timestamp, key, value, headers) is None:
            return False
        self.count += 1
        return True

    @property
    def size(self) -> int:
        """The size in bytes, before compression."""
        return int(self._batch.size())

    def closed(self) -> Any:
        """The closed batch for the producer's ``send_batch``."""
        self._batch._relative_offset = self.count
        self._batch.close()
        return self._batch


def highest_timestamp(batch: Any) -> int:
    """The highest timestamp (ms) in a batch that was sent; -1 where no record has one."""
    built = batch._build()
    found: int = BATCH_HEADER.unpack_from(built[0] if isinstance(built, tuple) else built)[LAST_TIMESTAMP]
    return found


def wire_size(
    producer: AIOKafkaProducer, timestamp: int, key: bytes | None, value: bytes | None, headers: list[Header]
) -> int:
    """The size of a batch of this one record as the broker measures it: compressed, as the producer does it."""
    batch = producer.create_batch()
    batch.append(timestamp=timestamp, key=key, value=value, headers=headers)
    return len(batch._build())


class _LargeBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's wrapper around a builder that is not its own."""

    def __init__(self, builder: LargeBatchBuilder) -> None:
        super().__init__(0, 0)
        self._builder = builder

    def _set_producer_state(self, producer_id: int, epoch: int, sequence: int) -> None:
        self._builder.set_producer_state(producer_id, epoch, sequence)

    def size(self) -> int:
        return self._builder.size() if self._buffer is None else sum(map(len, self._buffer))


def _large_batch(producer: AIOKafkaProducer, value_bytes: int) -> _LargeBatch | None:
    """A batch for large values; None where aiokafka's own is cheaper, or has to compress them."""
    accumulator, manager = producer._message_accumulator, producer._txn_manager
    if value_bytes < LARGE_VALUE or accumulator._compression_type:
        return None
    transactional = manager is not None and manager.transactional_id is not None
    return _LargeBatch(LargeBatchBuilder(accumulator._batch_size, transactional=transactional))
