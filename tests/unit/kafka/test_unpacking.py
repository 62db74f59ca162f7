"""Compressed batches: all codecs give what aiokafka's own parser gives, and none takes more room than it may."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from worker.kafka.fetched import UnpackError
from worker.kafka.unpacking import unpacked

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
MEGABYTE = 2**20


def packed(codec: int, values: list[bytes]) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, 0, 10**9)
    for offset, value in enumerate(values):
        builder.append(offset, 1_700_000_000_000 + offset, b"k", value, [("name", b"x"), ("null", None)])
    return bytes(builder.build())


def records(batch: Any) -> list[tuple[Any, ...]]:
    return [(each.offset, each.timestamp, each.key, each.value, each.headers) for each in DefaultRecordBatch(batch)]


@pytest.mark.parametrize("codec", [GZIP, SNAPPY, LZ4, ZSTD])
@pytest.mark.parametrize("value", [b"", b"small", b"x" * MEGABYTE])
def test_gives_the_records_that_are_in_it(codec: int, value: bytes) -> None:
    batch = packed(codec, [value, b"y", value])
    assert records(unpacked(batch, 0, 8 * MEGABYTE)) == records(batch)


@pytest.mark.parametrize("codec", [GZIP, SNAPPY, LZ4, ZSTD])
def test_takes_no_more_room_than_it_may(codec: int) -> None:
    batch = packed(codec, [b"x" * 16 * MEGABYTE])
    tracemalloc.start()
    try:
        with pytest.raises(UnpackError, match="the batch at offset 7 takes more than 1048576 bytes uncompressed"):
            unpacked(batch, 7, MEGABYTE)
        assert tracemalloc.get_traced_memory()[1] < 4 * MEGABYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("codec", [GZIP, SNAPPY, LZ4, ZSTD])
def test_what_is_no_such_format_is_the_same_error(codec: int) -> None:
    batch = bytearray(packed(codec, [b"x" * 1000]))
    del batch[-5:]
    batch[64:70] = b"broken"
    with pytest.raises(UnpackError):
        unpacked(bytes(batch), 0, MEGABYTE)
