"""A batch builder for large records, which copies and checksums them as seldom as possible.

aiokafka's own builder copies each record, and computes the checksum without the processor's own instruction for it:
at 7 KB a record these are a seventh of what a drain costs. For small records it is the faster one.
"""

from __future__ import annotations

import functools

import google_crc32c

from upcasters.event import Header
from worker.kafka.record_format import (
    BATCH_HEADER,
    BEHIND_LENGTH,
    CHECKSUM,
    CHECKSUM_BYTES,
    FORMAT,
    NO_LEADER_EPOCH,
    NONE,
    TRANSACTIONAL,
    encoded_headers,
    sized,
    varint,
)

LARGE_VALUE = 2048
"""Bytes of a value from which this builder is the faster one (docs/performance.md)."""
_NO_HEADERS = varint(0)


class LargeBatchBuilder:
    """Builds the same bytes as aiokafka's builder, in parts that are joined once, when they are sent."""

    def __init__(self, limit: int, *, transactional: bool) -> None:
        self._limit = limit
        self._attributes = TRANSACTIONAL if transactional else 0
        self._producer = (-1, -1, 0)
        self._parts: list[bytes] = []
        self._size = BATCH_HEADER.size
        self._last_place = 0
        self._count = 0
        self._first_timestamp = self._last_timestamp = 0

    def append(
        self, place: int, timestamp: int, key: bytes | None, value: bytes | None, headers: list[Header]
    ) -> object | None:
        """Append a record; returns None where the batch is full. The first record is always accepted."""
        if not self._parts:
            self._first_timestamp = self._last_timestamp = timestamp
        length = NONE if value is None else varint(len(value))
        before = b"".join((b"\0", varint(timestamp - self._first_timestamp), varint(place), sized(key), length))
        behind = varint(len(headers)) + encoded_headers(headers) if headers else _NO_HEADERS
        inside = len(before) + len(value or b"") + len(behind)
        before = varint(inside) + before
        size = self._size + len(before) + len(value or b"") + len(behind)
        if size > self._limit and self._parts:
            return None
        self._parts += (before, value or b"", behind)
        self._size = size
        self._last_place = place
        self._count += 1
        self._last_timestamp = max(self._last_timestamp, timestamp)
        return self

    def size(self) -> int:
        """The size in bytes, with the header."""
        return self._size

    def set_producer_state(self, producer_id: int, epoch: int, sequence: int) -> None:
        self._producer = (producer_id, epoch, sequence)

    def build(self) -> tuple[bytes, ...]:
        summed = google_crc32c.value(self._header(0)[CHECKSUM + CHECKSUM_BYTES :])
        return (self._header(functools.reduce(google_crc32c.extend, self._parts, summed)), *self._parts)

    def _header(self, checksum: int) -> bytes:
        return BATCH_HEADER.pack(
            0,
            self._size - BEHIND_LENGTH,
            NO_LEADER_EPOCH,
            FORMAT,
            checksum,
            self._attributes,
            self._last_place,
            self._first_timestamp,
            self._last_timestamp,
            *self._producer,
            self._count,
        )
