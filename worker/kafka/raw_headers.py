"""Headers in Kafka's wire format: the only way to keep one whose name is not UTF-8.

Names that are not UTF-8 are strings with lone surrogates (``surrogateescape``), as in Python's file names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from upcasters.event import Header
from worker.kafka.record_format import sized, varint


def writable(header: Header) -> bool:
    """Whether a client library can write this header: its name is a string that UTF-8 can hold."""
    try:
        header[0].encode()
    except UnicodeEncodeError:
        return False
    return True


def encode_headers(headers: Sequence[Header]) -> bytes:
    """The headers section of a record: a count, then names and values with their lengths (-1 for null)."""
    parts = [sized(name.encode("utf-8", "surrogateescape")) + sized(value) for name, value in headers]
    return varint(len(headers)) + b"".join(parts)


def decode_headers(encoded: bytes) -> list[Header]:
    """The inverse of ``encode_headers``."""
    numbers = iter(encoded)
    headers: list[Header] = []
    for _ in range(_number(numbers)):
        name = _take(numbers, _number(numbers)).decode("utf-8", "surrogateescape")
        length = _number(numbers)
        headers.append((name, None if length < 0 else _take(numbers, length)))
    return headers


def _number(encoded: Iterator[int]) -> int:
    rest = shift = 0
    for byte in encoded:
        rest |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (rest >> 1) ^ -(rest & 1)
    raise ValueError("the headers end in the middle of a number")


def _take(encoded: Iterator[int], length: int) -> bytes:
    taken = bytes(islice(encoded, length))
    if len(taken) < length:
        raise ValueError("the headers end in the middle of a name or value")
    return taken
