"""Compressed batches against aiokafka's reader, and our own."""

from __future__ import annotations

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder, _DefaultRecordBatchPy
from hypothesis import given
from hypothesis import strategies as st

from worker.kafka.large_batch import LargeBatchBuilder
from worker.kafka.packing import packed
from worker.kafka.record_format import CHECKSUM, CHECKSUM_BYTES
from worker.kafka.unpacking import unpacked
from worker.settings.compression import LEVELS, Codec, Compression, compression_of

CODECS: tuple[Codec, ...] = ("gzip", "snappy", "lz4", "zstd")
EACH_LEVEL = [
    *(Compression(codec, level) for codec in CODECS for level in LEVELS.get(codec, (0,))),
    *(compression_of(codec, None) for codec in CODECS),
]
VALUES = st.lists(st.binary(max_size=60) | st.integers(0, 90_000), min_size=1, max_size=20)
"""A number stands for a value of so many bytes."""
BEHIND_CHECKSUM = CHECKSUM + CHECKSUM_BYTES
LZ4_BLOCKS_ARE_INDEPENDENT = 0x20


def batch_of(values: list[bytes]) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, True, -1, -1, 0, 10**9)
    for place, value in enumerate(values):
        assert builder.append(place, 1_000 + place, b"key", value, [("name", b"v")])
    builder.set_producer_state(7, 8, 9)
    return bytes(builder.build())


@pytest.mark.parametrize("compression", EACH_LEVEL, ids=str)
@given(VALUES)
def test_each_reader_finds_the_records_again(compression: Compression, given_values: list[bytes | int]) -> None:
    values = [value if isinstance(value, bytes) else b"v" * value for value in given_values]
    plain = batch_of(values)
    parts = packed((plain,), compression)
    sent = b"".join(parts)
    assert len(sent) <= len(plain)
    if len(sent) == len(plain):
        assert sent == plain
        return
    assert unpacked(sent, 0, 2 * len(plain))[BEHIND_CHECKSUM:] == plain[BEHIND_CHECKSUM:]
    for reader in (DefaultRecordBatch, _DefaultRecordBatchPy):
        read = reader(sent)
        assert read.validate_crc()
        assert (read.producer_id, read.producer_epoch, read.base_sequence, read.is_transactional) == (7, 8, 9, True)
        assert [(record.offset, record.timestamp, record.value) for record in reader(bytearray(sent))] == [
            (place, 1_000 + place, value) for place, value in enumerate(values)
        ]


def test_a_batch_in_parts_is_packed_as_the_whole() -> None:
    values = [b"value" * 600] * 3
    builder = LargeBatchBuilder(10**9, transactional=True)
    for place, value in enumerate(values):
        builder.append(place, 1_000 + place, b"key", value, [("name", b"v")])
    builder.set_producer_state(7, 8, 9)
    assert packed(builder.build(), Compression("lz4", 1)) == packed((batch_of(values),), Compression("lz4", 1))


def test_blocks_of_lz4_are_independent_or_the_brokers_refuse_them() -> None:
    _, content = packed((batch_of([b"value" * 30_000]),), Compression("lz4", 1))
    assert content[4] & LZ4_BLOCKS_ARE_INDEPENDENT


def test_what_does_not_become_smaller_stays_as_it_is() -> None:
    plain = (batch_of([b"\0\1\2"]),)
    assert packed(plain, Compression("zstd", 3)) is plain


@pytest.mark.parametrize(
    ("codec", "level", "why"),
    [
        ("zstd", 23, "zstd has the levels 1 to 22"),
        ("snappy", 1, "snappy, which has no levels"),
        ("none", 1, "no levels"),
    ],
)
def test_a_level_that_the_codec_lacks_is_refused(codec: Codec, level: int, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        compression_of(codec, level)
