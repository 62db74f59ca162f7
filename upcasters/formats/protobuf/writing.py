"""Documents as messages of one schema, field by field in the order of their numbers, as google's writers have it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

from upcasters.depth import MOST_LEVELS
from upcasters.document import JsonNode, Object, json_type, open_array, open_object, plain
from upcasters.errors import EventError, TooDeep
from upcasters.formats.protobuf.reading import ProtobufSpan, content_of, key_text
from upcasters.formats.protobuf.scalars import NoPlaceError, encoded, no_place, record
from upcasters.formats.protobuf.splicing import COPIED, OTHERWISE, Spliced
from upcasters.formats.protobuf.types import END, GROUP, LENGTH, NO_ONEOF, UNKNOWN, FieldType, MessageType
from upcasters.formats.protobuf.wire import records, written
from upcasters.paths import Item, show

Out = Callable[[bytes], object]

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SECOND: Final = dt.timedelta(seconds=1)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_LONGEST_DURATION: Final = dt.timedelta(seconds=315_576_000_000)
_MISSING: Final = object()
_NULL_VALUE: Final = b"\x08\x00"


class Writing:
    """Writes documents as messages of one type."""

    def __init__(self, message: MessageType) -> None:
        self._message_type = message
        self._plans: dict[MessageType, list[tuple[str, FieldType, Spliced]]] = {}
        self._spliced: dict[FieldType, Spliced] = {}

    def __call__(self, root: Object) -> bytes:
        """The document as bytes. Raises InvalidEvent where the schema has no place for it, and TooDeep."""
        parts: list[bytes] = []
        try:
            self._message(self._message_type, root, parts.append, 0)
        except RecursionError:
            raise TooDeep("the result", "encode") from None
        return b"".join(parts)

    def _plan(self, message: MessageType) -> list[tuple[str, FieldType, Spliced]]:
        plan = [(one.name, one, self._same(one)) for _, one in sorted(message.by_number.items())]
        self._plans[message] = plan
        return plan

    def _same(self, one: FieldType) -> Spliced:
        found = self._spliced.get(one)
        if found is None:
            found = self._spliced[one] = Spliced(one)
        return found

    def _message(self, message: MessageType, node: Object, out: Out, level: int) -> None:  # noqa: C901  # one pass over the fields, and no calls in it
        if level > MOST_LEVELS:
            raise TooDeep("the result", "encode")
        found = 0
        for name, one, same in self._plans.get(message) or self._plan(message):
            value = node.get(name, _MISSING)
            if value is _MISSING:
                if one.is_required:
                    raise NoPlaceError(f"{show((name,))} is missing, and the target's schema requires it", (name,))
                continue
            found += 1
            if type(value) is ProtobufSpan and same[value.field] == COPIED:
                out(value.data)
                continue
            try:
                if type(value) is dict and one.nests:
                    inner: list[bytes] = []  # no calls in between: each would take a frame of its own a level
                    self._message(one.of_message, value, inner.append, level + 1)
                    out(self._one_record(one, b"".join(inner)))
                else:
                    self._field(one, value, out, level)
            except EventError as error:
                raise error.inside((name,)) from None
        if message.oneofs:
            _refuse_two_of_one(message, node)
        if found != len(node):
            _put_unknown(message, node, out)

    def _field(self, one: FieldType, value: JsonNode, out: Out, level: int) -> None:
        if one.is_repeated:
            self._repeated(one, value, out, level)
        elif one.is_map:
            self._map(one, value, out, level)
        elif type(value) is ProtobufSpan and self._renumbered(one, value, out):
            return
        elif json_type(value) == "null":
            self._null(one, value, out)
        elif one.message is not None:
            out(self._framed(one, value, level))
        else:
            content = encoded(one, plain(value))
            is_default = not content if one.wire == LENGTH else not any(content)
            if one.has_presence or not is_default:
                out(record(one, content))

    def _renumbered(self, one: FieldType, value: ProtobufSpan, out: Out) -> bool:
        """Write what is the same value but for its tags; False where it is none, or groups would lose theirs."""
        if self._same(one)[value.field] == OTHERWISE or one.wire == GROUP:
            return False
        for each in records(value.data):
            out(written(one.number << 3 | each.tag & 7))
            out(value.data[each.begin + len(_tag(value.data, each.begin)) : each.next])
        return True

    def _null(self, one: FieldType, value: JsonNode, out: Out) -> None:
        """Protobuf has no null: a field that may be unset is not set."""
        if one.opens_to_null:
            out(self._one_record(one, _NULL_VALUE))
        elif not one.has_presence or one.is_required:
            raise no_place(one, value)

    def _repeated(self, one: FieldType, value: JsonNode, out: Out, level: int) -> None:
        if type(value) is ProtobufSpan and self._renumbered(one, value, out):
            return
        if json_type(value) != "array":
            raise no_place(one, value)
        item = one.of_item
        packed: list[bytes] = []
        put = packed.append if one.is_packed else out
        for position, node in enumerate(open_array(value)):
            try:
                put(self._packed(item, node) if one.is_packed else self._item(item, node, level))
            except EventError as error:
                raise error.inside((Item(position),)) from None
        if packed:
            content = b"".join(packed)
            out(written(one.number << 3 | LENGTH) + written(len(content)) + content)

    def _packed(self, item: FieldType, node: JsonNode) -> bytes:
        if type(node) is ProtobufSpan and self._same(item)[node.field] != OTHERWISE:
            return content_of(node.field, node.data)
        return encoded(item, plain(node))

    def _item(self, item: FieldType, node: JsonNode, level: int) -> bytes:
        """One record, whatever came: a value that came in several would be several items."""
        if type(node) is ProtobufSpan and self._same(item)[node.field] != OTHERWISE:
            return self._one_record(item, content_of(node.field, node.data))
        if json_type(node) == "null":
            if not item.opens_to_null:
                raise no_place(item, node)
            return self._one_record(item, _NULL_VALUE)
        if item.message is not None:
            return self._framed(item, node, level)
        return record(item, encoded(item, plain(node)))

    @staticmethod
    def _one_record(one: FieldType, content: bytes) -> bytes:
        if one.wire != GROUP:
            return record(one, content)
        return one.tag + content + written(one.number << 3 | END)

    def _map(self, one: FieldType, value: JsonNode, out: Out, level: int) -> None:
        if type(value) is ProtobufSpan and self._renumbered(one, value, out):
            return
        if json_type(value) != "object":
            raise no_place(one, value)
        assert one.key is not None
        for position, (name, node) in enumerate(open_object(value).items()):
            try:
                entry = record(one.key, encoded(one.key, _key(one.key, name))) + self._item(one.of_item, node, level)
            except EventError as error:
                raise error.inside((Item(position),)) from None
            out(record(one, entry))

    # Messages.

    def _framed(self, one: FieldType, value: JsonNode, level: int) -> bytes:
        return self._one_record(one, self._content(one, value, level + 1))

    def _content(self, one: FieldType, value: JsonNode, level: int) -> bytes:
        message = one.of_message
        if message.well_known:
            return self._well_known(one, value, level)
        if json_type(value) != "object":
            raise no_place(one, value)
        parts: list[bytes] = []
        self._message(message, open_object(value), parts.append, level)
        return b"".join(parts)

    def _well_known(self, one: FieldType, value: JsonNode, level: int) -> bytes:
        message = one.of_message
        parts: list[bytes] = []
        if level > MOST_LEVELS:
            raise TooDeep("the result", "encode")
        match message.well_known:
            case "timestamp" | "duration":
                return _time(one, plain(value))
            case "struct" | "list" | "wrapper":
                (inner,) = message.fields
                self._field(inner, value, parts.append, level)
            case _:
                self._field(_member_for(one, value), value, parts.append, level)
        return b"".join(parts)


def _tag(data: bytes, begin: int) -> bytes:
    end = begin
    while data[end] > 127:
        end += 1
    return data[begin : end + 1]


_MEMBERS: Final = {"number": 2, "string": 3, "boolean": 4, "object": 5, "array": 6}


def _member_for(one: FieldType, value: JsonNode) -> FieldType:
    """The member of a ``google.protobuf.Value`` that a value takes."""
    number = _MEMBERS.get(json_type(value))
    if number is None:
        raise no_place(one, value)
    return one.of_message.by_number[number]


def _key(one: FieldType, name: str) -> Any:
    """The key of an entry out of the key of an object. Raises NoPlaceError where it is spelled in another way."""
    if one.kind == "string":
        return name
    try:
        key = {"true": True, "false": False}[name] if one.kind == "bool" else int(name)
    except (KeyError, ValueError):
        raise no_place(one, name, "a key") from None
    if key_text(key) != name:
        raise no_place(one, name, "a key")
    return key


def _time(one: FieldType, value: Any) -> bytes:
    seconds, rest = divmod(_since_epoch(one, value) if one.well_known == "timestamp" else _length(one, value), _SECOND)
    nanos = rest // _MICROSECOND * 1_000
    if one.well_known == "duration" and seconds < 0 < nanos:
        seconds, nanos = seconds + 1, nanos - 1_000_000_000
    parts = zip(one.of_message.fields, (seconds, nanos), strict=True)
    return b"".join(record(part, encoded(part, number)) for part, number in parts if number)


def _since_epoch(one: FieldType, value: Any) -> dt.timedelta:
    if type(value) is not dt.datetime:
        raise no_place(one, value)
    if value.utcoffset() is None:
        raise no_place(one, value, "a timestamp without a time zone")
    return value - _EPOCH


def _length(one: FieldType, value: Any) -> dt.timedelta:
    if type(value) is not dt.timedelta:
        raise no_place(one, value)
    if abs(value) > _LONGEST_DURATION:
        raise no_place(one, value, "a duration too long")
    return value


def _refuse_two_of_one(message: MessageType, node: Object) -> None:
    taken: dict[int, str] = {}
    for name, value in node.items():
        one = message.by_name.get(name)
        if one is None or one.oneof == NO_ONEOF or (json_type(value) == "null" and not one.opens_to_null):
            continue
        if one.oneof in taken:
            both = f"{show((taken[one.oneof],))} and {show((name,))}"
            raise NoPlaceError(f"{both} are both set, and the target's schema takes one of them", (name,))
        taken[one.oneof] = name


def _put_unknown(message: MessageType, node: Object, out: Out) -> None:
    """Fields that the schema of the value did not have go along where the target's has none of their numbers."""
    for name in node:
        if name not in message.by_name and name != UNKNOWN:
            raise NoPlaceError(f"{show((name,))} has no place in the target's schema", (name,))
    data = plain(node[UNKNOWN])
    if type(data) is not bytes:
        raise NoPlaceError(f"{UNKNOWN} are bytes, and a {json_type(data)} is none", (UNKNOWN,))
    try:
        numbers = [each.tag >> 3 for each in records(data)]
    except EventError:
        raise NoPlaceError(f"{UNKNOWN} hold what is no field", (UNKNOWN,)) from None
    if taken := next((number for number in numbers if number in message.by_number), None):
        what = f"an unknown field has the number {taken}, which is that of another field in the target's schema"
        raise NoPlaceError(what, (UNKNOWN,))
    out(data)
