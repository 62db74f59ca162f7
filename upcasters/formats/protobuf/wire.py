"""Records on the wire: a tag with a number, and how many bytes follow. Nothing is trusted, and nothing goes deep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from upcasters.depth import MOST_LEVELS
from upcasters.errors import DecodeError, TooDeep
from upcasters.formats.protobuf.types import EIGHT, END, FOUR, GROUP, LENGTH, VARINT

MOST_BYTES_OF_A_NUMBER: Final = 10
MOST_BYTES_OF_A_TAG: Final = 5
MASK: Final = (1 << 64) - 1


def wrong(what: str, position: int) -> DecodeError:
    """The error for bytes that are no message; it names the place and no value."""
    return DecodeError(f"the value is not what its Protobuf schema says: {what} at byte {position}")


def too_early() -> DecodeError:
    return DecodeError("the value is not what its Protobuf schema says: it ends too early")


def varint(data: bytes, position: int) -> tuple[int, int]:
    """A whole number of 64 bits and where it ends. Raises DecodeError, and IndexError where the bytes end before it."""
    made, shift, start = 0, 0, position
    while True:
        byte = data[position]
        position += 1
        made |= (byte & 127) << shift
        if byte < 128:
            return made & MASK, position
        shift += 7
        if position - start >= MOST_BYTES_OF_A_NUMBER:
            raise wrong("a number of more than 10 bytes", start)


def tag_at(data: bytes, position: int) -> tuple[int, int]:
    """A tag and where it ends."""
    made, end = varint(data, position)
    if made < 8 or made >> 32 or end - position > MOST_BYTES_OF_A_TAG:
        raise wrong("a tag that no field may have", position)
    return made, end


def after(data: bytes, position: int, tag: int, start: int) -> int:
    """Where a value ends whose tag began at ``start``; it may lie behind the end of the bytes."""
    wire = tag & 7
    if wire == LENGTH:
        size, position = varint(data, position)
        return position + size
    if wire == VARINT:
        return varint(data, position)[1]
    if wire == EIGHT:
        return position + 8
    if wire == FOUR:
        return position + 4
    if wire == GROUP:
        return after_group(data, position, tag)[1]
    raise wrong("the end of a group that did not begin" if wire == END else "a tag that no field may have", start)


def after_group(data: bytes, position: int, tag: int) -> tuple[int, int]:
    """Where the content of a group ends, and where the tag ends that ends it."""
    inside = [tag]
    while True:
        start = position
        tag, position = tag_at(data, position)
        wire = tag & 7
        if wire == GROUP:
            if len(inside) > MOST_LEVELS:
                raise TooDeep("the value", "decode")
            inside.append(tag)
        elif wire != END:
            position = after(data, position, tag, start)
        elif inside.pop() != tag - 1:
            raise wrong("the end of a group that did not begin", start)
        elif not inside:
            return start, position


class RecordAt(NamedTuple):
    """One record among others: ``start`` and ``end`` are those of its content, without tag, length and end of group."""

    tag: int
    begin: int
    start: int
    end: int
    next: int


def records(data: bytes) -> Iterator[RecordAt]:
    """The records that stand in a row. Raises DecodeError where the bytes are none."""
    position, size = 0, len(data)
    try:
        while position < size:
            found = record_at(data, position)
            if found.next > size:
                raise too_early()
            yield found
            position = found.next
    except IndexError:
        raise too_early() from None


def record_at(data: bytes, position: int) -> RecordAt:
    begin = position
    tag, position = tag_at(data, position)
    if tag & 7 == LENGTH:
        size, position = varint(data, position)
        return RecordAt(tag, begin, position, position + size, position + size)
    if tag & 7 == GROUP:
        end, after_end = after_group(data, position, tag)
        return RecordAt(tag, begin, position, end, after_end)
    end = after(data, position, tag, begin)
    return RecordAt(tag, begin, position, end, end)


def written(number: int) -> bytes:
    """A number of up to 64 bits, not below 0, in its shortest form."""
    if number < 128:
        return _ONE_BYTE[number]
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    parts.append(number)
    return bytes(parts)


_ONE_BYTE: Final = [bytes([number]) for number in range(128)]
