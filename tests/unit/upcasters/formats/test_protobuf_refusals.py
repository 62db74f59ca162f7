"""Schemas of Protobuf that cannot be used are refused with the reason, and so are values that have no place."""

from __future__ import annotations

import base64
import builtins
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from upcasters.document import plain
from upcasters.errors import EventError, TooDeep, WrongType
from upcasters.formats import Reference, Schema, SchemaError
from upcasters.formats.protobuf import ProtobufFormat, compiling, parsing
from upcasters.formats.protobuf.compiling import compiled
from upcasters.formats.protobuf.parsing import message_type
from upcasters.formats.protobuf.writing import Writing

PROTOBUF = ProtobufFormat()
HEAD = 'syntax = "proto3";\n'
STAMPS = HEAD + (
    'import "google/protobuf/timestamp.proto";\nimport "google/protobuf/duration.proto";\n'
    "message M { google.protobuf.Timestamp at = 1; google.protobuf.Duration took = 2; }"
)


def file_of(name: str, *imports: str, syntax: str = "proto3") -> str:
    made = descriptor_pb2.FileDescriptorProto(name=name, dependency=imports, syntax=syntax)
    made.message_type.add(name="M")
    return base64.b64encode(made.SerializeToString()).decode()


def schema(text: str, *references: tuple[str, str], **more: Any) -> Schema:
    return Schema(
        "protobuf", text, tuple(Reference(name, Schema("protobuf", inner)) for name, inner in references), **more
    )


def refused(made: Schema) -> str:
    with pytest.raises(SchemaError) as caught:
        message_type(made)
    return str(caught.value)


REFUSED: dict[str, tuple[Callable[[], Schema], str]] = {
    "two of one name": (
        lambda: Schema(
            "protobuf",
            HEAD + 'import "a.proto"; message M {}',
            (
                Reference("a.proto", schema(HEAD + "message A {}")),
                Reference(
                    "b.proto", schema(HEAD + 'import "a.proto"; message B {}', ("a.proto", HEAD + "message Other {}"))
                ),
            ),
        ),
        "two schemas have the name a.proto",
    ),
    "a circle": (lambda: schema(file_of("a.proto", "b.proto"), ("b.proto", file_of("b.proto", "a.proto"))), "a.proto"),
    "imports itself": (
        lambda: schema(file_of("a.proto", "a.proto"), ("a.proto", file_of("a.proto", "a.proto"))),
        "a.proto imports itself",
    ),
    "compiled behind a text": (
        lambda: schema(HEAD + 'import "b.proto"; message M {}', ("b.proto", file_of("b.proto"))),
        "'b.proto' is a compiled file, and what imports it is a text",
    ),
    "a file that google refuses": (lambda: schema(file_of("a.proto", syntax="proto9")), "a.proto: TypeError"),
    "no such message": (lambda: schema(HEAD + "message M {}", message="Other"), "declares no message Other"),
}


@pytest.mark.parametrize(("make", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_a_schema_that_cannot_be_used(make: Callable[[], Schema], said: str) -> None:
    assert said in refused(make())


def test_a_compiled_file_imports_those_of_google() -> None:
    made = descriptor_pb2.FileDescriptorProto(
        name="a.proto", dependency=["google/protobuf/timestamp.proto"], syntax="proto3"
    )
    message = made.message_type.add(name="M")
    message.field.add(name="at", number=1, label=1, type=11, type_name=".google.protobuf.Timestamp")
    stamped = schema(base64.b64encode(made.SerializeToString()).decode())
    assert [one.name for one in message_type(stamped).fields] == ["at"]


def test_schemas_that_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "MOST_CHARACTERS", 10)
    assert "too large" in refused(schema(HEAD + "message Large1 {}", ("a.proto", HEAD + "message A {}")))
    monkeypatch.setattr(parsing, "MOST_FIELDS", 1)
    assert "more than 1 fields" in refused(schema(HEAD + "message Large2 { int32 a = 1; int32 b = 2; }"))
    nested = schema(HEAD + "message Large3 { message A {} message B {} }")
    with pytest.raises(SchemaError, match="more than 1 fields"):
        list(parsing._paths(compiled(nested).file))


@pytest.mark.parametrize("missing", ["google.protobuf", "grpc_tools"])
def test_without_the_extra(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == missing:
            raise ImportError
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SchemaError, match="the extra `protobuf`"):
        compiled(schema(HEAD + "message Missing {}"))


def test_a_compiler_that_gives_something_else() -> None:
    with pytest.raises(SchemaError, match="gave no descriptor"):
        compiling._content("x = 1\ny.AddSerializedFile(name)\nf(1)\n")


def test_a_pool_that_does_not_have_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_files", lambda _: iter(()))
    with pytest.raises(SchemaError, match="KeyError"):
        compiled(schema(HEAD + "message Nothing {}"))


NO_PLACE: list[tuple[str, Any, str]] = [
    ("at", dt.datetime(2024, 1, 1), "a timestamp without a time zone"),  # noqa: DTZ001  # that is the point
    ("at", 1, "a number is no"),
    ("took", "1 s", "a string is no"),
    ("took", dt.timedelta(days=200_000_000), "a duration too long"),
]


@pytest.mark.parametrize(("field", "value", "said"), NO_PLACE, ids=range(4))
def test_times_that_have_no_place(field: str, value: Any, said: str) -> None:
    with pytest.raises(EventError, match=said):
        PROTOBUF.writer(Schema("protobuf", STAMPS))({field: value})


def test_a_result_that_is_too_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Writing(message_type(Schema("protobuf", STAMPS)))
    (field, *_) = message_type(Schema("protobuf", STAMPS)).fields
    with pytest.raises(TooDeep):
        made._well_known(field, None, 10_000)

    def endless(*_: Any) -> None:
        raise RecursionError

    monkeypatch.setattr(Writing, "_message", endless)
    with pytest.raises(TooDeep):
        made({})


def test_fields_that_a_wrapper_does_not_have_are_refused_by_who_opens_it() -> None:
    text = HEAD + 'import "google/protobuf/struct.proto"; message M { google.protobuf.ListValue l = 1; }'
    read = PROTOBUF.reader(Schema("protobuf", text), [("l", "x")])
    with pytest.raises(WrongType, match="fields that its schema does not have"):
        plain(read(b"\x0a\x02\x48\x01")["l"])


def test_an_entry_of_a_map_without_its_value_has_the_default() -> None:
    text = HEAD + "message M { map<string, int32> m = 1; }"
    assert plain(PROTOBUF.reader(Schema("protobuf", text), [("m", "k")])(b"\x0a\x03\x0a\x01k")["m"]) == {"k": 0}


LISTS = "repeated string l = {}; map<string, string> m = {};"


@pytest.mark.parametrize("numbers", [(1, 2), (3_000, 4_000)])
def test_lists_and_maps_that_have_other_numbers_are_copied(numbers: tuple[int, int]) -> None:
    old, new = (Schema("protobuf", HEAD + f"message M {{ {LISTS.format(*each)} }}") for each in (numbers, (5, 6)))
    document = {"l": ["a", "b"], "m": {"x": "y"}}
    data = PROTOBUF.writer(old)(document)
    assert PROTOBUF.writer(new)(PROTOBUF.reader(old)(data)) == PROTOBUF.writer(new)(document)


INSIDE = [
    ("M a = 1;", "M a = 1;", True),
    ("optional int32 a = 1;", "int32 a = 1;", True),
    ("int32 a = 1;", "optional int32 a = 1;", True),
    ("oneof o { int32 a = 1; int32 b = 2; }", "oneof o { int32 a = 1; } oneof p { int32 b = 2; }", True),
    ("oneof o { int32 a = 1; } oneof p { int32 b = 2; }", "oneof o { int32 a = 1; int32 b = 2; }", True),
    ("int32 a = 1;", "int32 b = 1;", False),
]


@pytest.mark.parametrize(("old", "new", "kept"), INSIDE)
def test_messages_inside_are_copied_only_where_they_are_the_same(old: str, new: str, *, kept: bool) -> None:
    schemas = [
        Schema(
            "protobuf",
            HEAD + f"message Out {{ M inside = 1; }} message M {{ {text} }} message Z{n} {{}}",
            message="Out",
        )
        for n, text in enumerate((old, new))
    ]
    first = "a"
    value: Any = {first: {}} if old.startswith("M") else {first: 1}
    data = PROTOBUF.writer(schemas[0])({"inside": value})
    if not kept:
        with pytest.raises(EventError):
            PROTOBUF.writer(schemas[1])(PROTOBUF.reader(schemas[0])(data))
        return
    again = PROTOBUF.writer(schemas[1])(PROTOBUF.reader(schemas[0])(data))
    assert plain(PROTOBUF.reader(schemas[1])(again)["inside"])[first] == value[first]


def test_a_required_field_does_not_come_from_one_that_may_be_absent() -> None:
    schemas = [
        Schema(
            "protobuf",
            f'syntax = "proto2"; message Out {{ optional M inside = 1; }} message M {{ {word} int32 a = 1; }}',
            message="Out",
        )
        for word in ("optional", "required")
    ]
    data = PROTOBUF.writer(schemas[0])({"inside": {}})
    with pytest.raises(EventError):
        PROTOBUF.writer(schemas[1])(PROTOBUF.reader(schemas[0])(data))


def test_a_text_that_is_checked_does_not_come_from_one_that_is_not() -> None:
    old = Schema("protobuf", 'syntax = "proto2"; message M { optional string a = 1; }')
    new = Schema("protobuf", HEAD + "message M { string a = 1; }")
    with pytest.raises(EventError):
        PROTOBUF.writer(new)(PROTOBUF.reader(old)(b"\x0a\x01\xff"))
    assert PROTOBUF.writer(new)(PROTOBUF.reader(old)(b"\x0a\x01x")) == b"\x0a\x01x"


def test_what_a_value_has_beside_its_member_does_not_change_its_type() -> None:
    text = HEAD + 'import "google/protobuf/struct.proto"; message M { google.protobuf.Value v = 1; }'
    found = PROTOBUF.reader(Schema("protobuf", text))(b"\x0a\x05\x48\x01\x1a\x01x")["v"]
    assert found.value_type == "string"
