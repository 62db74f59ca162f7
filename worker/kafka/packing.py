"""Compresses record batches with cramjam.

aiokafka packs lz4 at level 9 and gzip at 9, and has no setting for either. lz4 frames have independent blocks: brokers
refuse linked ones.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import cramjam
import google_crc32c

from worker.kafka.record_format import ATTRIBUTES, BEHIND_LENGTH, CHECKSUM, CHECKSUM_BYTES, LENGTH
from worker.kafka.unpacking import HEADER, XERIAL
from worker.settings.compression import Codec, Compression

CODEC_IDS: dict[Codec, int] = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
"""The low bits of a batch's attributes."""
XERIAL_HEADER = XERIAL + struct.pack(">ii", 1, 1)
"""The frame of snappy-java, which Kafka's clients read: this header, then blocks with their lengths."""
XERIAL_BLOCK = 32 * 1024


def packed(parts: tuple[bytes, ...], compression: Compression) -> tuple[bytes, ...]:
    """The batch with its records compressed, in parts that are joined when they are sent; the same batch where that is
    not smaller. ``parts`` are a whole batch of message format 2: its header, at least, and its records, plain.
    """
    whole = parts[0] if len(parts) == 1 else b"".join(parts)
    plain = bytes(memoryview(whole)[HEADER:])
    content = _PACK[compression.codec](plain, compression.level)
    if len(content) >= len(plain):
        return parts
    header = bytearray(whole[:HEADER])
    struct.pack_into(">i", header, LENGTH, HEADER + len(content) - BEHIND_LENGTH)
    header[ATTRIBUTES] |= CODEC_IDS[compression.codec]
    summed = google_crc32c.value(bytes(header[CHECKSUM + CHECKSUM_BYTES :]))
    struct.pack_into(">I", header, CHECKSUM, google_crc32c.extend(summed, content))
    return bytes(header), content


def _gzip(plain: bytes, level: int) -> bytes:
    return bytes(cramjam.gzip.compress(plain, level=level))


def _lz4(plain: bytes, level: int) -> bytes:
    compressor = cramjam.lz4.Compressor(level=level, content_checksum=False, block_linked=False)
    compressor.compress(plain)
    return bytes(compressor.finish())


def _zstd(plain: bytes, level: int) -> bytes:
    return bytes(cramjam.zstd.compress(plain, level=level))


def _snappy(plain: bytes, _: int) -> bytes:
    blocks = [
        bytes(cramjam.snappy.compress_raw(plain[at : at + XERIAL_BLOCK])) for at in range(0, len(plain), XERIAL_BLOCK)
    ]
    return XERIAL_HEADER + b"".join([struct.pack(">i", len(block)) + block for block in blocks])


_PACK: dict[Codec, Callable[[bytes, int], bytes]] = {"gzip": _gzip, "snappy": _snappy, "lz4": _lz4, "zstd": _zstd}
