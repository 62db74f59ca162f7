"""How the records that are produced are compressed."""

from __future__ import annotations

from typing import Literal, NamedTuple

Codec = Literal["none", "gzip", "snappy", "lz4", "zstd"]

LEVELS = {"gzip": (1, 9), "lz4": (1, 12), "zstd": (1, 22)}
"""The lowest and the highest level of each codec that has levels."""
DEFAULT_LEVELS = {"gzip": 6, "lz4": 1, "zstd": 3}
"""gzip's and zstd's are those of Kafka's own clients. Theirs of lz4 is 9, which takes nine times the CPU of 1 for
an eighth of the bytes (docs/performance.md)."""


class Compression(NamedTuple):
    """A codec and its level; 0 where the codec has none."""

    codec: Codec = "none"
    level: int = 0


NO_COMPRESSION = Compression()


def compression_of(codec: Codec, level: int | None) -> Compression:
    """Raises ValueError for a level that the codec does not have."""
    if level is None:
        return Compression(codec, DEFAULT_LEVELS.get(codec, 0))
    if codec not in LEVELS:
        raise ValueError(f"compression_level is {level}, but compression is {codec}, which has no levels: remove it")
    lowest, highest = LEVELS[codec]
    if not lowest <= level <= highest:
        raise ValueError(f"compression_level is {level}: {codec} has the levels {lowest} to {highest}")
    return Compression(codec, level)
