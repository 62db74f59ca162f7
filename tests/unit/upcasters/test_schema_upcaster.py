"""A chain over records that are written by schemas: what comes in by one goes out by that of its version."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import struct
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from tests.unit.upcasters.formats.generated_avro import avro_bytes, avro_value
from upcasters import (
    SNAKE_CASE,
    Always,
    Baseline,
    Chain,
    ChainError,
    DeadLettered,
    Detection,
    Event,
    EventError,
    FromField,
    FromHeader,
    FromShape,
    Operation,
    Passed,
    Policy,
    Reversibility,
    SourcePartition,
    Step,
    Upcast,
    Violation,
    absent,
    anything,
    at,
    between,
    convert,
    convert_time,
    default,
    derive,
    drop,
    drop_event,
    equals,
    everywhere,
    function,
    has_type,
    is_null_at,
    join_values,
    map_values,
    move,
    nest,
    present,
    print_json,
    rename,
    rename_keys,
    scale,
    set_key,
    split_each,
    template,
    tombstone,
    when,
)
from upcasters.document import readable
from upcasters.formats import BARE_JSON, Encoding, Schema
from upcasters.operations.base import undo
from upcasters.schema_upcaster import FORMATS, SchemaUpcaster, opened_value

PLACE = SourcePartition("orders", 0)
AMOUNT = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
MOMENT = {"type": "long", "logicalType": "timestamp-millis"}


def record(name: str = "Order", /, **fields: Any) -> dict[str, Any]:
    """A record; a field is a type, or a type and a default."""
    made = [
        {"name": field, "type": kind[0], "default": kind[1]}
        if isinstance(kind, tuple)
        else {"name": field, "type": kind}
        for field, kind in fields.items()
    ]
    return {"type": "record", "name": name, "fields": made}


def schema(**fields: Any) -> Schema:
    return Schema("avro", json.dumps(record(**fields)))


def step(operations: Sequence[Operation], *, target: str = "2", source: str = "1", shape: Any = None) -> Step:
    """A step that says that it loses something where it does."""
    loses = undo(tuple(operations)).kind is Reversibility.LOSSY
    return Step("order", source, target, operations, shape=shape, lossy="a test" if loses else "")


def made_of(operations: Sequence[Operation], old: Schema, new: Schema) -> tuple[SchemaUpcaster, Encoding]:
    """A chain of one hop from one schema to another, and how its events are written."""
    chain = Chain([step(operations)], detection=Detection((Always("order"),), (Always("1"),)))
    upcaster = SchemaUpcaster(chain, Policy(), {("order", "2"): Encoding(new)}, {("order", "1"): old})
    return upcaster, Encoding(old)


def brought(operations: Sequence[Operation], old: Schema, value: Any, new: Schema) -> Any:
    """What an event becomes, as fastavro reads it; operation by operation it becomes the same."""
    upcaster, encoding = made_of(operations, old, new)
    event = Event(avro_bytes(old, value), b"key", offset=7, timestamp=1)
    outcome = upcaster.upcast(event, PLACE, encoding)
    assert outcome == upcaster.trace(event, PLACE, encoding).outcome
    assert isinstance(outcome, Upcast), outcome
    (only,) = outcome.output(event)
    assert only.value is not None
    return avro_value(new, only.value)


def fault(operations: Sequence[Operation], old: Schema, value: Any, new: Schema) -> str:
    upcaster, encoding = made_of(operations, old, new)
    outcome = upcaster.upcast(Event(avro_bytes(old, value)), PLACE, encoding)
    assert isinstance(outcome, DeadLettered), outcome
    return f"{outcome.fault.stage}: {outcome.fault.message}"


def test_fields_are_renamed_moved_converted_and_filled() -> None:
    old = schema(
        orderId="string",
        customer=record("Customer", fullName="string", zip=["null", "string"]),
        items={"type": "array", "items": record("Item", sku="string", unitPrice="double")},
        note="string",
    )
    new = schema(
        order_id="string",
        customer=record("Customer", name="string", address=record("Address", zip=["null", "string"])),
        items={"type": "array", "items": record("Item", sku="string", cents="long")},
        note="string",
        currency="string",
    )
    operations = [
        rename("orderId", "order_id"),
        rename("customer.fullName", "name"),
        nest(["zip"], "address", at="customer"),
        rename("items.*.unitPrice", "cents"),
        convert("items.*.cents", lambda price: round(price * 100)),
        default("currency", "EUR"),
    ]
    value = {
        "orderId": "o-1",
        "customer": {"fullName": "Ada", "zip": "SW1"},
        "items": [{"sku": "a", "unitPrice": 9.99}, {"sku": "b", "unitPrice": 0.5}],
        "note": "n",
    }
    assert brought(operations, old, value, new) == {
        "order_id": "o-1",
        "customer": {"name": "Ada", "address": {"zip": "SW1"}},
        "items": [{"sku": "a", "cents": 999}, {"sku": "b", "cents": 50}],
        "note": "n",
        "currency": "EUR",
    }


SEEN: dict[str, tuple[Any, Any]] = {
    "decimal": (AMOUNT, Decimal("12.50")),
    "bytes": ("bytes", b"\x00\xff"),
    "timestamp": (MOMENT, dt.datetime(2026, 11, 29, 12, tzinfo=dt.UTC)),
    "date": ({"type": "int", "logicalType": "date"}, dt.date(2026, 11, 29)),
    "time": ({"type": "long", "logicalType": "time-micros"}, dt.time(1, 2, 3, 4)),
    "uuid": ({"type": "string", "logicalType": "uuid"}, "00000000-0000-0000-0000-00000000000a"),
    "float": ("float", 0.5),
    "text": ("string", "é"),
    "nanos": ({"type": "long", "logicalType": "timestamp-nanos"}, 1_700_000_000_000_000_001),
}


@pytest.mark.parametrize("name", SEEN)
def test_functions_see_and_give_the_values_of_logical_types(name: str) -> None:
    kind, value = SEEN[name]
    seen = []

    def look(given: Any) -> Any:
        seen.append(given)
        return given

    for operations in ([convert("a", look)], [derive("b", ["a"], look), drop("a"), rename("b", "a")]):
        assert brought(operations, schema(a=kind), {"a": value}, schema(a=kind)) == {"a": value}
    assert all(type(one) is type(value) and one == value for one in seen)


TYPES = {
    "decimal": "number",
    "bytes": "bytes",
    "timestamp": "timestamp",
    "date": "date",
    "time": "time",
    "uuid": "string",
    "float": "number",
    "text": "string",
    "nanos": "number",
}


@pytest.mark.parametrize("name", TYPES)
def test_conditions_know_the_types_of_other_formats(name: str) -> None:
    kind, value = SEEN[name]
    told: Any = TYPES[name]
    operations = [when(has_type("a", told), default("is", value=True))]
    old, new = schema(a=kind), schema(**{"a": kind, "is": ("boolean", False)})
    assert brought(operations, old, {"a": value}, new)["is"] is True
    others: Any = [other for other in {*TYPES.values(), "duration"} if other != told]
    operations = [when(has_type("a", *others), default("is", value=True))]
    assert brought(operations, old, {"a": value}, new)["is"] is False


def test_what_is_no_number_is_within_no_bounds() -> None:
    old, new = schema(a="double"), schema(a="double", b=("int", 0))
    within = [when(between("a", at_least=-1, at_most=10**400), default("b", 1))]
    without = [when(~between("a", above=0), default("b", 1))]
    for value, is_within, is_above in ((1.0, 1, 1), (-1.0, 1, 0), (float("inf"), 0, 1)):
        assert brought(within, old, {"a": value}, new)["b"] == is_within
        assert brought(without, old, {"a": value}, new)["b"] == 1 - is_above
    assert brought(within, old, {"a": float("nan")}, new)["b"] == 0
    assert brought(without, old, {"a": float("nan")}, new)["b"] == 1


def test_a_template_takes_a_decimal_as_it_is_written() -> None:
    old, new = schema(a=AMOUNT), schema(a=AMOUNT, b="string")
    for amount in ("1.10", "-12345.60", "0.00"):
        made = brought([template("b", "{a} EUR", numbers="text")], old, {"a": Decimal(amount)}, new)
        assert made["b"] == f"{amount} EUR"


def test_amounts_and_times_are_exact_in_avro_too() -> None:
    whole, cents = schema(a="long", l={"type": "array", "items": "long"}), {"a": 1250, "l": [5, -7]}
    units = schema(a=AMOUNT, l={"type": "array", "items": AMOUNT})
    made = brought([scale("a", "0.01"), scale("l.*", "0.01")], whole, cents, units)
    assert made == {"a": Decimal("12.50"), "l": [Decimal("0.05"), Decimal("-0.07")]}
    assert brought([scale("a", 100), scale("l.*", 100)], units, made, whole) == cents
    moment = dt.datetime(2023, 11, 14, 22, 13, 20, 500_000, dt.UTC)
    forms: dict[str, tuple[Any, Any]] = {
        "ms": ("long", 1_700_000_000_500),
        "rfc3339": ("string", "2023-11-14T22:13:20.5Z"),
        "local": ("string", "2023-11-14T22:13:20.5"),
        "timestamp": (MOMENT, moment),
    }
    for before, after in itertools.permutations(forms, 2):
        old, new = schema(at=forms[before][0]), schema(at=forms[after][0])
        made = brought([convert_time("at", before, after)], old, {"at": forms[before][1]}, new)
        assert made == {"at": forms[after][1]}, (before, after)


def test_null_is_a_value_and_no_absence() -> None:
    old, new = schema(a=["null", "string"]), schema(a=["null", "string"], b=("string", "no"))
    operations = [when(present("a") & is_null_at("a"), default("b", "null"))]
    assert brought(operations, old, {"a": None}, new) == {"a": None, "b": "null"}
    assert brought([when(absent("a"), default("b", "x"))], old, {"a": None}, new) == {"a": None, "b": "no"}


def test_operations_that_go_everywhere_meet_records_maps_and_arrays() -> None:
    inner = record("Inner", someKey="string")
    new_inner = record("Inner", some_key="string")
    old = schema(one=inner, many={"type": "map", "values": {"type": "array", "items": "Inner"}})
    new = schema(one=new_inner, many={"type": "map", "values": {"type": "array", "items": "Inner"}})
    value = {"one": {"someKey": "a"}, "many": {"k": [{"someKey": "b"}, {"someKey": "c"}]}}
    expected = {"one": {"some_key": "a"}, "many": {"k": [{"some_key": "b"}, {"some_key": "c"}]}}
    for operations in (
        [everywhere(present("someKey"), rename("someKey", "some_key"))],
        [rename_keys("one", SNAKE_CASE), at("many.*.*", rename("someKey", "some_key"))],
        [rename_keys("", SNAKE_CASE, subtree=True)],
    ):
        assert brought(operations, old, value, new) == expected


def test_an_event_may_become_several() -> None:
    old = schema(id="string", lines={"type": "array", "items": record("Line", sku="string")})
    new = Schema("avro", json.dumps(record("Line", id="string", number="int", line=record("Inner", sku="string"))))
    chain = Chain(
        [step([split_each("lines", "line", item="line", number="number", version="1")])],
        [Baseline("line", "1")],
        detection=Detection((Always("order"),), (Always("1"),)),
    )
    encoding = Encoding(new, b"\x00\x00\x00\x00\x09")
    upcaster = SchemaUpcaster(
        chain, Policy(), {("line", "1"): encoding, ("order", "2"): encoding}, {("order", "1"): old}
    )
    event = Event(avro_bytes(old, {"id": "o", "lines": [{"sku": "a"}, {"sku": "b"}]}), offset=3)
    records = upcaster.upcast(event, PLACE, Encoding(old)).output(event)
    found = [avro_value(new, (one.value or b"").removeprefix(encoding.frame)) for one in records]
    assert found == [{"id": "o", "number": n, "line": {"sku": sku}} for n, sku in enumerate("ab")]


# What nobody touches.

SIGNALLING_NAN = struct.pack("<Q", 0x7FF0000000000001)
LEFT_ALONE: dict[str, tuple[Any, bytes]] = {
    "signalling NaN": ("double", SIGNALLING_NAN),
    "number in more bytes than it needs": ("long", b"\x82\x80\x00"),
    "array in several blocks": ({"type": "array", "items": "int"}, b"\x02\x02\x01\x02\x04\x00"),
    "decimal with leading zeros": (AMOUNT, b"\x06\x00\x00\x01"),
    "UUID in capitals": ({"type": "string", "logicalType": "uuid"}, b"\x48" + b"ABCDEF00-0000-0000-0000-000000000000"),
    "key of a map that stands twice": ({"type": "map", "values": "int"}, b"\x04\x02k\x02\x02k\x04\x00"),
    "long among [int, long]": (["int", "long"], b"\x02\x02"),
    "enum among [string, enum]": (["string", {"type": "enum", "name": "E", "symbols": ["A"]}], b"\x02\x00"),
    "timestamp beyond the year 9999": (MOMENT, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    "text that is not UTF-8": ("string", b"\x02\xff"),
}


@pytest.mark.parametrize("name", LEFT_ALONE)
@pytest.mark.parametrize("place", ["beside", "inside", "renamed"])
def test_what_no_operation_touches_keeps_its_bytes(name: str, place: str) -> None:
    kind, data = LEFT_ALONE[name]
    moved = rename("kept", "still") if place == "renamed" else default("x", "y")
    if place == "inside":
        old = schema(a="string", kept=record("Inner", inner=kind), b="string")
        new = schema(c="string", kept=record("Inner", inner=kind), b="string", x="string")
    else:
        field = "still" if place == "renamed" else "kept"
        old = schema(a="string", kept=kind, b="string")
        new = schema(**{"c": "string", field: kind, "b": "string", "x": ("string", "y")})
    upcaster, encoding = made_of([rename("a", "c"), moved], old, new)
    outcome = upcaster.upcast(Event(b"\x02v" + data + b"\x02w"), PLACE, encoding)
    assert isinstance(outcome, Upcast), outcome
    assert outcome.value == b"\x02v" + data + b"\x02w" + b"\x02y"


def test_a_union_of_records_keeps_its_branch_though_a_field_in_it_changes() -> None:
    branches = [record("Created", id="string", at="long"), record("Deleted", id="string", at="long")]
    old = new = schema(what=branches)
    for name in ("Created", "Deleted"):
        value = {"what": (name, {"id": "i", "at": 5})}
        upcaster, encoding = made_of([convert("what.id", str.upper)], old, new)
        outcome = upcaster.upcast(Event(avro_bytes(old, value)), PLACE, encoding)
        assert isinstance(outcome, Upcast), outcome
        assert outcome.value == avro_bytes(new, {"what": (name, {"id": "I", "at": 5})})


def test_what_could_be_several_records_is_refused_rather_than_guessed() -> None:
    branches = [record("Created", id="string"), record("Deleted", id="string")]
    said = fault(
        [convert("what.id", str.upper)],
        schema(what=branches),
        {"what": ("Deleted", {"id": "i"})},
        schema(what=branches),
    )
    assert said == "validate: an object fits several records of the union, and nothing tells which (in what)"


# What the target's schema has no place for.

REFUSED: dict[str, tuple[list[Operation], Any, Any, Any, str]] = {
    "a field is missing": (
        [drop("a")],
        "int",
        1,
        {"a": "int"},
        "validate: a is missing, and the target's schema has no default for it",
    ),
    "a field is left over": ([], "int", 1, {"b": ("int", 0)}, "validate: a has no place in the target's schema"),
    "another type": ([], "string", "x", {"a": "int"}, "validate: a string is no int (in a)"),
    "too large": ([], "long", 2**31, {"a": "int"}, "validate: a number too large is no int (in a)"),
    "2^63": (
        [convert("a", lambda one: one + 1)],
        "long",
        2**63 - 1,
        {"a": "long"},
        "validate: a number too large is no long (in a)",
    ),
    "more digits": ([], "double", 0.1 + 0.2, {"a": "float"}, "validate: a number of more digits is no float (in a)"),
    "no whole number": ([], "double", 1.5, {"a": "int"}, "validate: a number is no int (in a)"),
    "no symbol": (
        [],
        "string",
        "Z",
        {"a": {"type": "enum", "name": "E", "symbols": ["A"]}},
        "validate: a text that is none of its symbols is no enum (in a)",
    ),
    "a scale": (
        [],
        AMOUNT,
        Decimal("1.25"),
        {"a": {**AMOUNT, "scale": 1}},
        "validate: a number of more than 1 digits after the point is no bytes (decimal) (in a)",
    ),
    "null": ([], ["null", "int"], None, {"a": "int"}, "validate: a null is no int (in a)"),
    "no branch": ([], "string", "x", {"a": ["null", "int"]}, "validate: a string fits no branch of the union (in a)"),
    "a time without zone": (
        [convert("a", lambda one: one.replace(tzinfo=None))],
        MOMENT,
        dt.datetime(2000, 1, 1, tzinfo=dt.UTC),
        {"a": MOMENT},
        "validate: a timestamp without a time zone is no long (timestamp-millis) (in a)",
    ),
    "a function's result": (
        [convert("a", lambda one: {one})],
        "int",
        1,
        {"a": "int"},
        "encode: a became a set, which JSON does not have",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_place_is_a_dead_letter_and_never_rounded_or_dropped(name: str) -> None:
    operations, kind, value, fields, said = REFUSED[name]
    assert fault([*operations, default("z", 0)], schema(a=kind), {"a": value}, schema(**fields, z="int")) == said


def test_widening_is_exact() -> None:
    for kind, value, wider in [
        ("int", 5, "long"),
        ("int", 5, "double"),
        ("float", 0.1, "double"),
        (AMOUNT, Decimal("1.50"), {**AMOUNT, "scale": 4}),
        ("int", 5, ["null", "long"]),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "A", {"type": "enum", "name": "E", "symbols": ["B", "A"]}),
        (
            {"type": "enum", "name": "E", "symbols": ["A", "Q"]},
            "Q",
            {"type": "enum", "name": "E", "symbols": ["A"], "default": "A"},
        ),
    ]:
        old, new = schema(a=kind), schema(a=wider, z="int")
        found = brought([default("z", 0)], old, {"a": value}, new)["a"]
        assert found == (avro_value(old, avro_bytes(old, {"a": value}))["a"] if value != "Q" else "A")


def test_a_field_that_is_missing_takes_the_value_under_its_alias_or_its_default() -> None:
    new = record(
        b="string", c=(["null", "int"], None), d=({"type": "array", "items": "int"}, [1, 2]), e=("bytes", "\u00ff")
    )
    new["fields"][0]["aliases"] = ["a"]
    found = brought([drop("x")], schema(a="string", x="int"), {"a": "v", "x": 1}, Schema("avro", json.dumps(new)))
    assert found == {"b": "v", "c": None, "d": [1, 2], "e": b"\xff"}


def test_an_alias_that_may_mean_two_fields_gives_its_value_to_none_of_them() -> None:
    """As ``a`` once became ``c`` and ``b`` became ``a``: nothing may be written twice, and nothing dropped."""
    swapped = record(c="string", a="string", z=("int", 0))
    swapped["fields"][0]["aliases"], swapped["fields"][1]["aliases"] = ["a"], ["b"]
    new = Schema("avro", json.dumps(swapped))
    said = fault([default("z", 0)], schema(a="string", b="string"), {"a": "1", "b": "2"}, new)
    assert said == "validate: c is missing, and the target's schema has no default for it"
    both = record(c=("string", ""), d=("string", ""))
    both["fields"][0]["aliases"] = both["fields"][1]["aliases"] = ["a"]
    said = fault([drop("x")], schema(a="string", x="int"), {"a": "1", "x": 1}, Schema("avro", json.dumps(both)))
    assert said == "validate: a has no place in the target's schema"


def test_the_same_bytes_that_mean_something_else_are_not_copied() -> None:
    moment = dt.datetime(2026, 11, 29, tzinfo=dt.UTC)
    micros = {**MOMENT, "logicalType": "timestamp-micros"}
    for old, new in ((MOMENT, micros), (micros, MOMENT)):
        found = brought([default("z", 0)], schema(a=old), {"a": moment}, schema(a=new, z="int"))
        assert found["a"] == moment
    uuid = {"type": "string", "logicalType": "uuid"}
    said = fault([default("z", 0)], schema(a="string"), {"a": "no uuid"}, schema(a=uuid, z="int"))
    assert said == "validate: a string is no string (uuid) (in a)"
    late = dt.datetime(2026, 11, 29, 1, 2, 3, 4, tzinfo=dt.UTC)
    said = fault([default("z", 0)], schema(a=micros), {"a": late}, schema(a=MOMENT, z="int"))
    assert said == "validate: a time with microseconds is no long (timestamp-millis) (in a)"
    said = fault([], schema(a=record("A", b="int")), {"a": {"b": 1}}, schema(a=record("A", c="int")))
    assert said == "validate: a.c is missing, and the target's schema has no default for it"


# The version from the schema.

V1 = schema(id="string", branch=["null", "string"])
V2 = schema(id="string", branch="string", z="int")


UNTOLD = "detect: the schema does not tell whether it is that of version 2: values would"


def shaped(*shapes: Any) -> Chain:
    steps = [
        step([default(f"f{number}", 0)], source=str(number), target=str(number + 1), shape=shape)
        for number, shape in enumerate(shapes[1:], 1)
    ]
    detection = Detection((Always("order"),), (FromShape(),))
    return Chain(steps, [Baseline("order", "1", shape=shapes[0])], detection=detection)


def version_found(chain: Chain, of: Schema) -> str:
    last = chain.types["order"][-1]
    fields = {f"f{number}": ("int", 0) for number in range(1, 5)}
    target = Encoding(schema(id="string", branch=["null", "string"], **fields))
    upcaster = SchemaUpcaster(chain, Policy(), {("order", last): target})
    value = avro_bytes(of, {"id": "i", "branch": None, "labels": {}, "f1": 1})
    outcome = upcaster.upcast(Event(value), None, Encoding(of))
    if isinstance(outcome, DeadLettered):
        return f"{outcome.fault.stage}: {outcome.fault.message}"
    assert isinstance(outcome, (Upcast, Passed))
    return outcome.passage.from_version


@pytest.mark.parametrize(
    ("shapes", "found"),
    [
        ((present("id"), present("nobody")), "1"),
        ((anything(), present("nobody")), "1"),
        ((anything(), present("id")), "2"),
        ((absent("branch"), present("branch")), "2"),
        ((present("id"), present("id", "branch"), present("f2")), "2"),
        ((present("id"), has_type("branch", "null", "string") & present("id")), "2"),
        ((present("id"), present("branch")), "detect: the schema has the shape of several versions: 2 and 1"),
        ((present("id"), equals("branch", "x")), UNTOLD),
        ((present("id"), present("labels.x")), UNTOLD),
        ((present("nobody"), present("nothing")), "detect: the schema has the shape of no version"),
    ],
    ids=str,
)
def test_the_shape_is_that_of_the_schema_and_asks_no_value(shapes: Any, found: str) -> None:
    of = schema(id="string", branch=["null", "string"], labels=({"type": "map", "values": "int"}, {}), f1="int")
    last = f"f{len(shapes) - 1}"
    chain = shaped(*shapes)
    if found.isdigit() and last != "f1":
        of = schema(id="string", branch=["null", "string"], f1="int")
    assert version_found(chain, of if not found.isdigit() else schema(id="string", branch=["null", "string"])) == found


def by_header(rules: Detection) -> SchemaUpcaster:
    chain = Chain([step([default("branch", "main", null="replace"), default("z", 0)])], detection=rules)
    return SchemaUpcaster(chain, Policy(), {("order", "2"): Encoding(V2, b"\x00\x00\x00\x00\x02")})


def test_a_header_or_a_field_may_tell_the_version_of_avro_too() -> None:
    event = Event(avro_bytes(V1, {"id": "1", "branch": None}), None, {"v": "1"})
    for rule in (FromHeader("v"), FromField("id")):
        upcaster = by_header(Detection((Always("order"),), (rule,)))
        outcome = upcaster.upcast(event, None, Encoding(V1))
        assert isinstance(outcome, Upcast), outcome
        (only,) = outcome.output(event)
        id_now = "2" if isinstance(rule, FromField) else "1"
        assert only.value == b"\x00\x00\x00\x00\x02" + avro_bytes(V2, {"id": id_now, "branch": "main", "z": 0})
        assert only.headers == [("v", b"1" if isinstance(rule, FromField) else b"2")]


def test_the_version_that_a_table_names_is_taken() -> None:
    upcaster = by_header(Detection((Always("order"),), (FromHeader("v"),)))
    event = Event(avro_bytes(V1, {"id": "1", "branch": None}))
    outcome = upcaster.upcast(event, None, Encoding(V1, version=("order", "1")))
    assert isinstance(outcome, Upcast)


# Frames, headers, formats.


def test_what_is_written_as_it_should_be_passes_and_another_frame_is_written_again() -> None:
    upcaster = by_header(Detection((Always("order"),), (FromHeader("v"),)))
    payload = avro_bytes(V2, {"id": "1", "branch": "b", "z": 1})
    event = Event(b"\x00\x00\x00\x00\x02" + payload)
    assert isinstance(upcaster.upcast(event, None, Encoding(V2, b"\x00\x00\x00\x00\x02")), Passed)
    outcome = upcaster.upcast(Event(b"\x00\x00\x00\x00\x07" + payload), None, Encoding(V2, b"\x00\x00\x00\x00\x07"))
    assert isinstance(outcome, Upcast)
    assert outcome.value == event.value


def test_a_header_that_names_the_old_schema_is_not_copied() -> None:
    chain = Chain([step([default("z", 0)])], detection=Detection((Always("order"),), (Always("1"),)))
    new = Encoding(V2, headers=(("__value_schema_id", b"new"),))
    upcaster = SchemaUpcaster(chain, Policy(), {("order", "2"): new})
    event = Event(avro_bytes(V1, {"id": "1", "branch": "b"}), None, {"a": "1", "__value_schema_id": "old"})
    old = Encoding(V1, headers=(("__value_schema_id", b"old"),), version=("order", "1"))
    (only,) = upcaster.upcast(event, None, old).output(event)
    assert only.headers == [("a", b"1"), ("__value_schema_id", b"new")]


def test_what_becomes_null_names_no_old_schema() -> None:
    old = Encoding(V1, headers=(("schema", b"1"),), version=("order", "1"))
    new = Encoding(V2, headers=(("schema", b"2"),))
    chain = Chain([step([tombstone()])], detection=Detection((Always("order"),), (Always("1"),)))
    upcaster = SchemaUpcaster(chain, Policy(), {("order", "2"): new})
    event = Event(avro_bytes(V1, {"id": "1", "branch": "b"}), b"k", [("schema", b"1"), ("other", b"x")])
    (only,) = upcaster.upcast(event, None, old).output(event)
    assert (only.value, only.key, only.headers) == (None, b"k", [("other", b"x"), ("schema", b"2")])


def test_a_value_without_its_frame_is_a_dead_letter() -> None:
    upcaster = by_header(Detection((Always("order"),), (FromHeader("v"),)))
    outcome = upcaster.upcast(Event(b"\x00"), None, Encoding(V1, b"\x00\x00\x00\x00\x01", version=("order", "1")))
    assert isinstance(outcome, DeadLettered)
    assert (outcome.fault.stage, outcome.fault.message) == (
        "decode",
        "the value does not begin with the frame of its schema",
    )


def test_json_becomes_avro_and_goes_back() -> None:
    new = schema(
        id="string", amount=AMOUNT, ratio="double", note=["null", "string"], tags={"type": "array", "items": "string"}
    )
    detection = Detection((Always("order"),), (FromHeader("v"), Always("1")))
    chain = Chain([step([rename("ID", "id")])], detection=detection)
    to_avro = SchemaUpcaster(chain, Policy(), {("order", "2"): Encoding(new)})
    event = Event(b'{"ID": "1", "amount": 12.50, "ratio": 0.1, "note": null, "tags": ["a", "\\u00e9"]}')
    outcome = to_avro.upcast(event)
    assert isinstance(outcome, Upcast), outcome
    expected = {"id": "1", "amount": Decimal("12.50"), "ratio": 0.1, "note": None, "tags": ["a", "é"]}
    assert avro_value(new, outcome.value) == expected
    to_json = SchemaUpcaster(chain, Policy(), {("order", "2"): BARE_JSON}, {("order", "2"): new})
    back = to_json.upcast(Event(outcome.value), None, Encoding(new))
    assert isinstance(back, Upcast), back
    assert back.value == '{"id":"1","amount":12.50,"ratio":0.1,"note":null,"tags":["a","é"]}'.encode()


@pytest.mark.parametrize("number", ["1e400", "9223372036854775808", "0.12345678901234567890123"])
def test_a_number_that_avro_cannot_hold_is_a_dead_letter(number: str) -> None:
    chain = Chain([step([default("z", 0)])], detection=Detection((Always("order"),), (Always("1"),)))
    for kind in ("long", "double"):
        upcaster = SchemaUpcaster(chain, Policy(), {("order", "2"): Encoding(schema(a=kind, z="int"))})
        outcome = upcaster.upcast(Event(f'{{"a": {number}}}'.encode()))
        if number.startswith("922") and kind == "double":
            continue
        assert isinstance(outcome, DeadLettered)
        assert (outcome.fault.stage, outcome.fault.path) == ("validate", "a")


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("double", float("nan"), "a is NaN or infinite, which JSON does not have"),
        ("bytes", b"x", "a is bytes, which JSON does not have"),
        (MOMENT, dt.datetime(2000, 1, 1, tzinfo=dt.UTC), "a is a timestamp, which JSON does not have"),
    ],
)
def test_a_value_that_json_does_not_have_is_a_dead_letter(kind: Any, value: Any, said: str) -> None:
    old = schema(a=kind)
    chain = Chain([step([default("z", 0)])], detection=Detection((Always("order"),), (Always("1"),)))
    upcaster = SchemaUpcaster(chain, Policy(), {("order", "2"): BARE_JSON})
    outcome = upcaster.upcast(Event(avro_bytes(old, {"a": value})), None, Encoding(old))
    assert isinstance(outcome, DeadLettered)
    assert (outcome.fault.stage, outcome.fault.message) == ("encode", said)


def test_objects_of_json_take_the_branch_of_a_record_or_a_map() -> None:
    chain = Chain([step([default("z", 0)])], detection=Detection((Always("order"),), (Always("1"),)))
    kinds = ["null", record("One", b="int"), record("Two", c="int"), {"type": "map", "values": "string"}]
    target = schema(a={"type": "array", "items": kinds}, z="int")
    upcaster = SchemaUpcaster(chain, Policy(), {("order", "2"): Encoding(target)})
    outcome = upcaster.upcast(Event(b'{"a": [{"c": 2}, null, {"b": 1}, {"x": "y", "c": "z"}]}'))
    assert isinstance(outcome, Upcast), outcome
    assert avro_value(target, outcome.value)["a"] == [{"c": 2}, None, {"b": 1}, {"x": "y", "c": "z"}]


@pytest.mark.parametrize("choice", ["refuse-opened", "refuse"])
def test_a_duplicate_key_in_json_is_not_lost_on_the_way_to_avro(choice: Any) -> None:
    chain = Chain([step([default("z", 0)])], detection=Detection((Always("order"),), (Always("1"),)))
    target = schema(a=record("Inner", b="int"), z="int")
    upcaster = SchemaUpcaster(chain, Policy(duplicate_keys=choice), {("order", "2"): Encoding(target)})
    outcome = upcaster.upcast(Event(b'{"a": {"b": 1, "b": 2}}'))
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.message == "an object has the same key twice"


def json_upcaster(detection: Detection, **known: Schema) -> SchemaUpcaster:
    chain = Chain([step([rename("a", "b")])], detection=detection)
    new = Encoding(Schema("json", '{"title": "new"}'), b"\x00\x00\x00\x00\x02")
    versions = {("order", name.removeprefix("v")): found for name, found in known.items()}
    return SchemaUpcaster(chain, Policy(), {("order", "2"): new}, versions)


OLD_JSON = Schema("json", '{"title": "old"}')
BY_HEADER = Detection((Always("order"),), (FromHeader("v"), Always("1")))


def test_json_behind_a_frame_stays_json_behind_that_of_its_version() -> None:
    upcaster = json_upcaster(BY_HEADER)
    event = Event(b'\x00\x00\x00\x00\x01{"a": 1.10,  "z":[ 1 ]}', b"k", {"v": "1"})
    (only,) = upcaster.upcast(event, None, Encoding(OLD_JSON, b"\x00\x00\x00\x00\x01")).output(event)
    assert only.value == b'\x00\x00\x00\x00\x02{"b":1.10,"z":[ 1 ]}'
    assert (only.key, only.headers) == (b"k", [("v", b"2")])
    current = Event(b'\x00\x00\x00\x00\x01{"b": 1}', None, {"v": "2"})
    (again,) = upcaster.upcast(current, None, Encoding(OLD_JSON, b"\x00\x00\x00\x00\x01")).output(current)
    assert again.value == b'\x00\x00\x00\x00\x02{"b": 1}'


@pytest.mark.parametrize(
    "detection", [Detection((Always("order"),), (Always("2"),)), BY_HEADER], ids=["fixed", "header"]
)
def test_the_schema_of_json_tells_its_version(detection: Detection) -> None:
    upcaster = json_upcaster(detection, v1=OLD_JSON)
    outcome = upcaster.upcast(Event(b'\x01{"a": 1}'), None, Encoding(OLD_JSON, b"\x01"))
    assert isinstance(outcome, Upcast)
    assert outcome.value == b'\x00\x00\x00\x00\x02{"b":1}'


def test_framed_json_of_a_version_that_the_chain_lacks_is_up_to_the_policy() -> None:
    old = Encoding(OLD_JSON, b"\x01")
    for node, policy, expected in (
        (("order", "9"), Policy(future_version="pass"), Passed),
        (("order", "9"), Policy(), "FutureVersion"),
        (("order", "0"), Policy(future_version="pass"), "UnknownVersion"),
        (("parcel", "1"), Policy(), "UnknownType"),
        (("parcel", "1"), Policy(unknown_type="pass"), Passed),
    ):
        chain = Chain([step([rename("a", "b")])], detection=BY_HEADER)
        upcaster = SchemaUpcaster(chain, policy, {("order", "2"): old}, {node: OLD_JSON})
        for _ in range(2):
            outcome = upcaster.upcast(Event(b'\x01{"a": 1}'), None, old)
            found = outcome.fault.error_type if isinstance(outcome, DeadLettered) else type(outcome)
            assert found == expected, outcome


@pytest.mark.parametrize("value", [b"{}", b"\x01", b"\x01[]", b'\x01{"a": NaN}'])
def test_framed_json_that_is_none_is_a_dead_letter(value: bytes) -> None:
    outcome = json_upcaster(BY_HEADER).upcast(Event(value), None, Encoding(OLD_JSON, b"\x01"))
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.stage == "decode"


def test_a_function_that_gives_nan_does_not_write_null_into_json() -> None:
    for source in (BARE_JSON, Encoding(OLD_JSON)):
        chain = Chain([step([convert("a", lambda _: float("nan"))])], detection=BY_HEADER)
        upcaster = SchemaUpcaster(chain, Policy(), {("order", "2"): BARE_JSON})
        outcome = upcaster.upcast(Event(b'{"a": 1}'), None, source)
        assert isinstance(outcome, DeadLettered)
        assert outcome.fault.stage == "encode"


# Faults.


def test_a_fault_names_its_step_and_place() -> None:
    old = schema(items={"type": "array", "items": record("Item", n="int")})
    upcaster, encoding = made_of([convert("items.*.n", lambda n: 1 // n)], old, old)
    outcome = upcaster.upcast(Event(avro_bytes(old, {"items": [{"n": 1}, {"n": 0}]})), PLACE, encoding)
    assert isinstance(outcome, DeadLettered)
    found = outcome.fault
    assert (found.stage, found.error_type, found.from_version, found.to_version) == (
        "upcast",
        "FunctionFailed",
        "1",
        "2",
    )
    assert found.step.startswith("order")


def test_a_schema_that_cannot_be_used_makes_dead_letters_and_raises_nothing() -> None:
    upcaster = by_header(Detection((Always("order"),), (FromHeader("v"),)))
    outcome = upcaster.upcast(Event(b"\x00"), None, Encoding(Schema("avro", "{")))
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.stage == "decode"


def test_a_version_without_a_target_is_refused_at_the_start() -> None:
    chain = Chain([step([default("z", 0)])], detection=Detection((Always("order"),), (Always("1"),)))
    with pytest.raises(ChainError, match="nothing says how order 2 is written"):
        SchemaUpcaster(chain, Policy(), {("order", "1"): Encoding(V1)})


def test_readers_are_refused_since_a_schema_says_how_values_are_read() -> None:
    rules = Detection((Always("order"),), (Always("1"),))
    chain = Chain([step([default("z", 0)])], detection=rules, readers=["array"])
    with pytest.raises(ChainError, match="readers are for values that need no schema"):
        SchemaUpcaster(chain, Policy(), {("order", "2"): Encoding(V2)})
    SchemaUpcaster(chain, Policy(readers=[]), {("order", "2"): Encoding(V2)})


def test_an_event_that_may_end_is_skipped() -> None:
    old = schema(a="string")
    upcaster, encoding = made_of([when(equals("a", "x"), drop_event())], old, old)
    assert upcaster.upcast(Event(avro_bytes(old, {"a": "x"})), PLACE, encoding).__class__.__name__ == "Skipped"
    assert isinstance(upcaster.upcast(Event(avro_bytes(old, {"a": "y"})), PLACE, encoding), Upcast)


def test_the_trace_shows_documents_as_json() -> None:
    old = schema(a="bytes", b=MOMENT)
    upcaster, encoding = made_of([rename("a", "c")], old, schema(c="bytes", b=MOMENT))
    trace = upcaster.trace(Event(avro_bytes(old, {"a": b"\xff", "b": 0})), PLACE, encoding)
    assert [hop.before for hop in trace.hops] == [b'{"a":"ff","b":"1970-01-01 00:00:00+00:00"}']
    assert [hop.after for hop in trace.hops] == [b'{"c":"ff","b":"1970-01-01 00:00:00+00:00"}'] or [
        hop.after for hop in trace.hops
    ] == [b'{"b":"1970-01-01 00:00:00+00:00","c":"ff"}']


KEPT: list[tuple[list[Operation], Callable[[Any], Any]]] = [
    ([print_json("a")], lambda a: json.dumps(a, separators=(",", ":"))),
    ([function(lambda view: {"a": str(view["a"])}, reads=["a"], writes=["a"])], str),
]


@pytest.mark.parametrize(("operations", "expected"), KEPT, ids=["print_json", "function"])
def test_values_become_texts(operations: list[Operation], expected: Callable[[Any], Any]) -> None:
    value = {"b": 1}
    found = brought(operations, schema(a={"type": "map", "values": "int"}), {"a": value}, schema(a="string"))
    assert found == {"a": expected(value)}


def test_keys_are_made_of_avro_values() -> None:
    old = schema(a="string", n="long")
    upcaster, encoding = made_of([set_key("a", "n", numbers="text"), move("n", "m")], old, schema(a="string", m="long"))
    event = Event(avro_bytes(old, {"a": "x", "n": 70_000}), b"old")
    (only,) = upcaster.upcast(event, PLACE, encoding).output(event)
    assert only.key == b"x/70000"


def test_tables_map_avro_texts() -> None:
    old = schema(a="string")
    assert brought([map_values("a", {"x": "y"})], old, {"a": "x"}, old) == {"a": "y"}


def test_what_is_current_is_read_where_the_policy_wants_it_valid() -> None:
    detection = Detection((Always("order"),), (Always("1"),))
    for choice, kind in (("always", DeadLettered), ("never", Passed)):
        chain = Chain([step([default("z", 0)])], detection=detection)
        upcaster = SchemaUpcaster(chain, Policy(validate_target=choice), {("order", "2"): Encoding(V2)})  # type: ignore[arg-type]  # wrong on purpose
        assert isinstance(upcaster.upcast(Event(b"\xff"), None, Encoding(V2)), kind)
        assert isinstance(upcaster.upcast(Event(None), None, Encoding(V2)), Passed)


def test_schemas_that_have_come_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upcasters.schema_upcaster._MOST_SOURCES", 3)
    upcaster, encoding = made_of([rename("a", "b")], schema(a="string"), schema(b="string"))
    event = Event(avro_bytes(schema(a="string"), {"a": "x"}))
    for _ in range(10):
        assert isinstance(upcaster.upcast(event, None, Encoding(encoding.schema)), Upcast)
        assert len(upcaster._sources) <= 3


def test_nested_conditions_are_answered_where_a_header_tells_the_version() -> None:
    old = schema(m=record("Inner", b="string", c=record("Deeper", d="string")))
    new = schema(m=record("Inner", b="string", c=record("Deeper", d="string")), z=("int", 0))
    operations = [when(equals("m.c.d", "x") & present("m.b"), default("z", 1))]
    chain = Chain([step(operations)], detection=Detection((Always("order"),), (FromHeader("v"),)))
    upcaster = SchemaUpcaster(chain, Policy(), {("order", "2"): Encoding(new)})
    for text, expected in (("x", 1), ("y", 0)):
        event = Event(avro_bytes(old, {"m": {"b": "", "c": {"d": text}}}), None, {"v": "1"})
        (only,) = upcaster.upcast(event, None, Encoding(old)).output(event)
        assert avro_value(new, only.value or b"")["z"] == expected


def test_a_function_may_give_nan_to_avro() -> None:
    old = schema(a="double")
    upcaster, encoding = made_of([convert("a", lambda _: float("nan"))], old, old)
    outcome = upcaster.upcast(Event(avro_bytes(old, {"a": 1.0})), PLACE, encoding)
    assert isinstance(outcome, Upcast), outcome
    assert outcome.value == struct.pack("<d", float("nan"))


def test_a_caller_who_gives_something_else_is_told() -> None:
    upcaster = json_upcaster(BY_HEADER)
    with pytest.raises(TypeError, match="the encoding is a str"):
        upcaster.upcast(Event(b"{}"), None, "json")  # type: ignore[arg-type]  # wrong on purpose
    chain = Chain([step([rename("a", "b")])], detection=BY_HEADER)
    with pytest.raises(ChainError, match="there is no format for schemas of kind thrift"):
        SchemaUpcaster(chain, Policy(), {("order", "2"): Encoding(Schema("thrift", "{}"))})  # type: ignore[arg-type]  # as asked


def test_the_version_of_an_event_that_cannot_be_read() -> None:
    upcaster = by_header(Detection((Always("order"),), (FromHeader("v"),)))
    broken = Encoding(Schema("avro", "{"))
    with pytest.raises(EventError):
        upcaster.version_of_event(Event(b"\x00"), broken)
    with pytest.raises(EventError, match="frame"):
        opened_value(b"{}", Encoding(OLD_JSON, b"\x01"))
    with pytest.raises(EventError):
        opened_value(b"\x00", broken)


def test_what_the_policy_lets_through_must_be_of_a_format_that_is_written() -> None:
    chain = Chain([step([rename("a", "b")])], detection=BY_HEADER)
    upcaster = SchemaUpcaster(chain, Policy(future_version="pass"), {("order", "2"): Encoding(schema(b="int"))})
    outcome = upcaster.upcast(Event(b'{"a":1}', None, {"v": "9"}), None, Encoding(OLD_JSON))
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.error_type == "UnknownType"


class Fits(BaseModel):
    b: int


@pytest.mark.parametrize("choice", ["observe", "always"])
def test_framed_json_that_does_not_fit_its_model_is_told(choice: Any) -> None:
    chain = Chain([Step("order", "1", "2", [rename("a", "b")], model=Fits)], detection=BY_HEADER)
    seen: list[Violation] = []
    new = Encoding(Schema("json", '{"title": "new"}'), b"\x02")
    policy = Policy(validate_target=choice, sample_every=1)
    upcaster = SchemaUpcaster(chain, policy, {("order", "2"): new}, observe=seen.append)
    for value, version, encoding in (
        (b'\x01{"a":"x"}', "1", Encoding(OLD_JSON, b"\x01")),
        (b'\x02{"b":"x"}', "2", new),
    ):
        outcome = upcaster.upcast(Event(value, None, {"v": version}, offset=0), PLACE, encoding)
        assert isinstance(outcome, DeadLettered) is (choice == "always"), outcome
        assert outcome == upcaster.trace(Event(value, None, {"v": version}, offset=0), PLACE, encoding).outcome
    assert bool(seen) is (choice == "observe")


def test_encodings_without_a_schema_are_alike() -> None:
    assert Encoding(None).is_as(Encoding(None))
    assert not Encoding(OLD_JSON).is_as(Encoding(None))


def test_texts_of_another_format_are_joined_also_by_a_layout_that_is_known() -> None:
    old, new = schema(a="string", b="string"), schema(c="string")
    upcaster, encoding = made_of([join_values(["a", "b"], " ", "c", which="first")], old, new)
    event = Event(avro_bytes(old, {"a": "x", "b": "y z"}))
    values = [upcaster.upcast(event, None, encoding).output(event)[0].value for _ in range(3)]
    assert values == [avro_bytes(new, {"c": "x y z"})] * 3


def test_what_is_only_observed_needs_nobody_who_observes() -> None:
    class Wants(BaseModel):
        z: int

    old = schema(a="string")
    chain = Chain([Step("order", "1", "2", [rename("a", "b")])], [Baseline("order", "1", model=Wants)])
    policy = Policy(Detection((Always("order"),), (Always("1"),)), validate_source="observe")
    upcaster = SchemaUpcaster(chain, policy, {("order", "2"): Encoding(schema(b="string"))})
    trace = upcaster.trace(Event(avro_bytes(old, {"a": "x"})), None, Encoding(old))
    assert isinstance(trace.outcome, Upcast)


def test_a_version_of_which_nothing_says_how_it_is_written() -> None:
    old = schema(a="string")
    chain = Chain([Step("order", "1", "2", [rename("a", "b")])], [Baseline("order", "1")])
    upcaster = SchemaUpcaster(chain, Policy(Detection((Always("order"),), (Always("1"),))), {})
    outcome = upcaster.upcast(Event(avro_bytes(old, {"a": "x"})), None, Encoding(old))
    assert isinstance(outcome, DeadLettered)
    assert (outcome.fault.error_type, "how order 2 is written" in outcome.fault.message) == ("UnknownVersion", True)


def test_values_of_another_format_in_json() -> None:
    late = schema(t={"type": "int", "logicalType": "time-millis"}, n="int")
    document = FORMATS["avro"].reader(late)(avro_bytes(schema(t="int", n="int"), {"t": 90_000_000, "n": 1}))
    assert readable(document) == {"t": "(a time that Python cannot show)", "n": 1}
