"""A document half read: objects that the chain touches are dicts and lists, all else stays the bytes it was.

A node is one of: ``msgspec.Raw`` (JSON as it came), ``Unread`` (bytes of another format), a dict or list of nodes, or a
plain scalar that an operation put there. Encoding splices the raw parts back, so that what was not touched comes out
byte for byte.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import msgspec
from msgspec import Raw

from upcasters.depth import MOST_LEVELS, is_too_deep
from upcasters.duplicates import may_lack_keys, refuse_lost, refuse_lost_inside
from upcasters.errors import DecodeError, EncodeError, EventError, TooDeep, WrongType
from upcasters.paths import Item, Path, Place, show
from upcasters.vast import Vast, exact

JsonNode = Any
# Keys are strings; a part of a path may stand for one only where it is no EACH, which a type cannot say.
Object = dict[Any, JsonNode]
Array = list[JsonNode]
JsonType = Literal["object", "array", "string", "number", "boolean", "null"]
ValueType = Literal[
    "object", "array", "string", "number", "boolean", "null", "bytes", "date", "time", "timestamp", "duration"
]
"""What a value is, in any format. JSON has only the first six."""

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


def _write_exactly(value: object) -> Any:
    if type(value) is ExactFloat:
        return Raw(value.text.encode())
    raise EncodeError(f"{type(value).__name__} has no JSON form")


class Duration(NamedTuple):
    """Avro's ``duration``: three counts of their own, of which none is turned into another."""

    months: int
    days: int
    milliseconds: int


class Unread(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A value of another format than JSON that nobody has read yet; each format has its own. Never a null."""

    if TYPE_CHECKING:

        @property
        def value_type(self) -> ValueType:
            """What the value is."""
            ...

        @property
        def weight(self) -> int:
            """How many bytes it is."""
            ...

        def opened(self) -> Object | Array:
            """An object or array, its parts still unread."""
            ...

        def plain(self) -> Any:
            """The value as Python values. Raises EventError where Python has none for it."""
            ...


decode_object_unchecked = msgspec.json.Decoder(dict[str, Raw]).decode
decode_text = msgspec.json.Decoder(str).decode
_decode_any = msgspec.json.Decoder(Raw).decode
_decode_array = msgspec.json.Decoder(list[Raw]).decode
decode_plain = msgspec.json.Decoder(float_hook=ExactFloat).decode
_encoder = msgspec.json.Encoder(enc_hook=_write_exactly)
encode = _encoder.encode


def decode_object(text: bytes | Raw) -> Object:
    """An object's fields, still raw. Raises DecodeError where a key stands twice, unless the last is to win; and what
    msgspec raises for anything but an object."""
    made = decode_object_unchecked(text)
    again = encode(made)
    if len(again) != len(text):
        refuse_lost(bytes(text), again)
    return made


def refuse_lost_keys(text: bytes | Raw, made: Object) -> None:
    """Raise DecodeError where an object that was opened unchecked, or one inside of it, had a key twice in ``text``.

    Nothing of it may have been changed since. What is as long as it was, or lost white space alone, has all its keys.
    """
    again = encode(made)
    if len(again) != len(text) and may_lack_keys(bytes(text), again):
        _refuse_lost_keys(text, made)


def _refuse_lost_keys(text: bytes | Raw, made: Object) -> None:
    fields = decode_object(text)
    for key, child in made.items():
        if type(child) is dict:
            _refuse_lost_keys(fields[key], child)


def read(value: bytes) -> Object:
    """The top object of ``value``, each of its fields still raw.

    Raises DecodeError for anything but one UTF-8 JSON object, however hostile, and TooDeep.
    """
    if is_too_deep(value):
        raise TooDeep("the value", "decode")
    try:
        if not value.isascii():
            value.decode()
        return decode_object(value)
    except UnicodeDecodeError:
        raise DecodeError("the value is not UTF-8") from None
    except (msgspec.ValidationError, RecursionError):
        raise DecodeError(f"the value is {'JSON but not an object' if can_be_read(value) else 'not JSON'}") from None
    except msgspec.DecodeError:
        raise DecodeError("the value is not JSON") from None


def is_json(text: bytes) -> bool:
    """True for JSON text that is not nested too deep."""
    return not is_too_deep(text) and can_be_read(text)


def can_be_read(text: bytes) -> bool:
    """True for JSON text of which its levels have been counted."""
    try:
        _decode_any(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def write(root: Object) -> bytes:
    """The document as bytes. Raises EncodeError for what JSON does not have, and TooDeep."""
    try:
        made = encode(root)
    except RecursionError:
        raise TooDeep("the result", "encode") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise EncodeError(f"the result cannot be written as JSON ({type(error).__name__})") from None
    if len(made) > 2 * MOST_LEVELS and is_too_deep(made):
        raise TooDeep("the result", "encode")
    return made


def json_type(node: JsonNode) -> ValueType:
    """What a node is, read or not: one of JSON's types, or one that only other formats have."""
    kind = type(node)
    if kind is Raw:
        return _TYPE_BY_FIRST_BYTE[memoryview(node)[0]]
    return _TYPE_BY_CLASS.get(kind) or (node.value_type if isinstance(node, Unread) else "number")


_TYPE_BY_CLASS: dict[type, ValueType] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    type(None): "null",
    bytes: "bytes",
    dt.date: "date",
    dt.time: "time",
    dt.datetime: "timestamp",
    dt.timedelta: "duration",
    Duration: "duration",
}
NULLS = (None, Raw(b"null"))
# Whole numbers between minus this and this are written without asking how many digits Python may write.
FEW_DIGITS = 2**63


def is_null(node: JsonNode) -> bool:
    """True for JSON's null, read or not."""
    return node in NULLS


def open_object(node: JsonNode, path: Path = ()) -> Object:
    """The object that a node is, its fields still raw. Raises WrongType where it is not an object."""
    if type(node) is dict:
        return node
    if type(node) is Raw:
        try:
            return decode_object(node)
        except msgspec.ValidationError:
            pass
    elif isinstance(node, Unread) and node.value_type == "object":
        return node.opened()  # type: ignore[return-value]  # as it says
    raise WrongType(f"{show(path) or 'the value'} is {article(json_type(node))}, not an object", path)


def open_container(node: JsonNode, path: Path = ()) -> Object | Array:
    """The object or array that a node is, its parts still raw. Raises WrongType for a scalar."""
    kind = json_type(node)
    if kind == "object":
        return open_object(node)
    if kind == "array":
        return open_array(node)
    raise WrongType(f"{show(path) or 'the value'} is {article(kind)}, not an array or object", path)


def open_unchecked(node: Raw) -> Object | Array:
    """The object or array that a node is; nobody has looked for keys that stand twice, as long as it is but read."""
    return _decode_array(node) if memoryview(node)[0] == 0x5B else decode_object_unchecked(node)


def open_array(node: JsonNode, path: Path = ()) -> Array:
    """The array that a node is, its items still raw. Raises WrongType where it is not an array."""
    if type(node) is list:
        return node
    if type(node) is Raw and memoryview(node)[0] == 0x5B:
        return _decode_array(node)
    if isinstance(node, Unread) and node.value_type == "array":
        return node.opened()  # type: ignore[return-value]  # as it says
    raise WrongType(f"{show(path) or 'the value'} is {article(json_type(node))}, not an array", path)


def article(kind: ValueType) -> str:
    """A type in a sentence."""
    if kind in ("null", "bytes"):
        return kind
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def decode_whole(text: bytes | Raw) -> Any:
    """JSON as Python values. Raises DecodeError where an object in it has a key twice, unless the last is to win; and
    what msgspec raises for an integer of more digits than Python reads."""
    made = decode_plain(text)
    if type(made) in CONTAINERS:
        refuse_lost_values(text, made)
    return made


CONTAINERS = frozenset({dict, list})


def refuse_lost_values(text: JsonNode, made: Any) -> None:
    """Raise DecodeError where an object or array was read as a whole, and an object in it had a key twice."""
    if isinstance(text, (Raw, bytes)) and len(again := encode(made)) != len(text):
        refuse_lost_inside(bytes(text), again)


def _too_large(_: Raw, path: Path) -> Any:
    raise WrongType(f"{show(path) or 'the value'} holds a number too large to compute with", path)


def _by_digits(node: Raw, _: Path) -> Any:
    made = json.loads(bytes(node), parse_int=ExactFloat, parse_float=ExactFloat)
    refuse_lost_values(node, made)
    return made


def plain(node: JsonNode, path: Path = (), too_large: Callable[[Raw, Path], Any] = _too_large) -> Any:
    """A node as Python values. Numbers with a fraction are ``ExactFloat`` and keep their digits when put back.

    Raises WrongType for an integer of more digits than Python reads, unless ``too_large`` reads it.
    """
    kind = type(node)
    if kind is Raw:
        try:
            return decode_whole(node)
        except msgspec.DecodeError:
            return too_large(node, path)
    # No comprehensions: each would take a frame of its own a level.
    if kind is dict:
        fields = {}
        for key, child in node.items():
            fields[key] = plain(child, path, too_large)
        return fields
    if kind is list:
        items = []
        for child in node:
            items.append(plain(child, path, too_large))  # noqa: PERF401  # a comprehension would take a frame a level
        return items
    return _plain_unread(node, path) if isinstance(node, Unread) else node


def compared(node: JsonNode, path: Path = ()) -> Any:
    """A node as Python values to compare with others: an integer of any number of digits is one by its digits."""
    return plain(node, path, _by_digits)


def _plain_unread(node: Unread, path: Path) -> Any:
    try:
        return node.plain()
    except EventError as error:
        raise error.inside(path) from None


def from_plain(value: Any, path: Path = (), levels: int = MOST_LEVELS) -> JsonNode:
    """A function's result, checked: only what JSON has. Raises EncodeError for anything else, and TooDeep.

    A member of an enumeration of texts or numbers is its value.

    The result is not shared with the function's own objects, so that one event cannot change another.
    """
    kind = type(value)
    if kind is dict or kind is list or kind is tuple:
        if not levels:
            raise TooDeep(show(path) or "the value", "encode", path)
        if kind is dict:
            return _object(value, path, levels - 1)
        # No comprehension: it would take a frame of its own a level.
        items = []
        for child in value:
            items.append(from_plain(child, path, levels - 1))  # noqa: PERF401  # recursive: a comprehension would take a frame of its own a level
        return items
    maker = _MAKERS.get(kind)
    if maker is None:
        if kind in _BEYOND_JSON and BEYOND_JSON.get():
            return value
        if value_of(value) is not value:
            return from_plain(value_of(value), path)
        where = show(path) or "the value"
        raise EncodeError(f"{where} became a {kind.__name__}, which JSON does not have", path)
    return maker(value, path)


BEYOND_JSON: ContextVar[bool] = ContextVar("beyond_json", default=False)
"""Whether documents may hold what JSON does not have: bytes, dates, NaN. Whoever sets it writes no JSON of them."""

_BEYOND_JSON = frozenset({bytes, dt.date, dt.time, dt.datetime, dt.timedelta, Duration})


OPENED = 256
"""About how many bytes an opened object or array takes, whatever is in it."""


def weight(node: JsonNode) -> int:
    """About how many bytes a node takes, in memory or written, whichever is more."""
    total, rest = 0, [node]
    while rest:
        one = rest.pop()
        kind = type(one)
        if kind is Raw or kind is bytes:
            total += len(one)
        elif kind is str:
            total += len(one) if one.isascii() else 4 * len(one)
        elif kind is dict:
            total += OPENED + sum(map(len, one))
            rest.extend(one.values())
        elif kind is list:
            total += OPENED
            rest.extend(one)
        elif kind is ExactFloat:
            total += len(one.text)
        elif kind is int:
            total += 8 + one.bit_length() // 3
        else:
            total += one.weight if isinstance(one, Unread) else 8
    return total


def as_json(node: JsonNode, path: Place = ()) -> JsonNode:
    """A node of any format as one that JSON has. Raises EncodeError where it holds bytes, dates, NaN and the like."""
    if isinstance(node, Unread):
        node = node.plain()
    kind = type(node)
    if kind is dict:
        fields = {}
        for key, child in node.items():
            fields[key] = as_json(child, (*path, key))
        return fields
    if kind is list:
        items = []
        for position, child in enumerate(node):
            items.append(as_json(child, (*path, Item(position))))
        return items
    if kind in _BEYOND_JSON or (kind is float and not math.isfinite(node)):
        what = "NaN or infinite" if kind is float else article(json_type(node))
        raise EncodeError(f"{show(path) or 'the value'} is {what}, which JSON does not have", path)
    return Raw(str(node).encode()) if kind is Decimal else node


def readable(node: JsonNode) -> JsonNode:
    """A node of any format as JSON for people: bytes, dates, durations and NaN are texts."""
    if isinstance(node, Unread):
        node = node.opened() if node.value_type in ("object", "array") else _plain_or_name(node)
    kind = type(node)
    if kind is dict:
        return {key: readable(child) for key, child in node.items()}
    if kind is list:
        return list(map(readable, node))
    if kind is bytes:
        return node.hex()
    if kind in _BEYOND_JSON or (kind is float and not math.isfinite(node)):
        return str(node)
    return Raw(str(node).encode()) if kind is Decimal else node


def _plain_or_name(node: Unread) -> Any:
    try:
        return node.plain()
    except EventError:
        return f"({article(node.value_type)} that Python cannot show)"


def json_text(node: JsonNode) -> bytes:
    """A node as JSON text. Raises EncodeError for what JSON does not have."""
    return bytes(node) if type(node) is Raw else encode(as_json(node) if BEYOND_JSON.get() else node)


def value_of(value: Any) -> Any:
    """The value of an enumeration's member, where that is a text or number; anything else as it is."""
    return value.value if isinstance(value, enum.Enum) and isinstance(value, (str, int, float)) else value


def _object(value: dict[Any, Any], path: Path, levels: int) -> Object:
    made: Object = {}
    for key, child in value.items():
        name = key if type(key) is str and key.isascii() else _key(key, path)
        made[name] = child if type(child) is str and child.isascii() else from_plain(child, path, levels)
    return made


def _same(value: Any, _: Path) -> Any:
    return value


def _finite(value: float, path: Path) -> float:
    if not math.isfinite(value) and not BEYOND_JSON.get():
        raise EncodeError(f"{show(path) or 'the value'} became NaN or infinite, which JSON does not have", path)
    return value


def _decimal(value: Decimal, path: Path) -> Raw:
    """Its digits as they are: a sum of amounts is not rounded."""
    if not value.is_finite():
        raise EncodeError(f"{show(path) or 'the value'} became NaN or infinite, which JSON does not have", path)
    return Raw(str(value).encode())


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


_MAKERS: Mapping[type, Callable[[Any, Path], JsonNode]] = {
    str: _writable,
    int: _whole,
    float: _finite,
    Decimal: _decimal,
    **dict.fromkeys((bool, type(None), ExactFloat, Raw), _same),
}


def same(one: JsonNode, other: JsonNode, path: Path = ()) -> bool:
    """JSON equality: ``1.0`` equals ``1.00`` and ``1``; ``true`` does not equal ``1``; no digit is left out.

    Raises an EventError, about ``path``, where Python has no value for one of another format than JSON.
    """
    if type(one) is Raw and type(other) is Raw and memoryview(one) == memoryview(other):
        return True
    return json_type(one) == json_type(other) and _equal(compared(one, path), compared(other, path))


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return False
        pairs = [(value, other[key]) for key, value in one.items()]
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return False
        pairs = list(zip(one, other, strict=True))
    else:
        return _equal_scalars(one, other)
    for first, second in pairs:  # noqa: SIM110  # a generator would take a frame of its own a level
        if not _equal(first, second):
            return False
    return True


def _equal_scalars(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(number_of(one) == number_of(other))


def number_of(value: Any) -> Any:
    """A number as one that compares and hashes by all of its digits (int, Decimal, Vast); anything else as it is.

    A float is the number that is written for it: 0.1 is a tenth.
    """
    if not isinstance(value, float):
        return value
    return exact(value.text if type(value) is ExactFloat else repr(value))


ScalarKey = tuple[bool, Any]
"""A single JSON value as a key of a table: ``true`` is not ``1``, and numbers are told apart by all of their digits."""


@dataclass(frozen=True)
class Whole:
    """An object or array as a key of a table: by its members in any order, or its items."""

    key: Any
    value: Any = field(compare=False)


def scalar_key(value: Any) -> ScalarKey:
    """The key of a plain value, which mostly is a single one."""
    if type(value) is dict:
        return (False, Whole(frozenset((name, scalar_key(child)) for name, child in value.items()), value))
    if type(value) is list:
        return (False, Whole(tuple(map(scalar_key, value)), value))
    return (type(value) is bool, number_of(value))


def scalar_value(key: ScalarKey) -> Any:
    """A plain value with this key."""
    if isinstance(key[1], Whole):
        return key[1].value
    return ExactFloat(str(key[1])) if isinstance(key[1], (Decimal, Vast)) else key[1]


def restamped(old: JsonNode, version: str) -> JsonNode:
    """A version in the JSON type that the old one had: a number stays a number where the new one is one."""
    return version if json_type(old) != "number" else _as_number(version) or version


@lru_cache(maxsize=1_000)
def _as_number(version: str) -> Raw | None:
    """A version as a JSON number; None where it is none."""
    try:
        return Raw(version.encode()) if type(msgspec.json.decode(version)) in (int, float) else None
    except msgspec.DecodeError:
        return None
