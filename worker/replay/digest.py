"""Digests over the records of one partition, in order.

A stretch of records is one stream of bytes for SHA-256, so that the bounds of transactions and slices make no
difference. The state of a hash cannot be saved; so after an interruption a new stretch begins with the digest of
everything before it. To compute the same digest again one needs the same records and the offsets where stretches began.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from upcasters.event import Header, SourceRecord
from worker.kafka.raw_headers import writable

Content = tuple[int, int, bytes | None, bytes | None, Sequence[Header]]
"""The parts of a record that count: the offset in the source, timestamp (ms, -1 unknown), key, value and headers. The
headers of a record that was written are those without the lineage, and its offset is that of its source."""

NOTHING = hashlib.sha256(b"upcast").digest()
_encode = msgspec.msgpack.Encoder().encode


def contents(records: Iterable[SourceRecord]) -> list[Content]:
    """Of source records."""
    return [
        (each.offset, each.timestamp, each.key, each.value, each.headers)  # type: ignore[misc]  # a record has an offset
        for each in records
    ]


class RunningDigest:
    """``count`` records, and the digest of them all: ``text``, 64 hex digits."""

    def __init__(self, count: int = 0, text: str = "") -> None:
        """With arguments: a new stretch, where another digest has ended. Raises ValueError."""
        self.count = count
        self._before = bytes.fromhex(text) or NOTHING
        self._stretch: Any = None

    @property
    def text(self) -> str:
        if self._stretch is None:
            return self._before.hex()
        return hashlib.sha256(self._before + self._stretch.digest()).hexdigest()

    def copy(self) -> RunningDigest:
        made = RunningDigest(self.count)
        made._before, made._stretch = self._before, self._stretch and self._stretch.copy()
        return made

    def begin_stretch(self) -> None:
        """Begin a new stretch here, as after an interruption."""
        self._before, self._stretch = bytes.fromhex(self.text), None

    def add(self, records: Sequence[Content]) -> None:
        if not records:
            return
        if self._stretch is None:
            self._stretch = hashlib.sha256()
        self._stretch.update(_bytes(records))
        self.count += len(records)


def _bytes(records: Sequence[Content]) -> memoryview:
    """MessagePack of one record after the other: that of the list without what tells its length."""
    try:
        encoded = _encode(records)
    except UnicodeEncodeError:
        encoded = _encode(list(map(_encodable, records)))
    length = len(records)
    return memoryview(encoded)[1 if length < 16 else 3 if length < 65_536 else 5 :]


def _encodable(content: Content) -> Content | tuple[Any, ...]:
    """Names that are not UTF-8, as the bytes that they are; other records are the same beside such a one or not."""
    headers = content[4]
    if all(map(writable, headers)):
        return content
    return (*content[:4], [(name.encode("utf-8", "surrogateescape"), value) for name, value in headers])
