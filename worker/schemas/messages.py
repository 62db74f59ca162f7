"""Which message of a schema a value of Protobuf is: what serialisers write behind the schema's id.

Confluent's write its place in the schema's file, Apicurio's its name, as a message with a length: ``Ref``. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from upcasters.formats.protobuf.wire import written as varint

MOST_INDEXES = 64
MOST_BYTES_OF_A_NAME = 1_000
_FIRST = b"\x00"
_NAME = 0x0A  # the only field of a Ref, a text


class Message(NamedTuple):
    """One of a schema: its full name, and its place in the file and in what it is declared in."""

    name: str
    indexes: tuple[int, ...]

    @property
    def own_name(self) -> str:
        return self.name.rpartition(".")[2]


Which = tuple[int, ...] | str
"""What a frame says: a place, or the name that a message has in its file."""


class Behind(NamedTuple):
    """What stands behind an id. ``at`` reads it from the start of bytes, and says how many it takes: none where it is
    something else. ``written`` is the same the other way."""

    at: Callable[[bytes], tuple[Which, int]]
    written: Callable[[Message], bytes]


def indexes_at(data: bytes) -> tuple[tuple[int, ...], int]:
    """Which message of a schema it is, and how many bytes say so: a count and so many places, as Avro writes numbers.
    A zero alone is the first message. No byte where there are none such, and then the first message, too."""
    numbers: list[int] = []
    position = wanted = 0
    while not numbers or len(numbers) <= wanted:
        number, size = _zigzag(data[position : position + 5])
        if not size or number < 0 or (not numbers and number > MOST_INDEXES):
            return (0,), 0
        wanted = numbers[0] if numbers else number
        numbers.append(number)
        position += size
    return tuple(numbers[1:]) or (0,), position


def _zigzag(data: bytes) -> tuple[int, int]:
    number = 0
    for position, byte in enumerate(data):
        number |= (byte & 127) << 7 * position
        if byte < 128:
            return (number >> 1) ^ -(number & 1), position + 1
    return 0, 0


def written_indexes(indexes: Sequence[int]) -> bytes:
    """The place of a message in a schema as frames have it."""
    if tuple(indexes) == (0,):
        return _FIRST
    return b"".join(varint(number << 1) for number in (len(indexes), *indexes))


def ref_at(data: bytes) -> tuple[str, int]:
    """The name in a ``Ref``, and how many bytes that has with its length; none where it is no such message."""
    size, start = _length(data, 0)
    if not start or data[start : start + 1] != bytes([_NAME]):
        return "", 0
    length, name = _length(data, start + 1)
    end = name + length
    if not name or end != start + size or end > len(data):
        return "", 0
    try:
        return str(data[name:end], "utf-8"), end
    except UnicodeDecodeError:
        return "", 0


def _length(data: bytes, start: int) -> tuple[int, int]:
    """A length of up to two bytes, and where it ends; 0 where it is none."""
    first, second = data[start : start + 1], data[start + 1 : start + 2]
    if first and first[0] < 128:
        return first[0], start + 1
    if first and second and second[0] < 128 and (found := first[0] & 127 | second[0] << 7) <= MOST_BYTES_OF_A_NAME:
        return found, start + 2
    return 0, 0


def written_ref(name: str) -> bytes:
    """The name of a message as Apicurio's frames have it."""
    text = name.encode()
    ref = bytes([_NAME]) + varint(len(text)) + text
    return varint(len(ref)) + ref


INDEXES = Behind(indexes_at, lambda message: written_indexes(message.indexes))
REF = Behind(ref_at, lambda message: written_ref(message.own_name))
