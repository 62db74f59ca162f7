"""Single values of Protobuf as Python values, and back: exact, or an error. The table is in docs/formats.md."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from upcasters.document import ValueType, json_type
from upcasters.errors import InvalidEvent, WrongType
from upcasters.formats.floats import DOUBLE, FLOAT, float_encoder
from upcasters.formats.protobuf.types import LENGTH, FieldType
from upcasters.formats.protobuf.wire import MASK, varint, written

_BY_KIND: Final[Mapping[str, ValueType]] = {"bool": "boolean", "string": "string", "bytes": "bytes"}
_BITS: Final[Mapping[str, struct.Struct]] = {
    "fixed32": struct.Struct("<I"),
    "sfixed32": struct.Struct("<i"),
    "fixed64": struct.Struct("<Q"),
    "sfixed64": struct.Struct("<q"),
    "float": FLOAT,
    "double": DOUBLE,
}


def scalar_type(one: FieldType) -> ValueType:
    """What a single value that is neither a message nor an enum is to conditions and operations."""
    return _BY_KIND.get(one.kind, "number")


# Reading.


def decoded(one: FieldType, content: bytes) -> Any:
    """The Python value of a scalar's content, without tag and length. Raises WrongType where Python has none for it."""
    return _DECODERS[one.kind](one, content)


def _text(_: FieldType, content: bytes) -> str:
    try:
        return str(content, "utf-8")
    except UnicodeDecodeError:
        raise WrongType("a string that is not UTF-8") from None


def _signed(number: int, bits: int) -> int:
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def _zigzag(number: int) -> int:
    return (number >> 1) ^ -(number & 1)


def _enum(one: FieldType, content: bytes) -> str | int:
    number = _signed(varint(content, 0)[0], 32)
    assert one.enum is not None
    return one.enum.names.get(number, number)


def _unpacked(form: struct.Struct) -> Callable[[FieldType, bytes], Any]:
    return lambda _, content: form.unpack(content)[0]


_DECODERS: Final[Mapping[str, Callable[[FieldType, bytes], Any]]] = {
    "bool": lambda _, content: varint(content, 0)[0] != 0,
    "int32": lambda _, content: _signed(varint(content, 0)[0], 32),
    "int64": lambda _, content: _signed(varint(content, 0)[0], 64),
    "uint32": lambda _, content: varint(content, 0)[0] & 0xFFFFFFFF,
    "uint64": lambda _, content: varint(content, 0)[0],
    "sint32": lambda _, content: _zigzag(varint(content, 0)[0] & 0xFFFFFFFF),
    "sint64": lambda _, content: _zigzag(varint(content, 0)[0]),
    "enum": _enum,
    "string": _text,
    "bytes": lambda _, content: content,
    **{kind: _unpacked(form) for kind, form in _BITS.items()},
}


# Writing.


class NoPlaceError(InvalidEvent):
    """A value for which the schema of the target has no place."""


def no_place(one: FieldType, value: Any, why: str = "") -> NoPlaceError:
    """The error for a value that is none of this field; it names types, never the value."""
    name = one.enum.name if one.enum else one.message.name if one.message else one.kind
    return NoPlaceError(f"{why or f'a {json_type(value)}'} is no {name}")


def encoded(one: FieldType, value: Any) -> bytes:
    """The content of a Python value as a scalar. Raises NoPlaceError where it is not exactly one."""
    return _ENCODERS[one.kind](one, value)


def record(one: FieldType, content: bytes) -> bytes:
    """A content with the tag of a field, and its length where it has one."""
    if one.wire == LENGTH:
        return one.tag + written(len(content)) + content
    return one.tag + content


def _whole(least: int, most: int, to_wire: Callable[[int], int]) -> Callable[[FieldType, Any], bytes]:
    def encode(one: FieldType, value: Any) -> bytes:
        if type(value) is not int:
            raise no_place(one, value)
        if not least <= value <= most:
            raise no_place(one, value, "a number too large" if value > most else "a number too small")
        return written(to_wire(value))

    return encode


def _masked(value: int) -> int:
    return value & MASK


def _to_zigzag(value: int) -> int:
    return ((value << 1) ^ (value >> 63)) & MASK


def _packed(form: struct.Struct) -> Callable[[FieldType, Any], bytes]:
    def encode(one: FieldType, value: Any) -> bytes:
        if type(value) is not int:
            raise no_place(one, value)
        try:
            return form.pack(value)
        except struct.error:
            raise no_place(one, value, "a number too large or too small") from None

    return encode


def _boolean(one: FieldType, value: Any) -> bytes:
    if type(value) is not bool:
        raise no_place(one, value)
    return b"\x01" if value else b"\x00"


def _string(one: FieldType, value: Any) -> bytes:
    if type(value) is not str:
        raise no_place(one, value)
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise no_place(one, value, "a text with a lone surrogate") from None


def _bytes(one: FieldType, value: Any) -> bytes:
    if type(value) is not bytes:
        raise no_place(one, value)
    return value


def _symbol(one: FieldType, value: Any) -> bytes:
    assert one.enum is not None
    if type(value) is str:
        number = one.enum.numbers.get(value)
        if number is None:
            raise no_place(one, value, "a text that is none of its names")
        return written(number & MASK)
    return _NUMBER_OF_ENUM(one, value)


_INT: Final = 1 << 31
_LONG: Final = 1 << 63
_NUMBER_OF_ENUM: Final = _whole(-_INT, _INT - 1, _masked)
_ENCODERS: Final[Mapping[str, Callable[[FieldType, Any], bytes]]] = {
    "bool": _boolean,
    "int32": _NUMBER_OF_ENUM,
    "int64": _whole(-_LONG, _LONG - 1, _masked),
    "uint32": _whole(0, 2 * _INT - 1, _masked),
    "uint64": _whole(0, 2 * _LONG - 1, _masked),
    "sint32": _whole(-_INT, _INT - 1, _to_zigzag),
    "sint64": _whole(-_LONG, _LONG - 1, _to_zigzag),
    "enum": _symbol,
    "string": _string,
    "bytes": _bytes,
    "float": float_encoder(FLOAT, no_place),
    "double": float_encoder(DOUBLE, no_place),
    **{kind: _packed(form) for kind, form in _BITS.items() if kind not in ("float", "double")},
}
