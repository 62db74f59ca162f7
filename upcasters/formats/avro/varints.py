"""Avro's numbers of one to ten bytes. Generated code reads those of one byte itself and calls these for longer ones."""

from __future__ import annotations

from upcasters.errors import DecodeError

MOST_BYTES_OF_A_NUMBER = 10
INT = 1 << 31
LONG = 1 << 63


def wrong(what: str, position: int) -> DecodeError:
    """The error for bytes that are not what the schema says; it names the place and no value."""
    return DecodeError(f"the value is not what its Avro schema says: {what} at byte {position}")


def number(data: bytes, position: int) -> tuple[int, int]:
    """A whole number and where it ends. Raises DecodeError, and IndexError where the bytes end before it."""
    made, shift, start = 0, 0, position
    while True:
        byte = data[position]
        position += 1
        made |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
        if position - start >= MOST_BYTES_OF_A_NUMBER:
            raise wrong("a number of more than 10 bytes", start)
    if made >= 2 * LONG:
        raise wrong("a number of more than 64 bits", start)
    return (made >> 1) ^ -(made & 1), position


def after_int(data: bytes, position: int) -> int:
    """Where an ``int`` ends."""
    made, end = number(data, position)
    if not -INT <= made < INT:
        raise wrong("an int of more than 32 bits", position)
    return end


def after_long(data: bytes, position: int) -> int:
    """Where a ``long`` ends."""
    return number(data, position)[1]


def length(data: bytes, position: int) -> tuple[int, int]:
    """How many bytes a text or bytes have, and where they begin."""
    made, end = number(data, position)
    if made < 0:
        raise wrong("a negative length", position)
    return made, end


def after_enum(data: bytes, position: int, symbols: int) -> int:
    """Where an enum ends."""
    made, end = number(data, position)
    if not 0 <= made < symbols:
        raise wrong("an enum's number that has no symbol", position)
    return end


def branch(data: bytes, position: int, branches: int) -> tuple[int, int]:
    """The number of a union's branch, and where its value begins; only in its shortest form, as all writers have it."""
    made, end = number(data, position)
    if not 0 <= made < branches or end - position != len(written(made)):
        raise wrong("a union's branch that is not there", position)
    return made, end


def block(data: bytes, position: int) -> tuple[int, int, int]:
    """How many items a block has, where they begin, and where they end (0: it does not say)."""
    items, start = number(data, position)
    if items >= 0:
        return items, start, 0
    size, start = length(data, start)
    return -items, start, start + size


def written(made: int) -> bytes:
    """A number in its shortest form. The caller sees to it that it has no more than 64 bits."""
    rest = (made << 1) ^ (made >> 63)
    if rest < 128:
        return _ONE_BYTE[rest]
    parts = bytearray()
    while rest > 127:
        parts.append(rest & 127 | 128)
        rest >>= 7
    parts.append(rest)
    return bytes(parts)


_ONE_BYTE = [bytes([rest]) for rest in range(128)]
