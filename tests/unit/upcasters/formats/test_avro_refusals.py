"""What Avro has no place for is refused with its type and the reason, and what its schema says wrongly is told."""

from __future__ import annotations

import json
import sys
from contextvars import copy_context
from decimal import Decimal
from typing import Any

import pytest
from msgspec import Raw

from tests.unit.upcasters.formats.generated_avro import avro_bytes, avro_value
from upcasters.depth import MOST_LEVELS
from upcasters.document import Duration, plain
from upcasters.errors import DecodeError, EventError, TooDeep, WrongType
from upcasters.formats import Schema, implied
from upcasters.formats.avro import AvroFormat
from upcasters.formats.avro.fields import fields_of
from upcasters.formats.avro.parsing import avro_type
from upcasters.formats.avro.scalars import NoPlaceError
from upcasters.formats.avro.writing import Writing, _put_default
from upcasters.formats.schema import Reference, SchemaError

AVRO = AvroFormat()
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
FIXED = {"type": "fixed", "name": "F", "size": 2}
SMALL_DECIMAL = {**FIXED, "logicalType": "decimal", "precision": 4, "scale": 2}
DURATION = {"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}


def schema(kind: Any, **more: Any) -> Schema:
    return Schema("avro", json.dumps({"type": "record", "name": "R", "fields": [{"name": "a", "type": kind, **more}]}))


def logical(base: str, name: str) -> dict[str, str]:
    return {"type": base, "logicalType": name}


REFUSED: list[tuple[Any, Any, str]] = [
    ("bytes", "x", "a string is no bytes"),
    (FIXED, "xx", "a string is no fixed"),
    ("string", "\ud800", "a text with a lone surrogate is no string"),
    ("null", 1, "a number is no null"),
    ("boolean", 1, "a number is no boolean"),
    (FIXED, b"abc", "bytes of another length than 2"),
    ("float", 10**400, "a number too large is no float"),
    ("double", 10**400, "a number too large is no double"),
    (DECIMAL, "x", "a string is no bytes (decimal)"),
    (DECIMAL, float("nan"), "NaN or infinity is no bytes (decimal)"),
    (DECIMAL, Raw(b"1e99999999999999999999"), "a number too large is no bytes (decimal)"),
    (SMALL_DECIMAL, Decimal("999.99"), "is no fixed (decimal)"),
    (logical("int", "date"), "x", "a string is no int (date)"),
    (logical("int", "time-millis"), "x", "a string is no int (time-millis)"),
    (logical("long", "timestamp-micros"), "x", "a string is no long (timestamp-micros)"),
    (DURATION, 1, "a number is no fixed (duration)"),
    (DURATION, Duration(-1, 0, 0), "a duration with a count that is too large or below 0"),
]


@pytest.mark.parametrize(
    ("kind", "value", "said"), REFUSED, ids=lambda given: str(bytes(given) if isinstance(given, Raw) else given)[:40]
)
def test_what_has_no_place(kind: Any, value: Any, said: str) -> None:
    for write in (AVRO.writer(schema(kind)), Writing(avro_type(schema(kind)))):
        with pytest.raises(NoPlaceError) as caught:
            write({"a": value})
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (logical("int", "date"), 20_000),
        (logical("int", "time-millis"), 1_000),
        (logical("long", "timestamp-micros"), 1_000),
        (DURATION, Duration(1, 2, 3)),
        (logical("int", "uuid"), 7),
        ({**FIXED, "logicalType": "uuid"}, b"ab"),
        ({"type": {"type": {"type": "string"}}}, "x"),
        ({"type": "array", "items": {"type": {"type": "int"}}}, [1]),
    ],
    ids=str,
)
def test_what_is_written_as_it_stands(kind: Any, value: Any) -> None:
    of = schema(kind)
    written = AVRO.writer(of)({"a": value})
    assert AVRO.writer(of)(plain(AVRO.reader(of, [("a",)])(written))) == written


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        (logical("int", "time-millis"), 90_000_000),
        (logical("int", "date"), 2**31 - 1),
        (logical("string", "uuid"), "x"),
    ],
    ids=str,
)
def test_what_python_cannot_compute_with(kind: Any, stored: Any) -> None:
    bare = kind["type"]
    document = AVRO.reader(schema(kind))(avro_bytes(schema(bare), {"a": stored}))
    if bare == "string":
        assert plain(document) == {"a": "x"}
    else:
        with pytest.raises(WrongType, match="that Python cannot compute with"):
            plain(document)


def test_a_document_is_a_record() -> None:
    union = ["null", {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}]
    of = Schema("avro", json.dumps(union))
    assert plain(AVRO.reader(of, [("a",)])(b"\x02\x02")) == {"a": 1}
    with pytest.raises(DecodeError, match="not a record"):
        AVRO.reader(of, [("a",)])(b"\x00")
    with pytest.raises(DecodeError, match="not a record"):
        AVRO.reader(Schema("avro", '"int"'))(b"\x02")


def test_a_document_that_is_too_deep_or_defaults_of_every_kind() -> None:
    node = {"type": "record", "name": "N", "fields": [{"name": "n", "type": ["null", "N"], "default": None}]}
    deep: Any = None
    for _ in range(MOST_LEVELS + 2):
        deep = {"n": deep}
    of = Schema("avro", json.dumps(node))
    for write in (AVRO.writer(of), Writing(avro_type(of))):
        with pytest.raises(TooDeep):
            write(deep)


INNER = {
    "type": "record",
    "name": "I",
    "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": "int", "default": 2}],
}
DEFAULTS: list[tuple[Any, Any]] = [
    (INNER, {"x": 1}),
    ({"type": "array", "items": "int"}, [1, 2]),
    ({"type": "array", "items": "int"}, []),
    ({"type": "map", "values": "int"}, {"k": 1}),
    ("null", None),
    (FIXED, "ab"),
    (["int", "null"], 1),
    (["null", "string"], None),
]


@pytest.mark.parametrize(("kind", "default"), DEFAULTS, ids=str)
def test_what_is_missing_takes_its_default(kind: Any, default: Any) -> None:
    of = schema(kind, default=default)
    written = AVRO.writer(of)({})
    assert written == Writing(avro_type(of))({})
    expected = {"x": 1, "y": 2} if kind is INNER else b"ab" if kind is FIXED else default
    assert avro_value(of, written) == {"a": expected}


def test_what_an_avro_schema_may_not_refer_to() -> None:
    of = Schema("avro", schema("int").text, references=(Reference("other", Schema("json", "{}")),))
    with pytest.raises(SchemaError, match="of kind json"):
        avro_type(of)


def test_avro_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastavro.schema", None)
    with pytest.raises(SchemaError, match="needs the extra `avro`"):
        avro_type(Schema("avro", '{"type": "record", "name": "Q", "fields": []}'))


def test_a_schema_of_very_many_types_or_of_nothing_but_empty_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upcasters.formats.avro.parsing.MOST_TYPES", 3)
    many = [{"name": f"f{number}", "type": "int"} for number in range(5)]
    with pytest.raises(SchemaError, match="more than 3 types"):
        avro_type(Schema("avro", json.dumps({"type": "record", "name": "R", "fields": many})))
    monkeypatch.undo()
    monkeypatch.setattr("upcasters.formats.avro.parsing.MOST_EMPTY_VALUES", 2)
    empty = [{"name": f"f{number}", "type": "null"} for number in range(5)]
    with pytest.raises(SchemaError, match="that take no byte"):
        avro_type(Schema("avro", json.dumps({"type": "record", "name": "R", "fields": empty})))


@pytest.mark.parametrize(
    ("kind", "default", "said"),
    [
        ({"type": "array", "items": "int"}, {"k": 1}, "default"),
        (["int", "null"], "x", "default"),
        ("null", 1, "default"),
        (INNER, {"y": 1}, "default"),
    ],
    ids=str,
)
def test_a_default_that_is_none_is_told(kind: Any, default: Any, said: str) -> None:
    """By fastavro or by us, before a record is written or as it is."""
    with pytest.raises((SchemaError, EventError), match=said):
        AVRO.writer(schema(kind, default=default))({})


def test_a_union_takes_an_array_whose_items_are_others() -> None:
    old = schema({"type": "array", "items": "int"})
    new = schema(["null", {"type": "array", "items": "string"}])
    with pytest.raises(EventError, match="a number is no string"):
        AVRO.writer(new)(AVRO.reader(old)(avro_bytes(old, {"a": [1]})))
    assert AVRO.writer(new)(AVRO.reader(old)(avro_bytes(old, {"a": []}))) == avro_bytes(new, {"a": []})


def test_a_result_or_a_default_without_end_is_too_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    of = avro_type(schema("int"))
    with pytest.raises(TooDeep):
        _put_default(of, {"a": 1}, str, MOST_LEVELS + 1)

    def endless(*_: Any) -> None:
        raise RecursionError

    monkeypatch.setattr(Writing, "put", endless)
    with pytest.raises(TooDeep):
        Writing(of)({"a": 1})


def test_an_enum_of_many_symbols_and_a_schema_that_several_refer_to() -> None:
    many = schema({"type": "enum", "name": "E", "symbols": [f"S{number}" for number in range(200)]})
    document = {"a": "S150"}
    assert plain(AVRO.reader(many)(avro_bytes(many, document))) == document
    shared = Schema("avro", json.dumps({"type": "enum", "name": "S", "symbols": ["x"]}))
    inside = {"type": "record", "fields": [{"name": "s", "type": "S"}]}
    parts = [Schema("avro", json.dumps({**inside, "name": name}), (Reference("S", shared),)) for name in ("P", "Q")]
    fields = [{"name": "p", "type": "P"}, {"name": "q", "type": "Q"}]
    whole = Schema(
        "avro",
        json.dumps({"type": "record", "name": "W", "fields": fields}),
        (Reference("P", parts[0]), Reference("Q", parts[1])),
    )
    value = {"p": {"s": "x"}, "q": {"s": "x"}}
    assert plain(AVRO.reader(whole)(AVRO.writer(whole)(value))) == value


def test_fields_are_told_with_their_types() -> None:
    told = fields_of(schema([logical("int", "date"), SMALL_DECIMAL, "null"]))
    assert told == {"a": "date | decimal(4, 2) | null"}


def test_values_that_stand_in_no_byte_are_counted_from_the_first_that_was_read_elsewhere() -> None:
    copy_context().run(_spent)


def _spent() -> None:
    implied._LEFT.set(None)
    implied.spend(implied.MOST_IMPLIED)
    with pytest.raises(DecodeError, match="stand in no byte"):
        implied.spend(1)
    implied.begin()
    implied.spend(1)
