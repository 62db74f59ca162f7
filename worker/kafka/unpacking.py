"""Decompresses record batches within a limit.

A batch of 1 MiB may decompress to many GiB, and any producer of the topic can send one. aiokafka decompresses without a
limit; here a batch that would exceed its reader's limit is refused before it takes the memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import cramjam

from worker.kafka.fetched import UnpackError
from worker.kafka.record_format import ATTRIBUTES, BATCH_HEADER, CODEC_BITS

HEADER = BATCH_HEADER.size
SNAPPY = 2
CODECS: dict[int, Any] = {1: cramjam.gzip, 3: cramjam.lz4, 4: cramjam.zstd}

FIRST_ROOM, MORE_ROOM = 8, 8
"""The buffer is first eight times as large as the batch, then eight times larger again; so few batches are decompressed
twice."""

XERIAL = b"\x82SNAPPY\x00"
XERIAL_HEADER = 16
"""The frame of snappy-java: this header, then blocks with their lengths."""


def unpacked(batch: bytes | memoryview, offset: int, limit: int) -> memoryview:
    """The same batch without compression; ``batch`` is one whole batch of message format 2, in compressed form.

    Raises ``UnpackError`` with ``offset`` where its records need more than ``limit`` bytes.
    """
    packed = memoryview(batch)[HEADER:]
    codec = batch[ATTRIBUTES] & CODEC_BITS
    room = max(FIRST_ROOM * len(packed), 64 * 1024)
    while True:
        room = min(room, limit)
        plain = bytearray(HEADER + room)
        try:
            size = _unpack(codec, packed, memoryview(plain)[HEADER:])
        except (cramjam.DecompressionError, struct.error) as error:
            if room == limit:
                raise UnpackError(offset, limit) from error
            room *= MORE_ROOM
            continue
        plain[:HEADER] = batch[:HEADER]
        plain[ATTRIBUTES] &= ~CODEC_BITS
        return memoryview(plain)[: HEADER + size]


def _unpack(codec: int, packed: memoryview, room: memoryview) -> int:
    """Decompress into ``room``; returns the number of bytes written."""
    if codec != SNAPPY:
        return int(CODECS[codec].decompress_into(packed, room))
    written = 0
    for block in _snappy_blocks(packed):
        written += int(cramjam.snappy.decompress_raw_into(block, room[written:]))
    return written


def _snappy_blocks(packed: memoryview) -> Iterator[memoryview]:
    if bytes(packed[: len(XERIAL)]) != XERIAL:
        yield packed
        return
    at = XERIAL_HEADER
    while at < len(packed):
        (size,) = struct.unpack_from("!i", packed, at)
        yield packed[at + 4 : at + 4 + size]
        at += 4 + size
