"""Reads record batches as they came, and decompresses each when a lane reaches it.

aiokafka's consumer makes a Python object of each record and decodes whole fetches at once, whatever they unpack to. Of
a header whose name is not UTF-8 its ``getmany`` raises for ever, for every partition. Here a lane unpacks and decodes
one batch after the other, in C and within a bound; a batch with such a name is read by a lenient parser, which says
which of the records are unreadable.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Protocol

import google_crc32c
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka import errors as kafka_errors
from aiokafka.consumer import fetcher as aiokafka_fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.record import default_records, memory_records

from upcasters.event import Event, SourceRecord
from worker.kafka.fetched import (
    NO_TIMESTAMP,
    SMALL_BYTES,
    DecodedBatch,
    Fetched,
    FetchedBatch,
    Slice,
    cut,
    timestamp_of,
)
from worker.kafka.raw_headers import writable
from worker.kafka.record_format import BEHIND_LENGTH, CHECKSUM, CHECKSUM_BYTES, leader_epoch
from worker.kafka.unpacking import HEADER, unpacked
from worker.settings.kafka import UNPACKED_BATCH_BYTES

NOT_AS_MADE = 0x08 | 0x20 | 0x40
"""Attributes of a batch whose first timestamp is not its first record's: stamped by the broker, a marker, compacted."""


class Reader(Protocol):
    async def read(self, partitions: Iterable[TopicPartition], wait: float) -> Mapping[TopicPartition, Fetched]:
        """Fetched batches of these partitions, or those that arrive within ``wait`` seconds. Must not be cancelled."""


def open_reader(consumer: AIOKafkaConsumer, gather: float = 0.0) -> Reader:
    """The reader of a started consumer, whose ``getmany`` must not be called otherwise from then on.

    With ``gather`` (s), while records come, brokers hold a fetch until it has ``GATHER_BYTES`` or that time is over. A
    lane then has fewer transactions, and a fetch brings all partitions.
    """
    return BatchReader(consumer, round(gather * 1000))


class BatchReader:
    """Takes undecoded record batches from the consumer's fetcher."""

    def __init__(self, consumer: AIOKafkaConsumer, gather_ms: int = 0) -> None:
        consumer._fetcher._records = _Undecoded(consumer, gather_ms)
        self._consumer = consumer

    async def read(self, partitions: Iterable[TopicPartition], wait: float) -> Mapping[TopicPartition, Fetched]:
        taken = await self._consumer.getmany(*partitions, timeout_ms=round(wait * 1000))
        return {partition: fetched for partition, (fetched,) in taken.items()}


class FetchedBatches:
    """Record batches as they came from the broker.

    The fetcher believes that this is its parser of one partition (``PartitionRecords``): it asks once for all
    records, gets this object as the only one, and takes ``next_fetch_offset`` as its new position.
    """

    def __init__(self, parser: Any, unpacked_bytes: int = UNPACKED_BATCH_BYTES) -> None:
        self._parser = parser
        # A generator that never starts, and that holds the parser which holds it: the fetched bytes would stay until
        # the garbage collector comes, which is seldom.
        parser._records_iterator = None
        self._unpacked_bytes = unpacked_bytes
        self._data: bytes = parser._records.data
        self._batches = deque(_batches(parser._records))
        self._start = 0
        """The position in the data at which the first of these batches begins."""
        self.offset: int = parser.next_fetch_offset
        self.next_fetch_offset: int = parser.next_fetch_offset
        self.next_offset: int = self._batches[-1].next_offset
        self.size = len(self._data)
        self.count = max(0, self.next_offset - parser.next_fetch_offset)
        self.oldest = self._oldest(self._batches[0])
        self._epochs: dict[int, int] = {}

    def _oldest(self, batch: Any) -> int:
        """The timestamp of the first record to be read, as far as it is known without decoding."""
        attributes: int = getattr(batch, "attributes", NOT_AS_MADE)
        begins_inside = batch.base_offset != self.offset if hasattr(batch, "base_offset") else True
        if begins_inside or attributes & NOT_AS_MADE or self._parser._aborted_transactions:
            return NO_TIMESTAMP
        return timestamp_of(batch.first_timestamp)

    def __iter__(self) -> Iterator[FetchedBatches]:
        self.next_fetch_offset = self.next_offset
        yield self

    def slices(self, size: int) -> Iterator[Slice]:
        unreadable: set[int] = set()
        for piece in cut(self._visible_records(unreadable), size, self.next_offset):
            yield piece._replace(unreadable=frozenset(unreadable), epochs=self._epochs)

    def batches(self) -> Iterator[FetchedBatch]:
        for batch in self._visible_batches():
            if batch.base_offset >= self.offset and isinstance(batch, default_records.DefaultRecordBatch):
                data = self._first
                if batch.compression_type:
                    data = unpacked(data, batch.base_offset, self._unpacked_bytes)
                yield _RawBatch(batch, data, lambda batch=batch: self._all_of(batch))  # type: ignore[misc]  # aiokafka has no types
            else:
                yield DecodedBatch(self._all_of(batch), batch.next_offset)

    def _all_of(self, batch: Any) -> Sequence[SourceRecord]:
        return [record for part in self._decoded(batch, set()) for record in self._wanted(part)]

    def _visible_records(self, unreadable: set[int]) -> Iterator[Sequence[SourceRecord]]:
        """Batch by batch, so that at most one is decompressed at a time. One that cannot be decompressed stays the
        first, and raises again."""
        for batch in self._visible_batches():
            for part in self._decoded(batch, unreadable):
                if records := self._wanted(part):
                    yield records

    def _visible_batches(self) -> Iterator[Any]:
        while self._batches:
            batch = self._batches[0]
            if isinstance(batch, default_records.DefaultRecordBatch):
                self._epochs[leader_epoch(self._data, self._start)] = batch.next_offset
            if not self._hidden(batch):
                yield batch
            self._batches.popleft()
            self._start += _length_of_batch(self._data, self._start)

    def _wanted(self, records: Sequence[SourceRecord]) -> Sequence[SourceRecord]:
        """The records at or after the requested offset."""
        wanted = self.offset
        if (records[0].offset or 0) < wanted:
            return [record for record in records if (record.offset or 0) >= wanted]
        return records

    def _hidden(self, batch: Any) -> bool:
        """Whether a batch is not to be read: markers never are, aborted records not at read_committed. Follows
        ``_unpack_records``."""
        parser = self._parser
        if parser._check_crcs and not self._is_intact(batch):
            raise kafka_errors.CorruptRecordException(
                f"the checksum of the batch at offset {getattr(batch, 'base_offset', self.offset)} is wrong: if that "
                "stays, it is so on the brokers' disks: repair it there, or set the group's offset behind it"
            )
        if parser._isolation_level != READ_COMMITTED or batch.producer_id is None:
            return bool(batch.is_control_batch)
        parser._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch:
            if parser._contains_abort_marker(batch):
                parser._aborted_producers.discard(batch.producer_id)
            return True
        return batch.is_transactional and batch.producer_id in parser._aborted_producers

    @property
    def _first(self) -> memoryview:
        """The bytes of the first batch, with its header."""
        return memoryview(self._data)[self._start : self._start + _length_of_batch(self._data, self._start)]

    def _is_intact(self, batch: Any) -> bool:
        """Check the checksum. aiokafka does so without the processor's instruction for it, ten times as slowly."""
        if not isinstance(batch, default_records.DefaultRecordBatch):
            return bool(batch.validate_crc())
        told, summed = self._first[CHECKSUM:][:CHECKSUM_BYTES], self._first[CHECKSUM + CHECKSUM_BYTES :]
        return bool(google_crc32c.value(bytes(summed)) == int.from_bytes(told))

    def _decoded(self, batch: Any, unreadable: set[int]) -> Iterator[Sequence[Any]]:
        """The records in parts, so that not all of a large batch are in memory as objects."""
        if not isinstance(batch, default_records.DefaultRecordBatch):
            yield [_event(record) for record in batch]
            return
        data = self._first
        if batch.compression_type:
            data = unpacked(data, batch.base_offset, self._unpacked_bytes)
            batch = default_records.DefaultRecordBatch(data)
        most = _records_at_once(data)
        done = 0
        try:
            for records in _in_parts(batch, most):
                done += len(records)
                yield records
        except (UnicodeDecodeError, kafka_errors.CorruptRecordException):
            rest = _leniently(bytes(data))[done:]
            unreadable.update(record.offset for record in rest if not all(map(writable, record.headers)))
            yield from _in_parts(rest, most)


class _RawBatch:
    """A batch with the log's own bytes, decompressed; it is decoded only where its records are asked for."""

    def __init__(self, batch: Any, data: memoryview, decode: Callable[[], Sequence[SourceRecord]]) -> None:
        self.first_timestamp: int = batch.first_timestamp
        self.next_offset: int = batch.next_offset
        self.count = int.from_bytes(data[HEADER - 4 : HEADER])
        self.content = bytes(data[HEADER:])
        self.records = decode


class KeptRecords(memory_records.MemoryRecords):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's class, which also keeps the bytes for the lenient parser."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


def keeping_the_bytes(_: type) -> type[KeptRecords]:
    """The class that replaces aiokafka's for the bytes of each answer."""
    return KeptRecords


class _Undecoded(OrderedDict[TopicPartition, Any]):
    """The mapping into which the fetcher puts its results: replaces each partition's parser by ``FetchedBatches``."""

    def __init__(self, consumer: AIOKafkaConsumer, gather_ms: int = 0) -> None:
        self.gather_ms = gather_ms
        self.has_come = False
        """Whether records have come since the last fetch was sent."""
        self._unpacked_bytes: int = getattr(consumer, "unpacked_bytes", UNPACKED_BATCH_BYTES)
        super().__init__(consumer._fetcher._records)

    def __setitem__(self, partition: TopicPartition, result: Any) -> None:
        self.has_come = True
        if isinstance(result, aiokafka_fetcher.FetchResult):
            parser = result._partition_records
            if isinstance(parser, aiokafka_fetcher.PartitionRecords):
                result._partition_records = FetchedBatches(parser, self._unpacked_bytes)
        super().__setitem__(partition, result)


class _LenientBuffer(bytearray):
    """Decodes names that are not UTF-8 to lone surrogates, for aiokafka's pure-Python parser."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _LenientBuffer(found) if isinstance(index, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "surrogateescape")


def _leniently(data: bytes) -> Sequence[Any]:
    batch = default_records._DefaultRecordBatchPy(data)
    batch._maybe_uncompress()
    batch._buffer = _LenientBuffer(batch._buffer)
    return list(batch)


def _length_of_batch(data: bytes, start: int) -> int:
    """Each begins with its base offset (8 bytes) and the length of the rest (4 bytes)."""
    return BEHIND_LENGTH + int.from_bytes(data[start + 8 : start + BEHIND_LENGTH])


def _records_at_once(batch: memoryview) -> int:
    """The number of records that take about ``SMALL_BYTES``, at most 1,024. The batch's count stands before its first
    record."""
    count = int.from_bytes(batch[HEADER - 4 : HEADER])
    return max(1, min(1024, SMALL_BYTES * count // len(batch)))


def _in_parts(records: Iterable[Any], most: int) -> Iterator[Sequence[Any]]:
    iterator = chain(records)  # aiokafka's own iterator may be asked for only once
    while part := list(islice(iterator, most)):
        yield part


def _batches(records: Any) -> Iterator[Any]:
    while records.has_next():
        yield records.next_batch()


def _event(record: Any) -> Event:
    """An event from aiokafka's record, whose headers may be a tuple, or whose timestamp may be missing (message format
    0)."""
    return Event(record.value, record.key, list(record.headers), timestamp_of(record.timestamp), record.offset)
