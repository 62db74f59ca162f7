"""Kafka's record format 2 (KIP-98), as far as the worker writes it itself."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from upcasters.event import Header

BATCH_HEADER = struct.Struct(">qiibIhiqqqhii")
"""Base offset, length, leader epoch, magic, checksum, attributes, last offset, first and last timestamp, producer's id,
epoch and sequence, count of records."""
LAST_TIMESTAMP = 8
"""The index of the field in the header."""
LENGTH = 8
"""The offset of the length field."""
BEHIND_LENGTH = 12
"""The offset from which the length field counts."""
LEADER_EPOCH_BYTES = 4
"""The size of the leader epoch, which stands there."""
CHECKSUM, CHECKSUM_BYTES = 17, 4
"""Offset and size of the checksum, which covers everything after it."""
ATTRIBUTES = 22
"""The offset of the low byte of the attributes."""
CODEC_BITS = 0x07
FORMAT = 2
NO_LEADER_EPOCH = -1
TRANSACTIONAL = 0x10

SMALL = 1 << 14
"""Numbers below it take at most two bytes, seven bits in each; signed ones have half of the range on each side."""
SMALL_SIGNED = SMALL // 2
NONE = b"\x01"


def _unsigned(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(0x80 | number & 0x7F)
        number >>= 7
    found.append(number)
    return bytes(found)


_UNSIGNED = [_unsigned(number) for number in range(SMALL)]
_LOW_HALF = [bytes((0x80 | number & 0x7F, 0x80 | number >> 7)) for number in range(SMALL)]
ZIGZAG = _UNSIGNED[::2]
"""``varint`` of numbers from 0 to ``SMALL_SIGNED``."""


def varint(number: int) -> bytes:
    """A signed number of up to 64 bits."""
    folded = number << 1 if number >= 0 else (-number << 1) - 1
    if folded < SMALL:
        return _UNSIGNED[folded]
    if folded < SMALL * SMALL:
        return _LOW_HALF[folded & SMALL - 1] + _UNSIGNED[folded >> 14]
    return _unsigned(folded)


def leader_epoch(data: bytes, start: int) -> int:
    """The leader epoch of the batch that begins at ``start``."""
    at = start + BEHIND_LENGTH
    return int.from_bytes(data[at : at + LEADER_EPOCH_BYTES], signed=True)


def sized(content: bytes | None) -> bytes:
    return NONE if content is None else varint(len(content)) + content


def encoded_headers(headers: Iterable[Header]) -> bytes:
    return b"".join([sized(name.encode()) + sized(value) for name, value in headers])
