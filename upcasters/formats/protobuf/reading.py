"""Values of a message as documents: a message that is opened is gone over once, and each of its fields stays the bytes
that it is, with its type (``ProtobufSpan``). So it can be written again as it came, opened later, or read when a
function asks for it. No value is trusted. What nobody opens is not looked into.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

from upcasters.depth import MOST_LEVELS
from upcasters.document import Array, JsonNode, Object, Unread, ValueType
from upcasters.duplicates import refuse_twice
from upcasters.errors import DecodeError, TooDeep, WrongType
from upcasters.formats.implied import spend
from upcasters.formats.protobuf.scalars import decoded, record, scalar_type
from upcasters.formats.protobuf.types import FOUR, LENGTH, NO_ONEOF, UNKNOWN, VARINT, FieldType, MessageType
from upcasters.formats.protobuf.wire import after, records, tag_at, too_early, varint, wrong
from upcasters.formats.touching import Touched
from upcasters.paths import EACH

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_VALUES: Final[dict[int, ValueType]] = {
    2: "number",
    3: "string",
    4: "boolean",
    5: "object",
    6: "array",
}
"""By the numbers of the members of ``google.protobuf.Value``; 1 is null, as is none of them."""


MOST_BYTES_OF_LEVELS: Final = 2**29
"""Of all levels of a value that is read whole: each has the bytes of all that is inside of it."""

_KEY_TAG: Final = 1 << 3 | LENGTH
_VALUE_TAG: Final = 2 << 3 | LENGTH
"""Of a text and of what has a length, in the entry of a map."""


class ProtobufSpan(Unread, frozen=True, eq=False, gc=False):
    """The records of one field as they stand in the value, with their tags: none or many where the field is repeated
    or a map, else one, or several of which the last one counts. Never a null."""

    field: FieldType
    data: bytes

    @property
    def value_type(self) -> ValueType:
        one = self.field
        if one.is_repeated:
            return "array"
        if one.is_map:
            return "object"
        if one.message is not None:
            return _TYPES_OF_MESSAGES[one.message.well_known](one, self.data)
        if one.enum is not None:
            return "string" if type(decoded(one, content_of(one, self.data))) is str else "number"
        return scalar_type(one)

    @property
    def weight(self) -> int:
        return len(self.data)

    def opened(self) -> Object | Array:
        one = self.field
        if one.is_repeated:
            return _items(one.of_item, self.data)
        if one.is_map:
            return _entries(one, self.data)
        return _OPENERS[one.well_known](one.of_message, content_of(one, self.data))

    def is_opened_for(self, inside: Touched) -> bool:
        """Whether a path leads into it."""
        kind = self.value_type
        return kind == "object" or (kind == "array" and EACH in inside)

    def plain(self) -> Any:
        return _whole(self, 0)


def opened(message: MessageType, data: bytes) -> Object:  # noqa: C901, PLR0912, PLR0915  # one pass, and no calls in it
    """The fields of a message, each still its bytes. Raises DecodeError for what is no message."""
    known = message.by_tag
    found: dict[FieldType | None, bytes] = {}
    more: dict[FieldType | None, list[bytes]] = {}
    position = run = 0
    size = len(data)
    last: int | None = None
    run_of: FieldType | None = None
    try:
        while position < size:
            start = position
            tag = data[position]
            if tag < 128:
                position += 1
            else:
                tag, position = tag_at(data, position)
            wire = tag & 7
            if wire == LENGTH:
                count = data[position]
                position += 1
                if count > 127:
                    count, position = varint(data, position - 1)
                position += count
            elif wire == VARINT and data[position] < 128:
                position += 1
            else:
                position = after(data, position, tag, start)
            if tag != last:
                if last is not None:
                    _keep(run_of, data[run:start], found, more)
                if tag < 8:
                    raise wrong("a tag that no field may have", start)
                last, run, run_of = tag, start, known.get(tag)
    except IndexError:
        raise too_early() from None
    if position > size:
        raise too_early()
    if last is not None:
        _keep(run_of, data[run:], found, more)
    if message.oneofs:
        _settle_oneofs(message, data, found, more)
    if len(message.always) > size:
        spend(len(message.always))
    made = message.always.copy()
    for one, chunk in found.items():
        whole = b"".join([chunk, *more[one]]) if one in more else chunk
        if one is None:
            made[UNKNOWN] = whole
        else:
            made[one.name] = _nullable(one, whole) if one.opens_to_null else ProtobufSpan(one, whole)
    return made


def _keep(
    one: FieldType | None,
    chunk: bytes,
    found: dict[FieldType | None, bytes],
    more: dict[FieldType | None, list[bytes]],
) -> None:
    if one in found:
        more.setdefault(one, []).append(chunk)
    else:
        found[one] = chunk


def _settle_oneofs(
    message: MessageType,
    data: bytes,
    found: dict[FieldType | None, bytes],
    more: dict[FieldType | None, list[bytes]],
) -> None:
    """Keep of each oneof the member that was written last, and what was written of it since another one was."""
    if not any(sum(one in found for one in members) > 1 for members in message.oneofs):
        return
    last: dict[int, tuple[FieldType, list[bytes]]] = {}
    for each in records(data):
        one = message.by_tag.get(each.tag)
        if one is None or one.oneof == NO_ONEOF:
            continue
        before = last.get(one.oneof)
        if before is None or before[0] is not one:
            before = last[one.oneof] = (one, [])
        before[1].append(data[each.begin : each.next])
    for number, (one, parts) in last.items():
        for other in message.oneofs[number]:
            found.pop(other, None)
            more.pop(other, None)
        found[one] = b"".join(parts)


def _nullable(one: FieldType, data: bytes) -> JsonNode:
    span = ProtobufSpan(one, data)
    return None if _member(one, data)[0] in (0, 1) else span


def open_touched(node: Object | Array, touched: Touched) -> None:
    """Open what lies on the way to a path that somebody looks at; an array only where its items are."""
    is_object = type(node) is dict
    for part, inside in touched.items():
        if not inside or not (is_object or part is EACH):
            continue
        for key in [part] if part is not EACH else list(node) if is_object else range(len(node)):
            child = node.get(key) if is_object else node[key]  # type: ignore[union-attr]  # an Object where is_object says so
            if type(child) is ProtobufSpan and child.is_opened_for(inside):
                node[key] = child = child.opened()
            if type(child) is dict or type(child) is list:
                open_touched(child, inside)


def content_of(one: FieldType, data: bytes) -> bytes:
    """The content of a single value: that of its last record; a message that came in parts is all of them."""
    size = len(data)
    if one.wire == LENGTH and size > 1 and data[0] < 128 and data[1] == size - 2 < 128:
        return data[2:]  # one short record, as most are
    parts = [data[found.start : found.end] for found in records(data)]
    if one.message is None or len(parts) == 1:
        return parts[-1]
    return b"".join(parts)


def _items(item: FieldType, data: bytes) -> Array:
    """The items of a repeated field, whether they came packed or one by one."""
    made: Array = []
    for found in records(data):
        if found.tag & 7 == LENGTH != item.wire:
            _unpack(item, data[found.start : found.end], made)
        elif item.wire == VARINT:
            made.append(decoded(item, data[found.start : found.end]))
        else:
            own = data[found.begin : found.next]
            made.append(_nullable(item, own) if item.opens_to_null else ProtobufSpan(item, own))
    return made


def _unpack(item: FieldType, data: bytes, made: Array) -> None:
    if item.wire != VARINT:
        size = 4 if item.wire == FOUR else 8
        if len(data) % size:
            raise wrong("packed items of another size", len(data))
        made.extend(ProtobufSpan(item, item.tag + data[at : at + size]) for at in range(0, len(data), size))
        return
    position = 0
    try:
        while position < len(data):
            end = varint(data, position)[1]
            made.append(decoded(item, data[position:end]))
            position = end
    except IndexError:
        raise too_early() from None


def _entries(one: FieldType, data: bytes) -> Object:
    """A map; the key of each entry as a text."""
    assert one.key is not None
    key, item = one.key, one.of_item
    made: Object = {}
    for found in records(data):
        start, end = found.start, found.end
        middle = _short_key(key, item, data, start, end)
        if middle:
            name, node = _key_of(data[start + 2 : middle]), data[middle:end]
            value = _nullable(item, node) if item.opens_to_null else ProtobufSpan(item, node)
        else:
            name, value = _entry(key, item, data[start:end])
        if name in made:
            refuse_twice()
        made[name] = value
    return made


def _short_key(key: FieldType, item: FieldType, data: bytes, start: int, end: int) -> int:
    """Where the value begins in an entry that is a short text and one short record, as most are; 0 for others."""
    if key.kind != "string" or item.wire != LENGTH or end - start < 4 or data[start] != _KEY_TAG:
        return 0
    middle = start + 2 + data[start + 1]
    if middle + 2 > end or data[start + 1] > 127 or data[middle] != _VALUE_TAG:
        return 0
    return middle if data[middle + 1] == end - middle - 2 < 128 else 0


def _key_of(content: bytes) -> str:
    try:
        return str(content, "utf-8")
    except UnicodeDecodeError:
        raise DecodeError("a map has a key that is not UTF-8") from None


def _entry(key: FieldType, item: FieldType, entry: bytes) -> tuple[str, JsonNode]:
    parts: dict[int, list[bytes]] = {}
    for each in records(entry):
        parts.setdefault(each.tag, []).append(entry[each.begin : each.next])
    keys = parts.pop(key.number << 3 | key.wire, None)
    values = parts.pop(item.number << 3 | item.wire, None)
    if parts:
        raise DecodeError("an entry of a map has more than a key and a value")
    content = content_of(key, b"".join(keys)) if keys else None
    if key.kind == "string":
        name = _key_of(content or b"")
    else:
        name = key_text(default_of(key) if content is None else decoded(key, content))
    return name, _value_of_entry(item, b"".join(values) if values else None)


def key_text(key: Any) -> str:
    """A map's key as the key of an object."""
    return str(key).lower() if type(key) is bool else str(key)


def _value_of_entry(item: FieldType, data: bytes | None) -> JsonNode:
    if data is None:
        if item.message is None:
            return default_of(item)
        data = record(item, b"")
    return _nullable(item, data) if item.opens_to_null else ProtobufSpan(item, data)


def default_of(one: FieldType) -> Any:
    """What a scalar is that is not written, as a Python value."""
    if one.enum is not None:
        return one.enum.names.get(0, 0)
    return _DEFAULTS.get(one.kind, 0)


_DEFAULTS: Final[dict[str, Any]] = {"bool": False, "float": 0.0, "double": 0.0, "string": "", "bytes": b""}


# Messages that stand for a value of their own.


def _member(one: FieldType, data: bytes) -> tuple[int, bytes]:
    """Which member of a ``google.protobuf.Value`` is set, by its number, and its records; 0 for none."""
    content = content_of(one, data)
    number, last = 0, b""
    for found in records(content):
        came = found.tag >> 3
        if came in _VALUES or came == 1:
            own = content[found.begin : found.next]
            last = last + own if came == number and came > 4 else own
            number = came
    return number, last


def _type_of_value(one: FieldType, data: bytes) -> ValueType:
    return _VALUES.get(_member(one, data)[0], "null")


_TYPES_OF_MESSAGES: Final[dict[str, Callable[[FieldType, bytes], ValueType]]] = {
    "": lambda *_: "object",
    "timestamp": lambda *_: "timestamp",
    "duration": lambda *_: "duration",
    "wrapper": lambda one, _: scalar_type(one.of_message.fields[0]),
    "struct": lambda *_: "object",
    "list": lambda *_: "array",
    "value": _type_of_value,
}


def _inner(message: MessageType, content: bytes) -> Object | Array:
    """What stands in the only field of a Struct or a ListValue."""
    found = opened(message, content)
    _refuse_unknown(message, found)
    made: Object | Array = found[message.fields[0].name].opened()
    return made


def _inner_of_value(message: MessageType, content: bytes) -> Object | Array:
    found = opened(message, content)
    _refuse_unknown(message, found)
    made: Object | Array = next(iter(found.values())).opened()
    return made


def _refuse_unknown(message: MessageType, found: Object) -> None:
    """What stands for one value has no place to keep them in."""
    if UNKNOWN in found:
        raise WrongType(f"a {message.name} with fields that its schema does not have")


_OPENERS: Final[dict[str, Callable[[MessageType, bytes], Object | Array]]] = {
    "": opened,
    "struct": _inner,
    "list": _inner,
    "value": _inner_of_value,
}


def _parts(one: FieldType, data: bytes) -> Object:
    """The fields of a message that stands for one value, as Python values; it may have no others."""
    found = opened(one.of_message, content_of(one, data))
    _refuse_unknown(one.of_message, found)
    return {name: node.plain() if isinstance(node, ProtobufSpan) else node for name, node in found.items()}


def _time(one: FieldType, data: bytes) -> dt.timedelta:
    """Seconds and nanoseconds. Raises WrongType where Python has no such time."""
    found = _parts(one, data)
    microseconds, rest = divmod(found["nanos"], 1_000)
    if rest:
        raise WrongType(f"a {one.of_message.name} with nanoseconds, which Python cannot compute with")
    return dt.timedelta(seconds=found["seconds"], microseconds=microseconds)


def _timestamp(one: FieldType, data: bytes) -> dt.datetime:
    return _EPOCH + _time(one, data)


def _wrapped(one: FieldType, data: bytes) -> Any:
    return _parts(one, data)["value"]


def _scalar_of_value(one: FieldType, data: bytes) -> Any:
    number, own = _member(one, data)
    inner = one.of_message.by_number[number]
    return None if number in (0, 1) else decoded(inner, content_of(inner, own))


_PLAIN: Final[dict[str, Callable[[FieldType, bytes], Any]]] = {
    "timestamp": _timestamp,
    "duration": _time,
    "wrapper": _wrapped,
    "value": _scalar_of_value,
}


def _whole(span: ProtobufSpan, level: int) -> Any:
    """A value as Python values, down to its leaves; one frame a level."""
    if level > MOST_LEVELS:
        raise TooDeep("the value", "decode")
    one = span.field
    kind = span.value_type
    if kind in ("object", "array"):
        if level * len(span.data) > MOST_BYTES_OF_LEVELS:
            raise DecodeError(f"the value is too large for one that is {level} levels deep")
        made: Any = span.opened()
        for key, child in made.items() if kind == "object" else enumerate(made):
            if type(child) is ProtobufSpan:
                made[key] = _whole(child, level + 1)
        return made
    try:
        if one.message is not None:
            return _PLAIN[one.well_known](one, span.data)
        return decoded(one, content_of(one, span.data))
    except (OverflowError, ValueError):
        raise WrongType(f"a {one.message.name if one.message else one.kind} that Python cannot compute with") from None
