"""Protobuf values are read and written as google reads and writes them, whichever paths somebody looks at."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.upcasters.formats.generated_protobuf import document_of, message_class, schemas_and_values
from upcasters.document import BEYOND_JSON, plain
from upcasters.errors import EventError
from upcasters.formats import Reference, Schema, SchemaError
from upcasters.formats.protobuf import ProtobufFormat, ProtobufSpan, indexes_of, message_at, schema_of, schema_of_set
from upcasters.formats.protobuf.types import UNKNOWN
from upcasters.paths import EACH

PROTOBUF = ProtobufFormat()
PATHS = st.lists(
    st.lists(st.sampled_from(["f0", "f1", "f2", "x", EACH]), min_size=1, max_size=3).map(tuple), max_size=3
)


def read(text: str, data: bytes, touched: Any = None) -> dict[str, Any]:
    return PROTOBUF.reader(Schema("protobuf", text), touched)(data)


def written(text: str, document: dict[str, Any]) -> bytes:
    return PROTOBUF.writer(Schema("protobuf", text))(document)


def is_same(one: Any, other: Any) -> bool:
    """NaN is NaN, and 0.0 is not -0.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)


@settings(deadline=None, max_examples=60)
@given(schemas_and_values(), PATHS)
def test_what_is_read_is_what_google_reads_and_is_written_as_it_came(case: tuple[Schema, Any], paths: Any) -> None:
    schema, message = case
    data = message.SerializeToString()
    document = PROTOBUF.reader(schema, paths)(data)
    again = PROTOBUF.writer(schema)(document)
    assert message_class(schema).FromString(again).SerializeToString(deterministic=True) == message.SerializeToString(
        deterministic=True
    )
    assert is_same(plain(document), document_of(message))


@settings(deadline=None, max_examples=60)
@given(schemas_and_values())
def test_what_nobody_looks_at_keeps_its_bytes(case: tuple[Schema, Any]) -> None:
    schema, message = case
    data = message.SerializeToString()
    assert sorted(PROTOBUF.writer(schema)(PROTOBUF.reader(schema)(data))) == sorted(data)


@settings(deadline=None, max_examples=60)
@given(schemas_and_values())
def test_python_values_are_written_as_google_writes_them(case: tuple[Schema, Any]) -> None:
    schema, message = case
    made = PROTOBUF.writer(schema)(document_of(message))
    again = message_class(schema).FromString(made)
    assert is_same(document_of(again), document_of(message))
    assert again.SerializeToString(deterministic=True) == message.SerializeToString(deterministic=True)


@settings(deadline=None, max_examples=60)
@given(schemas_and_values(), schemas_and_values())
def test_a_value_that_another_schema_takes_is_the_same_value(
    one: tuple[Schema, Any], other: tuple[Schema, Any]
) -> None:
    """Or it is refused."""
    document = PROTOBUF.reader(one[0])(one[1].SerializeToString())
    values = plain(document)
    try:
        made = PROTOBUF.writer(other[0])(document)
    except EventError:
        return
    found = plain(PROTOBUF.reader(other[0])(made))
    for name, value in values.items():
        assert is_same(found.get(name), value) or value == found.get(name) or value is None
    message_class(other[0]).FromString(made)


@settings(deadline=None, max_examples=60)
@given(schemas_and_values(), st.data())
def test_bytes_that_end_too_early_are_refused_or_google_takes_them_too(case: tuple[Schema, Any], data: Any) -> None:
    schema, message = case
    value = message.SerializeToString()
    end = data.draw(st.integers(0, len(value)))
    try:
        found = plain(PROTOBUF.reader(schema)(value[:end]))
    except EventError:
        return
    assert is_same(found, document_of(message_class(schema).FromString(value[:end])))


HEAD = 'syntax = "proto3"; '


def test_a_field_without_presence_is_always_there_and_one_with_it_only_where_it_is_set() -> None:
    text = (
        HEAD
        + "message M { string a = 1; optional string b = 2; repeated int32 c = 3; map<string, int32> d = 4; M e = 5; }"
    )
    assert plain(read(text, b"")) == {"a": "", "c": [], "d": {}}
    assert plain(read(text, b"\x12\x00\x2a\x00")) == {
        "a": "",
        "c": [],
        "d": {},
        "b": "",
        "e": {"a": "", "c": [], "d": {}},
    }
    assert written(text, {"a": "", "b": "", "c": [], "d": {}, "e": {}}) == b"\x12\x00\x2a\x00"
    assert written(text, {"b": None, "e": None}) == b""


@pytest.mark.parametrize("document", [{"a": None}, {"c": None}, {"c": [None]}, {"d": {"k": None}}])
def test_a_null_has_no_place_where_nothing_may_be_unset(document: dict[str, Any]) -> None:
    text = HEAD + "message M { string a = 1; repeated int32 c = 3; map<string, int32> d = 4; }"
    with pytest.raises(EventError, match="a null is no"):
        written(text, document)


def test_an_enum_is_a_name_and_a_number_that_its_schema_does_not_have_stays_one() -> None:
    text = HEAD + "enum E { A = 0; B = 1; } message M { E e = 1; repeated E es = 2; }"
    document = read(text, b"\x08\x01\x12\x02\x00\x07")
    assert plain(document) == {"e": "B", "es": ["A", 7]}
    assert written(text, plain(document)) == b"\x08\x01\x12\x02\x00\x07"
    assert document["e"].value_type == "string"
    assert read(text, b"\x08\x09")["e"].value_type == "number"
    with pytest.raises(EventError, match="a text that is none of its names is no E"):
        written(text, {"e": "C"})


OLD = HEAD + "message M { string a = 1; N n = 2; } message N { int32 x = 1; }"


def test_unknown_fields_are_kept_at_every_level() -> None:
    data = b"\x0a\x01t\x12\x06\x08\x05\x52\x02hi\x58\x07"
    document = read(OLD, data)
    assert document[UNKNOWN] == b"\x58\x07"
    assert written(OLD, document) == data
    opened = read(OLD, data, [("n", "x")])
    assert opened["n"][UNKNOWN] == b"\x52\x02hi"
    assert written(OLD, opened) == data


@pytest.mark.parametrize(("number", "kind"), [(11, "string"), (11, "int32")])
def test_an_unknown_field_does_not_become_another_one_in_silence(number: int, kind: str) -> None:
    document = read(OLD, b"\x0a\x01t\x58\x07")
    with pytest.raises(EventError, match="an unknown field has the number 11"):
        written(HEAD + f"message M {{ string a = 1; {kind} b = {number}; }}", document)


@pytest.mark.parametrize("data", [5, b"\xff", b"\x0c", b"\x0a\x05x"])
def test_what_somebody_puts_for_unknown_fields_has_to_be_some(data: Any) -> None:
    with pytest.raises(EventError, match="unknown fields"):
        written(OLD, {UNKNOWN: data})


def test_a_nested_message_of_another_schema_is_opened_where_a_number_would_mean_another_field() -> None:
    new = HEAD + "message M { string a = 1; N n = 2; } message N { int32 x = 1; string y = 10; }"
    with pytest.raises(EventError, match="an unknown field has the number 10"):
        written(new, read(OLD, b"\x12\x06\x08\x05\x52\x02hi"))
    assert written(new, read(OLD, b"\x12\x02\x08\x05")) == b"\x12\x02\x08\x05"


def test_a_field_of_a_nested_message_that_the_target_lacks_is_not_copied_in_silence() -> None:
    text = OLD.replace("int32 x = 1;", "int32 x = 1; optional string y = 2;")
    assert written(OLD, read(text, b"\x12\x02\x08\x05")) == b"\x12\x02\x08\x05"
    with pytest.raises(EventError, match="y has no place in the target's schema"):
        written(OLD, read(text, b"\x12\x05\x08\x05\x12\x01z"))


def test_a_renumbered_field_keeps_its_content() -> None:
    new = HEAD + "message M { string a = 7; N n = 1000; } message N { int32 x = 1; }"
    padded = b"\x0a\x81\x00t\x12\x04\x08\x85\x80\x00"
    assert written(new, read(OLD, padded)) == b"\x3a\x81\x00t\xc2\x3e\x04\x08\x85\x80\x00"


def test_longer_numbers_than_need_be_come_out_as_they_came() -> None:
    padded = b"\x8a\x00\x81\x80\x00t\x12\x04\x08\x85\x80\x00"
    assert written(OLD, read(OLD, padded)) == padded
    assert plain(read(OLD, padded)) == {"a": "t", "n": {"x": 5}}


def test_a_message_that_came_in_parts_is_one_and_the_last_scalar_counts() -> None:
    data = b"\x12\x02\x08\x05\x0a\x01a\x12\x00\x0a\x01b"
    text = OLD.replace("int32 x = 1;", "int32 x = 1; string y = 2;")
    document = read(text, data + b"\x12\x03\x12\x01z")
    assert plain(document) == {"a": "b", "n": {"x": 5, "y": "z"}}


def test_of_a_oneof_the_last_member_counts() -> None:
    text = HEAD + "message M { oneof o { N a = 1; N b = 2; int32 c = 3; } } message N { int32 x = 1; int32 y = 2; }"
    one, two = b"\x0a\x02\x08\x05", b"\x0a\x02\x10\x06"
    other = b"\x12\x02\x08\x07"
    for data in (one + two, one + other + two, one + two + other, other + one + two, one + b"\x18\x01" + two):
        assert plain(read(text, data)) == document_of(message_class(Schema("protobuf", text)).FromString(data))
    with pytest.raises(EventError, match="a and c are both set"):
        written(text, {"a": {}, "c": 1})
    assert written(text, {"a": None, "c": 1}) == b"\x18\x01"


def test_packed_and_single_items_are_both_read() -> None:
    text = HEAD + "message M { repeated int32 a = 1; repeated double d = 2; }"
    data = b"\x08\x05\x0a\x02\x01\x02\x08\x07" + b"\x11" + b"\1" * 8 + b"\x12\x08" + b"\2" * 8
    assert plain(read(text, data)) == document_of(message_class(Schema("protobuf", text)).FromString(data))


def test_a_required_field_that_is_missing_is_named() -> None:
    text = (
        'syntax = "proto2"; message M { required string a = 1; optional N n = 2; } message N { required int32 x = 1; }'
    )
    with pytest.raises(EventError, match="a is missing, and the target's schema requires it"):
        written(text, {})
    with pytest.raises(EventError, match=r"x is missing, .* \(in n\)"):
        written(text, {"a": "x", "n": {}})


def test_a_group_is_a_message_by_its_name() -> None:
    text = 'syntax = "proto2"; message M { repeated group Part = 1 { optional int32 x = 2; } optional string s = 3; }'
    data = b"\x0b\x10\x05\x0c\x0b\x0c\x1a\x01s"
    document = read(text, data)
    assert plain(document) == {"part": [{"x": 5}, {}], "s": "s"}
    assert written(text, document) == written(text, plain(document)) == data


NO_PLACE: list[tuple[str, Any, str]] = [
    ("int32", 2**31, "a number too large is no int32"),
    ("uint32", -1, "a number too small is no uint32"),
    ("fixed64", 2**64, "a number too large or too small is no fixed64"),
    ("int64", 1.0, "a number is no int64"),
    ("bool", 1, "a number is no bool"),
    ("float", 1e300, "a number too large is no float"),
    ("float", 0.1234567890123, "a number of more digits is no float"),
    ("string", b"x", "bytes is no string|a bytes is no string"),
    ("string", "\ud800", "a text with a lone surrogate is no string"),
    ("bytes", "x", "a string is no bytes"),
    ("M", [], "a array is no M|an array is no M"),
    ("repeated int32", {}, "a object is no int32"),
    ("map<int32, string>", {"01": ""}, "a key is no int32"),
    ("map<bool, string>", {"yes": ""}, "a key is no bool"),
    ("google.protobuf.Timestamp", "2026-01-01", "a string is no google.protobuf.Timestamp"),
    ("google.protobuf.Value", b"", "a bytes is no google.protobuf.Value"),
]


@pytest.mark.parametrize(("kind", "value", "said"), NO_PLACE, ids=lambda one: str(one)[:30])
def test_what_has_no_place_is_refused_by_types(kind: str, value: Any, said: str) -> None:
    imports = 'import "google/protobuf/timestamp.proto"; import "google/protobuf/struct.proto"; '
    token = BEYOND_JSON.set(True)
    try:
        with pytest.raises(EventError, match=said) as caught:
            written(HEAD + imports + f"message M {{ {kind} a = 1; }}", {"a": value})
    finally:
        BEYOND_JSON.reset(token)
    assert caught.value.stage == "validate"
    assert caught.value.path.startswith("a")


def test_a_time_that_python_does_not_have_stays_as_it_is() -> None:
    text = HEAD + 'import "google/protobuf/timestamp.proto"; message M { google.protobuf.Timestamp a = 1; }'
    for data in (b"\x0a\x02\x10\x01", b"\x0a\x0b\x08" + b"\xff" * 9 + b"\x01", b"\x0a\x04\x08\x01\x18\x01"):
        document = read(text, data)
        assert document["a"].value_type == "timestamp"
        assert written(text, document) == data
    with pytest.raises(EventError, match="nanoseconds, which Python cannot compute with"):
        plain(read(text, b"\x0a\x02\x10\x01"))


# Schemas.


def test_a_schema_of_a_generated_message_is_that_of_its_text() -> None:
    text = HEAD + 'import "google/protobuf/timestamp.proto"; message M { google.protobuf.Timestamp a = 1; }'
    schema = Schema("protobuf", text)
    made = schema_of(message_class(schema))
    assert made.fingerprint == schema.fingerprint
    assert made.references[0].name == "google/protobuf/timestamp.proto"
    spaced = Schema("protobuf", "// M.\n" + text.replace("; ", " ;\n\n"))
    assert spaced.fingerprint == schema.fingerprint
    assert Schema("protobuf", text.replace("a = 1", "a = 2")).fingerprint != schema.fingerprint


def test_a_set_of_compiled_files_is_a_schema_of_one_message() -> None:
    from google.protobuf import descriptor_pb2

    schema = Schema("protobuf", HEAD + "package p; message M { N n = 1; message N { string a = 1; } }")
    files = descriptor_pb2.FileDescriptorSet()
    message_class(schema).DESCRIPTOR.file.CopyToProto(files.file.add())
    made = schema_of_set(files.SerializeToString(), "p.M.N")
    assert plain(PROTOBUF.reader(made)(b"\x0a\x01x")) == {"a": "x"}
    with pytest.raises(SchemaError, match=r"no message p\.X"):
        schema_of_set(files.SerializeToString(), "p.X")


def test_messages_are_told_by_their_places() -> None:
    text = (
        HEAD + "package p; message A { message B {} message C { message D {} } map<string, int32> m = 1; } message E {}"
    )
    schema = Schema("protobuf", text)
    for indexes, name in (((0,), "p.A"), ((0, 1), "p.A.C"), ((0, 1, 0), "p.A.C.D"), ((1,), "p.E")):
        assert message_at(schema, indexes) == name
        assert indexes_of(schema, name) == indexes
    assert message_at(schema, (7,)) is message_at(schema, ()) is None
    assert indexes_of(schema) == (0,)
    with pytest.raises(SchemaError, match=r"no message p\.X"):
        indexes_of(schema, "p.X")


INNER = Reference("a/inner.proto", Schema("protobuf", HEAD + "package i; message I { string a = 1; }"))
OUTER = HEAD + 'import "a/inner.proto"; message M { i.I one = 1; }'


def test_references_are_found_by_their_names() -> None:
    schema = Schema("protobuf", OUTER, (INNER,))
    assert plain(PROTOBUF.reader(schema)(b"\x0a\x03\x0a\x01x")) == {"one": {"a": "x"}}
    compiled_one = schema_of(message_class(schema))
    assert compiled_one.fingerprint == schema.fingerprint
    mixed = Schema("protobuf", compiled_one.text, (INNER,))
    assert mixed.fingerprint == schema.fingerprint


NAMES = [
    "../../x.proto",
    "/etc/x.proto",
    "a/../../x.proto",
    "a//b.proto",
    "a\\b.proto",
    "x\0.proto",
    "",
    ".",
    "a" * 300,
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_never_leaves_the_compilers_folder(name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "a" / "b"))
    with pytest.raises(SchemaError, match="which is no name of an import"):
        PROTOBUF.reader(Schema("protobuf", OUTER, (Reference(name, INNER.schema),)))
    assert not list(tmp_path.rglob("*.proto"))


BAD = [
    "",
    "not protobuf",
    HEAD,
    HEAD + "message M { string a = 1; string a = 2; }",
    HEAD + 'import "nowhere.proto"; message M {}',
    HEAD + 'import "schema.proto"; message M {}',
    HEAD + "message M { X a = 1; }",
    "AAAA",
    "CgE=",
    "message " * 10_000,
    HEAD + "message M {" * 500,
    "\ud800",
]


@pytest.mark.parametrize("text", BAD, ids=lambda text: ascii(text[:40]))
def test_a_schema_that_cannot_be_used_is_refused(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SchemaError) as caught:
        PROTOBUF.reader(Schema("protobuf", text))
    assert len(str(caught.value)) < 500
    assert capfd.readouterr() == ("", "")


def test_a_reference_of_another_kind_is_refused() -> None:
    with pytest.raises(SchemaError, match="refers to a schema of kind avro"):
        PROTOBUF.reader(Schema("protobuf", OUTER, (Reference("a/inner.proto", Schema("avro", '"int"')),)))


def test_a_schema_says_what_may_stand_at_a_path() -> None:
    text = (
        HEAD
        + 'import "google/protobuf/struct.proto"; import "google/protobuf/wrappers.proto"; '
        + (
            "enum E { A = 0; } message M { string s = 1; E e = 2; repeated M m = 3; map<string, M> k = 4; M o = 5;"
            " google.protobuf.Struct x = 6; google.protobuf.Int64Value w = 7; }"
        )
    )
    schema = Schema("protobuf", text)
    for path, types in {
        ("s",): {"string"},
        ("e",): {"string", "number"},
        ("m",): {"array"},
        ("k",): {"object"},
        ("o", "s"): {"string"},
        ("w",): {"number"},
        ("nobody",): set(),
        ("s", "more"): set(),
        ("w", "more"): set(),
        ("m", EACH, "s"): None,
        ("k", "a"): None,
        ("x", "a"): None,
    }.items():
        found = PROTOBUF.types_at(schema, path)
        assert found == (None if types is None else frozenset(types)), path


def test_a_span_is_never_more_than_its_bytes() -> None:
    span = read(OLD, b"\x12\x02\x08\x05")["n"]
    assert isinstance(span, ProtobufSpan)
    assert span.weight == 4


def test_files_that_import_each_other_in_many_ways_are_each_taken_once() -> None:
    """Forty levels of two files that both import the two below: as a tree that is a million million files."""
    names = [f"l{level}/{side}.proto" for level in range(40) for side in "ab"]
    files = {}
    for level in range(40):
        for side in "ab":
            below = "".join(f'import "l{level + 1}/{each}.proto";' for each in "ab") if level < 39 else ""
            files[f"l{level}/{side}.proto"] = f"{HEAD} package l{level}; {below} message {side.upper()} {{ }}"
    top = HEAD + 'import "l0/a.proto"; message M { l0.A a = 1; }'
    schema = Schema("protobuf", top, tuple(Reference(name, Schema("protobuf", files[name])) for name in names))
    made = schema_of(message_class(schema))
    assert sorted(name for name, _ in made.references) == sorted(set(names) - {"l0/b.proto"})
    assert made.fingerprint == schema.fingerprint


def test_a_null_in_a_group_is_written_as_a_group() -> None:
    text = (
        'edition = "2023"; option features.message_encoding = DELIMITED; import "google/protobuf/struct.proto"; '
        "message M { google.protobuf.Value one = 1; repeated google.protobuf.Value many = 2; }"
    )
    made = message_class(Schema("protobuf", text)).FromString(written(text, {"one": None, "many": [None]}))
    assert [made.one.null_value, *(each.WhichOneof("kind") for each in made.many)] == [0, "null_value"]
    assert made.one.WhichOneof("kind") == "null_value"
