"""The result of a fetch: records of one partition, in slices or batches, and the next offset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from upcasters.event import SourceRecord

NO_TIMESTAMP = -1
SMALL_BYTES = 1024 * 1024
"""Small batches are joined into a slice up to this many bytes of values."""


class UnpackError(Exception):
    """The batch at ``offset`` is larger, when decompressed, than its reader allows."""

    def __init__(self, offset: int, limit: int) -> None:
        super().__init__(
            f"the batch at offset {offset} takes more than {limit} bytes uncompressed: if it is meant to be so large, "
            "raise kafka.unpacked_batch_bytes and restart; if not, set the group's offset behind it"
        )
        self.offset = offset


class Slice(NamedTuple):
    """Some records in order. ``next_offset`` is the offset after them; it also skips transaction markers, aborted
    records and gaps of compaction. ``unreadable`` are offsets of records with a header whose name is not UTF-8.
    ``following`` is the timestamp (ms) of the next record, -1 where unknown. ``epochs`` are the leader epochs of the
    batches that were decompressed so far, in order, each with the offset after its last batch."""

    records: Sequence[SourceRecord]
    next_offset: int
    unreadable: frozenset[int] = frozenset()
    following: int = NO_TIMESTAMP
    epochs: Mapping[int, int] = MappingProxyType({})


class FetchedBatch(Protocol):
    """A readable record batch as it stands in the log. ``content`` are its records, uncompressed, in Kafka's record
    format 2, with timestamps relative to ``first_timestamp``; None where the format is another one, or only a part is
    wanted."""

    @property
    def content(self) -> bytes | None: ...

    @property
    def first_timestamp(self) -> int: ...

    @property
    def count(self) -> int: ...

    @property
    def next_offset(self) -> int:
        """The offset after the batch."""

    def records(self) -> Sequence[SourceRecord]:
        """The decoded records. Raises KafkaError for corrupt bytes."""


class Fetched(Protocol):
    """The fetched batches of one partition. ``offset`` is the requested one; ``oldest`` is the timestamp (ms) of the
    first record, -1 where only decoding tells. ``size`` is in bytes, ``count`` in offsets."""

    offset: int
    next_offset: int
    size: int
    count: int
    oldest: int

    def slices(self, size: int) -> Iterator[Slice]:
        """Yields all records, about ``size`` at a time, decoding as it goes; may be called once. Raises KafkaError for
        corrupt bytes, and ``UnpackError`` after the records before the batch."""

    def batches(self) -> Iterator[FetchedBatch]:
        """Yields the batches undecoded; may be called once. Raises KafkaError for corrupt bytes."""


class DecodedBatch:
    """Decoded records, without the bytes that they had in the log."""

    content: bytes | None = None

    def __init__(self, records: Sequence[SourceRecord], next_offset: int) -> None:
        self.first_timestamp = timestamp_of(records[0].timestamp) if records else NO_TIMESTAMP
        self.next_offset = next_offset
        self.count = len(records)
        self._records = records

    def records(self) -> Sequence[SourceRecord]:
        return self._records


def cut(batches: Iterable[Sequence[SourceRecord]], size: int, end: int) -> Iterator[Slice]:
    """Yields slices of about ``size`` records; the last one goes up to ``end``, past records that are not readable."""
    held: Sequence[SourceRecord] = ()
    try:
        for records in _regrouped(batches, size):
            if held:
                yield Slice(held, _after(held[-1]), following=timestamp_of(records[0].timestamp))
            held = records
    except UnpackError:
        if held:
            yield Slice(held, _after(held[-1]))
        raise
    yield Slice(held, end)


def _regrouped(batches: Iterable[Sequence[SourceRecord]], size: int) -> Iterator[Sequence[SourceRecord]]:
    """Joins small batches and splits large ones. A batch of few but large records is not joined, so that no more than
    one such batch is decompressed at a time."""
    small: list[SourceRecord] = []
    room = SMALL_BYTES
    try:
        for records in batches:
            weight = _weight(records) if len(records) <= size else SMALL_BYTES
            if len(small) + len(records) <= size and weight < room:
                small.extend(records)
                room -= weight
                continue
            if small:
                yield small
                small, room = [], SMALL_BYTES
            for start in range(0, len(records), size):
                yield records[start : start + size]
    except UnpackError:
        if small:
            yield small
        raise
    if small:
        yield small


def _weight(records: Sequence[SourceRecord]) -> int:
    return sum(len(record.value or b"") for record in records)


def _after(record: SourceRecord) -> int:
    assert record.offset is not None  # noqa: S101  (a fetched record has one)
    return record.offset + 1


def record_bytes(record: SourceRecord) -> int:
    """Bytes of key and value."""
    return len(record.key or b"") + len(record.value or b"")


def timestamp_of(timestamp: int | None) -> int:
    """The timestamp, or -1 for None, as in Kafka."""
    return NO_TIMESTAMP if timestamp is None else timestamp
