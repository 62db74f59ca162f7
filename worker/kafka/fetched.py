"""What a fetch brings: records of one partition, in slices, and where to go on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from upcasters.event import SourceRecord

NO_TIMESTAMP = -1
SMALL_BYTES = 1024 * 1024
"""Batches are worked on together only as long as their values are less than this."""


class UnpackError(Exception):
    """The batch at ``offset`` does not unpack into the bytes that its reader allows."""

    def __init__(self, offset: int, limit: int) -> None:
        super().__init__(
            f"the batch at offset {offset} takes more than {limit} bytes uncompressed: if it is meant to be so large, "
            "raise kafka.unpacked_batch_bytes and restart; if not, set the group's offset behind it"
        )
        self.offset = offset


class Slice(NamedTuple):
    """Some records in order. ``next_offset`` is where to go on; it also steps over what nobody may read
    (transaction markers, aborted records, gaps of compaction). ``unreadable`` are offsets of records with a header
    that has no UTF-8 name. ``following`` is the timestamp (ms) of the next record, -1 where it is not known here.
    ``epochs`` are the leader epochs of what was unpacked for it, in their order, each with the offset behind its last
    batch so far."""

    records: Sequence[SourceRecord]
    next_offset: int
    unreadable: frozenset[int] = frozenset()
    following: int = NO_TIMESTAMP
    epochs: Mapping[int, int] = MappingProxyType({})


class FetchedBatch(Protocol):
    """A record batch that can be read, as it lies in the log. ``content`` is all of its records, uncompressed, in
    Kafka's record format 2, counted from ``first_timestamp``; None where it is in another one, or not all wanted."""

    @property
    def content(self) -> bytes | None: ...

    @property
    def first_timestamp(self) -> int: ...

    @property
    def count(self) -> int: ...

    @property
    def next_offset(self) -> int:
        """Where the next one may begin."""

    def records(self) -> Sequence[SourceRecord]:
        """Decoded. Raises KafkaError on broken bytes."""


class Fetched(Protocol):
    """What one fetch brought for one partition. ``offset`` is where it was asked for; ``oldest`` is the timestamp (ms)
    of the first record to be read, -1 where only decoding tells."""

    offset: int
    next_offset: int
    size: int
    count: int
    oldest: int

    def slices(self, size: int) -> Iterator[Slice]:
        """All records, once, some ``size`` at a time; decodes as it goes. Raises KafkaError on broken bytes and,
        behind all that comes before it, ``UnpackError``."""

    def batches(self) -> Iterator[FetchedBatch]:
        """The same, once, undecoded. Raises KafkaError on broken bytes."""


class DecodedBatch:
    """Records of which nobody knows how they lay in the log."""

    content: bytes | None = None

    def __init__(self, records: Sequence[SourceRecord], next_offset: int) -> None:
        self.first_timestamp = timestamp_of(records[0].timestamp) if records else NO_TIMESTAMP
        self.next_offset = next_offset
        self.count = len(records)
        self._records = records

    def records(self) -> Sequence[SourceRecord]:
        return self._records


def cut(batches: Iterable[Sequence[SourceRecord]], size: int, end: int) -> Iterator[Slice]:
    """Slices of about ``size`` records; the last one goes up to ``end``, also over what was not to be read."""
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
    """Small batches together, large ones in parts. What is small in number may be large in bytes: that is never put
    together, so that no more than one such batch is unpacked at a time."""
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
    """Kafka's own way of saying that there is no timestamp is -1."""
    return NO_TIMESTAMP if timestamp is None else timestamp
