"""A producer's open batch, without aiokafka's wrapper around each record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from upcasters.event import Header
from worker.kafka.large_batch import LARGE_VALUE, LargeBatchBuilder
from worker.kafka.packing import packed
from worker.kafka.record_format import BATCH_HEADER, LAST_TIMESTAMP
from worker.settings.compression import NO_COMPRESSION, Compression

Append = Callable[[int, int, bytes | None, bytes | None, list[Header]], object | None]


class OpenBatch:
    """A producer's batch while it is being filled.

    ``append`` takes place in the batch, timestamp, key, value and headers, by position, and returns None where the
    batch is full. It is the builder's own method: aiokafka's wrapper around it would double the cost. The caller counts
    the records that it appends, and sets ``count`` before it uses the batch otherwise.

    ``value_bytes`` is the expected size of the values; that of the first one will do. The producer itself is to
    compress nothing.
    """

    def __init__(
        self, producer: AIOKafkaProducer, value_bytes: int = 0, compression: Compression = NO_COMPRESSION
    ) -> None:
        self._batch: Any = _our_batch(producer, value_bytes, compression) or producer.create_batch()
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

    @property
    def wire_size(self) -> int:
        """The size in bytes as the broker measures it, compressed. Nothing can be appended afterwards."""
        return sum(map(len, built)) if isinstance(built := self.closed()._build(), tuple) else len(built)

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


class _OurBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's wrapper around any builder, whose batch is then compressed."""

    def __init__(self, builder: Any, compression: Compression) -> None:
        super().__init__(0, 0)
        self._builder = builder
        self._buffer: tuple[bytes, ...] | None = None
        self.compression = compression

    def _set_producer_state(self, producer_id: int, epoch: int, sequence: int) -> None:
        self._builder.set_producer_state(producer_id, epoch, sequence)

    def _build(self) -> tuple[bytes, ...]:
        if self._buffer is None:
            self.close()
            built = self._builder.build()
            parts = built if isinstance(built, tuple) else (built,)
            self._buffer = packed(parts, self.compression) if self.compression.codec != "none" else parts
            del self._builder
        return self._buffer

    def size(self) -> int:
        return self._builder.size() if self._buffer is None else sum(map(len, self._buffer))


def _our_batch(producer: AIOKafkaProducer, value_bytes: int, compression: Compression) -> _OurBatch | None:
    """A batch for large values, or to be compressed; None where aiokafka's own will do."""
    if value_bytes >= LARGE_VALUE:
        manager = producer._txn_manager
        transactional = manager is not None and manager.transactional_id is not None
        builder = LargeBatchBuilder(producer._message_accumulator._batch_size, transactional=transactional)
        return _OurBatch(builder, compression)
    if compression.codec != "none":
        return _OurBatch(producer.create_batch()._builder, compression)
    return None
