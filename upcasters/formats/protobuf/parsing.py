"""A schema as messages: what its descriptors declare, in types of our own. google's protobuf reads schemas alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from upcasters.formats.protobuf.compiling import compiled
from upcasters.formats.protobuf.reading import ProtobufSpan, default_of
from upcasters.formats.protobuf.types import (
    GROUP,
    LENGTH,
    VARINT,
    WELL_KNOWN,
    WIRES,
    EnumType,
    FieldType,
    Kind,
    MessageType,
)
from upcasters.formats.protobuf.wire import written
from upcasters.formats.schema import Reference, Schema, SchemaError

_KEPT: Final = 64
MOST_FIELDS: Final = 20_000

_KINDS: Final[Mapping[int, Kind]] = {
    1: "double",
    2: "float",
    3: "int64",
    4: "uint64",
    5: "int32",
    6: "fixed64",
    7: "fixed32",
    8: "bool",
    9: "string",
    10: "message",
    11: "message",
    12: "bytes",
    13: "uint32",
    14: "enum",
    15: "sfixed32",
    16: "sfixed64",
    17: "sint32",
    18: "sint64",
}
_GROUP_TYPE: Final = 10
_VERIFIED: Final = 2


@lru_cache(maxsize=_KEPT)
def message_type(schema: Schema) -> MessageType:
    """The message that a schema means: the one that it names, else the first one. Raises SchemaError."""
    file = compiled(schema).file
    found = _named(file, schema.message) if schema.message else next(iter(file.message_types_by_name.values()), None)
    if found is None:
        what = f"no message {schema.message}" if schema.message else "no message"
        raise SchemaError(f"the Protobuf schema declares {what}", "Name one of those that it declares.")
    return _Builder().build(found)


def _named(file: Any, full_name: str) -> Any:
    for path in _paths(file):
        if _at(file, path).full_name == full_name:
            return _at(file, path)
    return None


# Messages by their places in a file, as a frame has them.


@lru_cache(maxsize=_KEPT)
def _messages(schema: Schema) -> Mapping[tuple[int, ...], str]:
    file = compiled(schema).file
    return {path: _at(file, path).full_name for path in _paths(file)}


def message_at(schema: Schema, indexes: Sequence[int]) -> str | None:
    """The full name of a message of a schema, by its place in the file and those of what it is declared in."""
    return _messages(schema).get(tuple(indexes))


def indexes_of(schema: Schema, message: str = "") -> tuple[int, ...]:
    """The place of a message, or of the one that the schema means. Raises SchemaError where it declares none such."""
    found = message or message_type(schema).name
    for indexes, name in _messages(schema).items():
        if name == found:
            return indexes
    raise SchemaError(f"the Protobuf schema declares no message {found}", "Name one of those that it declares.")


def _paths(file: Any) -> Iterator[tuple[int, ...]]:
    waiting: list[tuple[tuple[int, ...], Any]] = [
        ((number,), each) for number, each in enumerate(file.message_types_by_name.values())
    ]
    for path, message in waiting:
        yield path
        waiting.extend(((*path, number), each) for number, each in enumerate(message.nested_types))
        if len(waiting) > MOST_FIELDS:
            raise _too_large()


def _at(file: Any, path: tuple[int, ...]) -> Any:
    found = list(file.message_types_by_name.values())[path[0]]
    for number in path[1:]:
        found = found.nested_types[number]
    return found


def _too_large() -> SchemaError:
    return SchemaError(f"the Protobuf schema has more than {MOST_FIELDS} fields", "Use a smaller schema.")


# Schemas out of compiled ones.


def schema_of(message: Any) -> Schema:
    """The schema of a message of a generated module, such as ``order_pb2.Order``, or of its descriptor."""
    descriptor = getattr(message, "DESCRIPTOR", message)
    imported: dict[str, Any] = {}
    waiting = list(descriptor.file.dependencies)
    while waiting:
        file = waiting.pop()
        if file.name not in imported:
            imported[file.name] = file
            waiting.extend(file.dependencies)
    references = tuple(Reference(name, Schema("protobuf", _in_base64(file))) for name, file in sorted(imported.items()))
    return Schema("protobuf", _in_base64(descriptor.file), references, descriptor.full_name)


def _in_base64(file: Any) -> str:
    return base64.b64encode(file.serialized_pb).decode()


def schema_of_set(content: bytes, message: str) -> Schema:
    """The schema of a message in a compiled set of files, as ``protoc --include_imports --descriptor_set_out`` makes.

    Raises SchemaError where the set has no such message.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool

    pool = descriptor_pool.DescriptorPool()
    try:
        for file in descriptor_pb2.FileDescriptorSet.FromString(content).file:
            pool.AddSerializedFile(file.SerializeToString())
        return schema_of(pool.FindMessageTypeByName(message))
    except Exception as error:  # noqa: BLE001  # what google's own errors are called differs
        what = f"the set of compiled files has no message {message} ({type(error).__name__})"
        raise SchemaError(what, "Compile it with --include_imports, and name a message in full.") from None


class _Builder:
    """Types out of descriptors, however they refer to each other."""

    def __init__(self) -> None:
        self._messages: dict[str, MessageType] = {}
        self._enums: dict[str, EnumType] = {}
        self._waiting: list[Any] = []
        self._fields = 0

    def build(self, top: Any) -> MessageType:
        made = self._message(top)
        while self._waiting:
            descriptor = self._waiting.pop()
            self._fill(self._messages[descriptor.full_name], descriptor)
        for each in self._messages.values():
            _finish(each)
        return made

    def _message(self, descriptor: Any) -> MessageType:
        name = descriptor.full_name
        if name not in self._messages:
            self._messages[name] = MessageType(name, WELL_KNOWN.get(name, ""))
            self._waiting.append(descriptor)
        return self._messages[name]

    def _fill(self, message: MessageType, descriptor: Any) -> None:
        message.fields = tuple(self._field(each) for each in descriptor.fields)
        by_name = {one.name: one for one in message.fields}
        several = [[by_name[each.name] for each in one.fields] for one in descriptor.oneofs if len(one.fields) > 1]
        message.oneofs = tuple(map(tuple, several))
        for number, members in enumerate(message.oneofs):
            for one in members:
                one.oneof = number
        self._fields += len(message.fields)
        if self._fields > MOST_FIELDS:
            raise _too_large()

    def _field(self, descriptor: Any) -> FieldType:
        made = self._value(descriptor)
        made.is_required = descriptor.is_required
        made.has_presence = descriptor.has_presence
        if descriptor.is_repeated:
            made.is_repeated, made.is_packed, made.opens_to_null = True, descriptor.is_packed, False
            made.item = self._value(descriptor)
            made.item.has_presence = True
            if descriptor.message_type and descriptor.message_type.GetOptions().map_entry:
                made.key, made.item = (self._entry_part(each) for each in descriptor.message_type.fields)
                made.message, made.is_repeated = None, False
        return made

    def _entry_part(self, descriptor: Any) -> FieldType:
        """The key or value of an entry, which is always there."""
        made = self._value(descriptor)
        made.has_presence = True
        return made

    def _value(self, descriptor: Any) -> FieldType:
        kind = _KINDS[descriptor.type]
        wire = GROUP if descriptor.type == _GROUP_TYPE else WIRES.get(kind, VARINT)
        made = FieldType(descriptor.name, descriptor.number, kind, wire)
        made.tag = written(descriptor.number << 3 | wire)
        if kind == "message":
            is_entry = descriptor.message_type.GetOptions().map_entry
            made.message = None if is_entry else self._message(descriptor.message_type)
            made.opens_to_null = made.well_known == "value"
        elif kind == "enum":
            made.enum = self._enum(descriptor.enum_type)
        elif kind == "string":
            # Nothing public says what an edition, its file and its message together make of a field.
            made.is_checked_text = descriptor._GetFeatures().utf8_validation == _VERIFIED  # noqa: SLF001  # protobuf tells the features of a descriptor nowhere else
        return made

    def _enum(self, descriptor: Any) -> EnumType:
        if descriptor.full_name not in self._enums:
            numbers = {each.name: each.number for each in descriptor.values}
            names: dict[int, str] = {}
            for name, number in numbers.items():
                names.setdefault(number, name)
            self._enums[descriptor.full_name] = EnumType(descriptor.full_name, numbers, names)
        return self._enums[descriptor.full_name]


def _finish(message: MessageType) -> None:
    for one in message.fields:
        message.by_name[one.name] = message.by_number[one.number] = one
        message.by_tag[one.number << 3 | one.wire] = one
        if one.is_repeated and one.wire not in (LENGTH, GROUP):
            message.by_tag[one.number << 3 | LENGTH] = one
        if one.is_repeated or one.is_map:
            message.always[one.name] = ProtobufSpan(one, b"")
        elif not one.has_presence:
            message.always[one.name] = default_of(one)


# What tells two schemas apart.


def canonical(schema: Schema) -> str:
    """All that makes a difference to values of the schema's message, and nothing else. Raises SchemaError."""
    top = message_type(schema)
    known = {top.name: top}
    waiting = [top]
    for message in waiting:
        for one in message.fields:
            for inner in (one.message, one.item.message if one.item else None):
                if inner is not None and inner.name not in known:
                    known[inner.name] = inner
                    waiting.append(inner)
    said = {name: [_said_of(one) for one in message.fields] for name, message in known.items()}
    return json.dumps([top.name, said], sort_keys=True, separators=(",", ":"))


def _said_of(one: FieldType) -> list[Any]:
    inner = [_said_of(part) for part in (one.key, one.item) if part is not None]
    numbers = sorted(one.enum.numbers.items()) if one.enum else []
    flags = [one.is_repeated, one.is_packed, one.has_presence, one.is_required, one.is_checked_text]
    return [
        one.name,
        one.number,
        one.kind,
        one.wire,
        *flags,
        one.oneof,
        one.message and one.message.name,
        numbers,
        inner,
    ]
