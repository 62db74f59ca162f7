"""Made-up Protobuf schemas and values, and what google's protobuf makes of them: the oracle of these tests."""

from __future__ import annotations

import datetime as dt
from typing import Any

from google.protobuf import message_factory
from google.protobuf.internal.wire_format import INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, UINT32_MAX, UINT64_MAX
from hypothesis import strategies as st

from upcasters.formats import Schema
from upcasters.formats.protobuf.compiling import compiled

HEADS = {
    "proto3": 'syntax = "proto3";',
    "proto2": 'syntax = "proto2";',
    "explicit": 'edition = "2023"; option features.field_presence = EXPLICIT;',
    "implicit": 'edition = "2023"; option features.field_presence = IMPLICIT;'
    " option features.repeated_field_encoding = EXPANDED;",
    "delimited": 'edition = "2023"; option features.message_encoding = DELIMITED;',
}
IMPORTS = "".join(f'import "google/protobuf/{name}.proto";' for name in ("timestamp", "duration", "wrappers", "struct"))
COLORS = {"RED": 0, "BLUE": 3, "NEGATIVE": -1}
FLOATS = st.floats(width=32)
INTEGERS = {
    **dict.fromkeys(("int32", "sint32", "sfixed32"), st.integers(INT32_MIN, INT32_MAX)),
    **dict.fromkeys(("int64", "sint64", "sfixed64"), st.integers(INT64_MIN, INT64_MAX)),
    **dict.fromkeys(("uint32", "fixed32"), st.integers(0, UINT32_MAX)),
    **dict.fromkeys(("uint64", "fixed64"), st.integers(0, UINT64_MAX)),
}
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    **INTEGERS,
    "bool": st.booleans(),
    "float": FLOATS,
    "double": st.floats(),
    "string": st.text(max_size=8),
    "bytes": st.binary(max_size=8),
}
MOMENTS = st.datetimes(timezones=st.just(dt.UTC))
SPANS = st.timedeltas(dt.timedelta(days=-3_000_000), dt.timedelta(days=3_000_000))
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
OBJECTS: dict[str, st.SearchStrategy[Any]] = {
    "google.protobuf.Timestamp": MOMENTS,
    "google.protobuf.Duration": SPANS,
    "google.protobuf.StringValue": SCALARS["string"],
    "google.protobuf.Int64Value": SCALARS["int64"],
    "google.protobuf.Struct": st.dictionaries(st.text(max_size=3), JSON, max_size=3),
    "google.protobuf.Value": JSON,
    "google.protobuf.ListValue": st.lists(JSON, max_size=3),
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **SCALARS,
    **OBJECTS,
    "Color": st.sampled_from(sorted(COLORS)),
    "Point": st.fixed_dictionaries({}, optional={"x": SCALARS["int32"], "label": SCALARS["string"]}),
}
NUMBERS = st.integers(1, 40) | st.integers(41, 2**29 - 1).filter(lambda number: not 19_000 <= number < 20_000)


@st.composite
def schemas_and_values(draw: st.DrawFn) -> tuple[Schema, Any]:
    """A schema of a message and one of it, as google's protobuf has it."""
    syntax = draw(st.sampled_from(sorted(HEADS)))
    numbers = draw(st.lists(NUMBERS, unique=True, max_size=7))
    fields, oneof, body = [], [], []
    for position, number in enumerate(numbers):
        kind = draw(st.sampled_from(sorted(VALUES)))
        label = draw(st.sampled_from(["", "optional ", "repeated ", "map", "oneof"]))
        name = f"f{position}"
        if label == "map":
            key = draw(st.sampled_from([*INTEGERS, "bool", "string"]))
            body.append(f"map<{key}, {kind}> {name} = {number};")
        elif label == "oneof":
            key = ""
            oneof.append(f"{kind} {name} = {number};")
        else:
            key = ""
            own = label if label == "repeated " or syntax in ("proto2", "proto3") else ""
            own = "optional " if syntax == "proto2" and not own else own
            body.append(f"{own}{kind} {name} = {number};")
        fields.append((name, kind, label, key))
    members = f"oneof choice {{ {' '.join(oneof)} }}" if oneof else ""
    label = "optional " if syntax == "proto2" else ""
    text = (
        f"{HEADS[syntax]} package p; {IMPORTS} enum Color {{ RED = 0; BLUE = 3; NEGATIVE = -1; }}"
        f" message M {{ {' '.join(body)} {members} }}"
        f" message Point {{ {label}int32 x = 1; {label}string label = 2; }}"
    )
    schema = Schema("protobuf", text)
    return schema, _filled(draw, message_class(schema)(), fields)


def message_class(schema: Schema) -> Any:
    """google's class for the first message of a schema, or the one that it names."""
    made = compiled(schema)
    found = next(iter(made.file.message_types_by_name.values()))
    return message_factory.GetMessageClass(made.pool.FindMessageTypeByName(schema.message) if schema.message else found)


def _filled(draw: st.DrawFn, message: Any, fields: list[tuple[str, str, str, str]]) -> Any:
    for name, kind, label, key in fields:
        if not draw(st.integers(0, 4)):
            continue
        if label == "map":
            for each, value in draw(st.dictionaries(SCALARS[key], VALUES[kind], max_size=3)).items():
                _put(kind, getattr(message, name), each, value)
        elif label == "repeated ":
            for value in draw(st.lists(VALUES[kind], max_size=4)):
                _add(kind, getattr(message, name), value)
        else:
            _set(kind, message, name, draw(VALUES[kind]))
    return message


def _put(kind: str, entries: Any, key: Any, value: Any) -> None:
    if _is_message(kind):
        fill(kind, entries[key], value)
    else:
        entries[key] = _scalar(kind, value)


def _add(kind: str, items: Any, value: Any) -> None:
    if _is_message(kind):
        fill(kind, items.add(), value)
    else:
        items.append(_scalar(kind, value))


def _set(kind: str, message: Any, name: str, value: Any) -> None:
    if _is_message(kind):
        getattr(message, name).SetInParent()
        fill(kind, getattr(message, name), value)
    else:
        setattr(message, name, _scalar(kind, value))


def _is_message(kind: str) -> bool:
    return kind in OBJECTS or kind == "Point"


def _scalar(kind: str, value: Any) -> Any:
    return COLORS[value] if kind == "Color" else value


def fill(kind: str, message: Any, value: Any) -> None:  # noqa: C901  # a row for each kind
    """Set a message by the Python value that documents have for it."""
    match kind.rpartition(".")[2]:
        case "Timestamp":
            message.FromDatetime(value)
        case "Duration":
            message.FromTimedelta(value)
        case "StringValue" | "Int64Value":
            message.value = value
        case "Point":
            for name, part in value.items():
                setattr(message, name, part)
        case "Struct":
            for key, part in value.items():
                fill("Value", message.fields[key], part)
        case "ListValue":
            for part in value:
                fill("Value", message.values.add(), part)
        case _:
            _fill_value(message, value)


def _fill_value(message: Any, value: Any) -> None:
    match value:
        case None:
            message.null_value = 0
        case bool():
            message.bool_value = value
        case float():
            message.number_value = value
        case str():
            message.string_value = value
        case list():
            message.list_value.SetInParent()
            fill("ListValue", message.list_value, value)
        case _:
            message.struct_value.SetInParent()
            fill("Struct", message.struct_value, value)


# What documents are to hold, out of google's messages.


def document_of(message: Any) -> dict[str, Any]:
    """A message as the document that the engine is to make of it."""
    made: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.message_type and field.message_type.GetOptions().map_entry:
            own = field.message_type.fields_by_name["value"]
            made[field.name] = {_key(key): _plain(own, value[key]) for key in value}
        elif field.is_repeated:
            made[field.name] = [_plain(field, each) for each in value]
        elif not field.has_presence or message.HasField(field.name):
            made[field.name] = _plain(field, value)
    return made


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _plain(field: Any, value: Any) -> Any:  # noqa: C901, PLR0911  # a row for each kind
    if field.enum_type:
        found = field.enum_type.values_by_number.get(value)
        return found.name if found else value
    if not field.message_type:
        return value
    match field.message_type.name:
        case "Timestamp":
            return value.ToDatetime(dt.UTC)
        case "Duration":
            return value.ToTimedelta()
        case "StringValue" | "Int64Value":
            return value.value
        case "Struct":
            return {key: _plain_value(part) for key, part in value.fields.items()}
        case "ListValue":
            return [_plain_value(part) for part in value.values]
        case "Value":
            return _plain_value(value)
        case _:
            return document_of(value)


def _plain_value(value: Any) -> Any:
    match value.WhichOneof("kind"):
        case "struct_value":
            return {key: _plain_value(part) for key, part in value.struct_value.fields.items()}
        case "list_value":
            return [_plain_value(part) for part in value.list_value.values]
        case None | "null_value":
            return None
        case name:
            return getattr(value, name)
