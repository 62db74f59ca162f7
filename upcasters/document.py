"""A document half read: objects that the chain touches are dicts and lists, all else stays the bytes it was.

A node is one of: ``msgspec.Raw`` (bytes as they came), a dict or list of nodes, or a plain scalar that an
operation put there. Encoding splices the raw parts back, so that what was not touched comes out byte for byte.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal, Self

import msgspec
from msgspec import Raw

from upcasters.errors import DecodeError, EncodeError, WrongType
from upcasters.paths import Path, show

Node = Any
# Keys are strings; a part of a path may stand for one only where it is no EACH, which a type cannot say.
Object = dict[Any, Node]
Array = list[Node]
JsonType = Literal["object", "array", "string", "number", "boolean", "null"]

_TYPE_BY_FIRST_BYTE: dict[int, JsonType] = {
    ord("{"): "object",
    ord("["): "array",
    ord('"'): "string",
    ord("t"): "boolean",
    ord("f"): "boolean",
    ord("n"): "null",
    ord("-"): "number",
    **{ord(digit): "number" for digit in "0123456789"},
}


_new_float = float.__new__


class ExactFloat(float):
    """A number with a fraction or exponent that remembers how it was written: ``1.10``, ``1e400``."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        number = _new_float(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[type[ExactFloat], tuple[str]]:
        return (ExactFloat, (self.text,))


def _write_exactly(value: object) -> Raw:
    if type(value) is ExactFloat:
        return Raw(value.text.encode())
    raise EncodeError(f"{type(value).__name__} has no JSON form")


decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
decode_text = msgspec.json.Decoder(str).decode
_decode_array = msgspec.json.Decoder(list[Raw]).decode
decode_plain = msgspec.json.Decoder(float_hook=ExactFloat).decode
_encoder = msgspec.json.Encoder(enc_hook=_write_exactly)
encode = _encoder.encode


def read(value: bytes) -> Object:
    """The top object of ``value``, each of its fields still raw.

    Raises DecodeError for anything but one UTF-8 JSON object, however hostile.
    """
    try:
        if not value.isascii():
            value.decode()
        return decode_object(value)
    except UnicodeDecodeError:
        raise DecodeError("the value is not UTF-8") from None
    except msgspec.ValidationError:
        raise DecodeError("the value is JSON but not an object") from None
    except msgspec.DecodeError:
        raise DecodeError("the value is not JSON") from None
    except RecursionError:
        raise DecodeError("the value is nested deeper than the reader goes") from None


def write(root: Object) -> bytes:
    """The document as bytes. Raises EncodeError for what JSON does not have."""
    try:
        return encode(root)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise EncodeError(f"the result cannot be written as JSON ({type(error).__name__})") from None


def json_type(node: Node) -> JsonType:
    """The JSON type of a node, read or not."""
    kind = type(node)
    if kind is Raw:
        return _TYPE_BY_FIRST_BYTE[memoryview(node)[0]]
    if kind is dict:
        return "object"
    if kind is list:
        return "array"
    if kind is str:
        return "string"
    if kind is bool:
        return "boolean"
    return "null" if node is None else "number"


NULLS = (None, Raw(b"null"))
# Whole numbers between minus this and this are written without asking how many digits Python may write.
FEW_DIGITS = 2**63


def is_null(node: Node) -> bool:
    """True for JSON's null, read or not."""
    return node in NULLS


def open_object(node: Node, path: Path = ()) -> Object:
    """The object that a node is, its fields still raw. Raises WrongType where it is not an object."""
    if type(node) is dict:
        return node
    if type(node) is Raw:
        try:
            return decode_object(node)
        except msgspec.ValidationError:
            pass
    raise WrongType(f"{show(path) or 'the value'} is {_article(json_type(node))}, not an object", path)


def open_container(node: Node, path: Path = ()) -> Object | Array:
    """The object or array that a node is, its parts still raw. Raises WrongType for a scalar."""
    kind = json_type(node)
    if kind == "object":
        return open_object(node)
    if kind == "array":
        return node if type(node) is list else _decode_array(node)
    raise WrongType(f"{show(path) or 'the value'} is {_article(kind)}, not an array or object", path)


def open_array(node: Node, path: Path = ()) -> Array:
    """The array that a node is, its items still raw. Raises WrongType where it is not an array."""
    if type(node) is list:
        return node
    if type(node) is Raw and memoryview(node)[0] == 0x5B:
        return _decode_array(node)
    raise WrongType(f"{show(path) or 'the value'} is {_article(json_type(node))}, not an array", path)


def _article(kind: JsonType) -> str:
    if kind == "null":
        return kind
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def plain(node: Node, path: Path = ()) -> Any:
    """A node as Python values. Numbers with a fraction are ``ExactFloat`` and keep their digits when put back.

    Raises WrongType for an integer of more digits than Python reads.
    """
    kind = type(node)
    if kind is Raw:
        try:
            return decode_plain(node)
        except msgspec.DecodeError:
            raise WrongType(f"{show(path) or 'the value'} holds a number too large to compute with", path) from None
    if kind is dict:
        return {key: plain(child, path) for key, child in node.items()}
    if kind is list:
        return [plain(child, path) for child in node]
    return node


def from_plain(value: Any, path: Path = ()) -> Node:
    """A function's result, checked: only what JSON has. Raises EncodeError for anything else.

    A member of an enumeration of texts or numbers is its value.

    The result is not shared with the function's own objects, so that one event cannot change another.
    """
    if type(value) is dict:
        return _object(value, path)
    maker = _MAKERS.get(type(value))
    if maker is None:
        if value_of(value) is not value:
            return from_plain(value_of(value), path)
        where, kind = show(path) or "the value", type(value).__name__
        raise EncodeError(f"{where} became a {kind}, which JSON does not have", path)
    return maker(value, path)


def value_of(value: Any) -> Any:
    """The value of an enumeration's member, where that is a text or number; anything else as it is."""
    return value.value if isinstance(value, enum.Enum) and isinstance(value, (str, int, float)) else value


def _same(value: Any, _: Path) -> Any:
    return value


def _finite(value: float, path: Path) -> float:
    if not math.isfinite(value):
        raise EncodeError(f"{show(path) or 'the value'} became NaN or infinite, which JSON does not have", path)
    return value


def _object(value: dict[Any, Any], path: Path) -> Object:
    for key, child in value.items():
        if not (type(key) is type(child) is str and key.isascii() and child.isascii()):
            return {_key(key, path): from_plain(child, path) for key, child in value.items()}
    return dict(value)


def _array(value: list[Any] | tuple[Any, ...], path: Path) -> Array:
    return [from_plain(child, path) for child in value]


def _key(key: Any, path: Path) -> str:
    if type(key) is not str:
        where = show(path) or "the value"
        raise EncodeError(f"{where} has a key of type {type(key).__name__}, which JSON does not have", path)
    return str(_writable(key, path))


def _writable(value: str, path: Path) -> str:
    """A text. Raises EncodeError for a lone surrogate."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _not_written(error, path) from None
    return value


def _whole(value: int, path: Path) -> int:
    """A whole number. Raises EncodeError for more digits than Python writes."""
    if not -FEW_DIGITS < value < FEW_DIGITS:
        try:
            str(value)
        except ValueError as error:
            raise _not_written(error, path) from None
    return value


def _not_written(error: Exception, path: Path) -> EncodeError:
    return EncodeError(f"{show(path) or 'the value'} cannot be written as JSON ({type(error).__name__})", path)


_MAKERS: Mapping[type, Callable[[Any, Path], Node]] = {
    str: _writable,
    int: _whole,
    list: _array,
    tuple: _array,
    float: _finite,
    **dict.fromkeys((bool, type(None), ExactFloat, Raw), _same),
}


def same(one: Node, other: Node) -> bool:
    """JSON equality: ``1.0`` equals ``1.00`` and ``1``; ``true`` does not equal ``1``."""
    if type(one) is Raw and type(other) is Raw and memoryview(one) == memoryview(other):
        return True
    return json_type(one) == json_type(other) and _equal(plain(one), plain(other))


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_equal(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if type(one) is ExactFloat and type(other) is ExactFloat and math.isinf(one):
        return one.text == other.text
    return bool(one == other)


def restamped(old: Node, version: str) -> Node:
    """A version in the JSON type that the old one had: a number stays a number where the new one is one."""
    return version if json_type(old) != "number" else _as_number(version) or version


@lru_cache(maxsize=1_000)
def _as_number(version: str) -> Raw | None:
    """A version as a JSON number; None where it is none."""
    try:
        return Raw(version.encode()) if type(msgspec.json.decode(version)) in (int, float) else None
    except msgspec.DecodeError:
        return None
