"""The blocks of files of Avro, packed and unpacked here: by what pyarrow and Python have, so that no codec needs a
package of its own, and never to more than a bounded size."""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa

MARKER = {"type": "fixed", "name": "sync", "size": 16}
HEADER = {
    "type": "record",
    "name": "org.apache.avro.file.Header",
    "fields": [
        {"name": "magic", "type": {"type": "fixed", "name": "magic", "size": 4}},
        {"name": "meta", "type": {"type": "map", "values": "bytes"}},
        {"name": "sync", "type": MARKER},
    ],
}
MAGIC = b"Obj\x01"
MOST_UNPACKED = 256 * 1024 * 1024
"""Of one block, as of one line of JSON lines: 16 MB of zeros may be packed into 16 KB."""
XZ_MEMORY = 256 * 1024 * 1024
"""Of its dictionary, about, which is 64 MB at most where `xz` has written it."""
LONGEST_NUMBER = 10
# No EOFError, which fastavro takes for the end of the file.
CUT = "it ends in the middle of a block"
ZSTD, SNAPPY, LZ4 = (pa.Codec(name) for name in ("zstd", "snappy", "lz4_raw"))


class CannotBeTakenError(pa.ArrowInvalid):  # type: ignore[misc]  # pyarrow ships no types
    """The file is whole, but is not taken; the message ends in what to do."""


class PlainFile:
    """A file of Avro as it would be with a header of our own and with nothing packed: what fastavro is given to read.

    ``header`` is the file's, whose ``stream`` stands behind it.
    """

    def __init__(self, encode: Any, header: Mapping[str, Any], schema: Any, codec: str, stream: Any) -> None:
        made = io.BytesIO()
        meta = {**header["meta"], "avro.schema": json.dumps(schema).encode(), "avro.codec": b"null"}
        encode(made, HEADER, {**header, "meta": meta})
        self._pieces = self._in_order(made.getvalue(), codec, header["sync"], stream)
        self._held = io.BytesIO()
        self.packed_bytes = 0
        """Read of the blocks up to now, as they stand in the file."""

    def read(self, size: int) -> bytes:
        found = self._held.read(size)
        while len(found) < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            # It is not copied where all of it is asked for, as with a block.
            self._held = io.BytesIO(piece)
            more = self._held.read(size - len(found))
            found = found + more if found else more
        return found

    def tell(self) -> int:
        """fastavro keeps it for each block; nothing here needs it."""
        return 0

    def _in_order(self, header: bytes, codec: str, marker: bytes, stream: Any) -> Iterator[bytes]:
        yield header
        while (count := _number(stream)) is not None:
            size = _number(stream)
            if size is None or size < 0:
                raise ValueError("a block is of no size")
            packed = _exactly(stream, size)
            if _exactly(stream, len(marker)) != marker:
                raise ValueError("a block does not end where it says")
            self.packed_bytes += size
            block = unpack(codec, packed)
            if count > len(block):
                raise ValueError(f"a block of {len(block)} bytes counts {count} records")
            yield number(count) + number(len(block))
            yield block
            yield marker


class BlockSink:
    """Writes a file of Avro. Its marker is made of schema and name, so that it is the same when it is written again."""

    def __init__(self, encode: Any, stream: Any, schema: Any, codec: str, name: str) -> None:
        self._marker = hashlib.sha256(json.dumps([schema, name], sort_keys=True).encode()).digest()[:16]
        self._stream = stream
        self._codec = codec
        meta = {"avro.codec": codec.encode(), "avro.schema": json.dumps(schema).encode()}
        made = io.BytesIO()
        encode(made, HEADER, {"magic": MAGIC, "meta": meta, "sync": self._marker})
        stream.write(made.getvalue())

    def write(self, records: int, content: bytes) -> None:
        """One block."""
        packed = pack(self._codec, content)
        self._stream.write(b"".join([number(records), number(len(packed)), packed, self._marker]))


def unpack(codec: str, packed: bytes) -> bytes:
    """The content of a block. Raises CannotBeTakenError for one that is too large, ValueError or OSError for none."""
    found = UNPACK[codec](packed, MOST_UNPACKED + 1)
    if len(found) > MOST_UNPACKED:
        raise _too_large()
    return found


def pack(codec: str, content: bytes) -> bytes:
    """A block of that content."""
    return PACK[codec](content)


def _unpack_deflate(packed: bytes, most: int) -> bytes:
    return zlib.decompressobj(-15).decompress(packed, most)


def _pack_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


def _unpack_zstandard(packed: bytes, most: int) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        return bytes(stream.read(most))


def _unpack_snappy(packed: bytes, _most: int) -> bytes:
    # It says at first how long it will be.
    found = _unpack_sized(SNAPPY, _base128(io.BytesIO(packed)) or 0, packed[:-4])
    if zlib.crc32(found) != int.from_bytes(packed[-4:], "big"):
        raise ValueError("a block has another checksum than it says")
    return found


def _pack_snappy(content: bytes) -> bytes:
    return bytes(SNAPPY.compress(content, asbytes=True)) + zlib.crc32(content).to_bytes(4, "big")


def _unpack_lz4(packed: bytes, _most: int) -> bytes:
    return _unpack_sized(LZ4, int.from_bytes(packed[:4], "little"), packed[4:])


def _pack_lz4(content: bytes) -> bytes:
    return len(content).to_bytes(4, "little") + bytes(LZ4.compress(content, asbytes=True))


def _unpack_sized(codec: Any, size: int, packed: bytes) -> bytes:
    if size > MOST_UNPACKED:
        raise _too_large()
    return bytes(codec.decompress(packed, size, asbytes=True))


UNPACK: Mapping[str, Callable[[bytes, int], bytes]] = {
    "null": lambda packed, _most: packed,
    "deflate": _unpack_deflate,
    "snappy": _unpack_snappy,
    "zstandard": _unpack_zstandard,
    "bzip2": lambda packed, most: bz2.BZ2Decompressor().decompress(packed, most),
    "xz": lambda packed, most: lzma.LZMADecompressor(memlimit=XZ_MEMORY).decompress(packed, max_length=most),
    "lz4": _unpack_lz4,
}
"""For each codec what gives so many bytes of a block at most."""
PACK: Mapping[str, Callable[[bytes], bytes]] = {
    "null": lambda content: content,
    "deflate": _pack_deflate,
    "snappy": _pack_snappy,
    "zstandard": lambda content: bytes(ZSTD.compress(content, asbytes=True)),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lz4": _pack_lz4,
}


def _too_large() -> CannotBeTakenError:
    return CannotBeTakenError(
        f"a block of it unpacks to over {MOST_UNPACKED:,} bytes: write the file with smaller blocks"
    )


def _number(stream: Any) -> int | None:
    """A number as Avro has it; None at the end of the file."""
    found = _base128(stream)
    return None if found is None else (found >> 1) ^ -(found & 1)


def _base128(stream: Any) -> int | None:
    found = 0
    for place in range(LONGEST_NUMBER):
        byte = stream.read(1)
        if not byte:
            if place == 0:
                return None
            raise ValueError(CUT)
        value: int = byte[0]
        found |= (value & 0x7F) << 7 * place
        if value < 0x80:
            return found
    raise ValueError("a number has no end")


def number(value: int) -> bytes:
    """As Avro has it."""
    left = (value << 1) ^ (value >> 63)
    found = bytearray()
    while left > 0x7F:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    found.append(left)
    return bytes(found)


def _exactly(stream: Any, size: int) -> bytes:
    if size > MOST_UNPACKED:
        raise _too_large()
    found: bytes = stream.read(size)
    if len(found) < size:
        raise ValueError(CUT)
    return found
