"""Running digests: each record is hashed together with the digest before it.

So a digest stands for all records so far and their order, is the same wherever a transaction was cut, and goes on
after a kill from its last value alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from upcasters.event import Header, SourceRecord
from worker.fetched import known

NOTHING = hashlib.sha256(b"upcast").digest()
_encode = msgspec.msgpack.Encoder().encode


@dataclass(slots=True)
class RunningDigest:
    """``count`` records, and the digest of them all."""

    count: int = 0
    value: bytes = NOTHING

    @classmethod
    def taken_up(cls, count: int, text: str) -> RunningDigest:
        """Where another one has ended."""
        return cls(count, bytes.fromhex(text))

    @property
    def text(self) -> str:
        return self.value.hex()

    def copy(self) -> RunningDigest:
        return RunningDigest(self.count, self.value)

    def add_read(self, records: Sequence[SourceRecord]) -> None:
        """Source records, with their offsets."""
        value, encode, sha256 = self.value, _encode, hashlib.sha256
        for record in records:
            content = (record.offset, known(record.timestamp), record.key, record.value)
            try:
                encoded = encode((*content, record.headers))
            except UnicodeEncodeError:
                encoded = encode((*content, _raw(record.headers)))
            value = sha256(value + encoded).digest()
        self.value = value
        self.count += len(records)

    def add_written(
        self, offset: int, timestamp: int, key: bytes | None, value: bytes | None, headers: Sequence[Header]
    ) -> None:
        """A record of the destination, with the offset of its source: its own is not known before it is written."""
        self.value = hashlib.sha256(self.value + _encode((offset, timestamp, key, value, headers))).digest()
        self.count += 1


def _raw(headers: Iterable[Header]) -> list[tuple[bytes, bytes | None]]:
    """Names that are not UTF-8, as the bytes that they are."""
    return [(name.encode("utf-8", "surrogateescape"), value) for name, value in headers]
