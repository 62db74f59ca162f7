"""A batch of large records, which are copied and summed up as seldom as can be.

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
    NONE,
    TRANSACTIONAL,
    encoded_headers,
    sized,
    varint,
)

LARGE_RECORD = 2048
"""Bytes of a value from where this builder is the cheaper one (measured)."""
_NO_HEADERS = varint(0)


class LargeBatch:
    """What ``send_batch`` of aiokafka's producer takes (its ``BatchBuilder``), and ``append`` of the C builder.

    The bytes are those of aiokafka's, in parts: whoever sends them joins them once.
    """

    def __init__(self, limit: int, *, transactional: bool) -> None:
        self._limit = limit
        self._attributes = TRANSACTIONAL if transactional else 0
        self._size = BATCH_HEADER.size
        self._parts: list[bytes] = [b""]
        self._first_timestamp = self._last_timestamp = 0
        self._producer = (-1, -1, 0)
        self._count = 0
        self._relative_offset = 0

    def append(
        self, place: int, timestamp: int, key: bytes | None, value: bytes | None, headers: list[Header]
    ) -> object | None:
        """Something, or None where the batch is full. The first record is always taken."""
        if not self._count:
            self._first_timestamp = self._last_timestamp = timestamp
        length = NONE if value is None else varint(len(value))
        body = b"".join((b"\0", varint(timestamp - self._first_timestamp), varint(place), sized(key), length))
        behind = varint(len(headers)) + encoded_headers(headers) if headers else _NO_HEADERS
        inside = len(body) + len(value or b"") + len(behind)
        before = varint(inside)
        size = self._size + len(before) + inside
        if size > self._limit and self._count:
            return None
        self._parts += (before + body, value or b"", behind)
        self._size = size
        self._count = place + 1
        if timestamp > self._last_timestamp:
            self._last_timestamp = timestamp
        return self

    def size(self) -> int:
        """Bytes, with the header."""
        return self._size

    def record_count(self) -> int:
        return self._count

    def close(self) -> None:
        """It takes as long to be closed as it is: nobody but its owner appends."""

    def closed(self) -> bool:
        return True

    def _set_producer_state(self, producer_id: int, epoch: int, sequence: int) -> None:
        self._producer = (producer_id, epoch, sequence)

    def _build(self) -> tuple[bytes, ...]:
        header = self._header(0)
        summed = google_crc32c.value(header[CHECKSUM + 4 :])
        self._parts[0] = self._header(functools.reduce(google_crc32c.extend, self._parts[1:], summed))
        return tuple(self._parts)

    def _header(self, checksum: int) -> bytes:
        return BATCH_HEADER.pack(
            0,
            self._size - BEHIND_LENGTH,
            -1,
            2,
            checksum,
            self._attributes,
            self._count - 1,
            self._first_timestamp,
            self._last_timestamp,
            *self._producer,
            self._count,
        )
