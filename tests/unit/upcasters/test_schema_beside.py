"""A schema beside a step: it tells the version, and the checks hold the operations against it."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from upcasters import (
    Baseline,
    Chain,
    ChainError,
    DeadLettered,
    Fault,
    Policy,
    Step,
    at,
    convert,
    default,
    derive,
    drop,
    rename,
)
from upcasters.event import Event
from upcasters.formats import Encoding, Schema
from upcasters.loading import chain_from_package
from upcasters.outcome import Passed, Upcast
from upcasters.schema_upcaster import SchemaUpcaster
from upcasters.testing import LawBroken, laws
from upcasters.testing.events import Inputs
from upcasters.testing.routes import pinned


def schema(*fields: dict[str, Any], **more: Any) -> Schema:
    return Schema("avro", json.dumps({"type": "record", "name": "Order", "fields": list(fields), **more}))


A = {"name": "a", "type": "string"}
B = {"name": "b", "type": "string"}
N = {"name": "n", "type": "long"}
OPTIONAL = {"name": "n", "type": ["null", "long"], "default": None}


def chain(old: Schema, new: Schema, *operations: Any) -> Chain:
    step = Step("order", "1", "2", operations or [rename("a", "b")], schema=new)
    made = Chain([step], [Baseline("order", "1", schema=old)])
    made.check()
    return made


def test_a_record_of_that_schema_is_of_that_version_whatever_it_holds() -> None:
    """The two have the same fields: no shape could tell them apart."""
    one, two = schema(A, N), schema(A, N, namespace="second")
    found = chain(one, two, default("n", 0))
    target = Encoding(two, b"2")
    upcaster = SchemaUpcaster(found, Policy(), {("order", "2"): target})
    value = b"\x02x\x02"
    assert upcaster.upcast(Event(b"1" + value), None, Encoding(one, b"1")) == Upcast(
        upcaster._flow.way(("order", "1")).passage, b"2" + value
    )
    assert isinstance(upcaster.upcast(Event(b"2" + value), None, Encoding(two, b"2")), Passed)
    assert upcaster.version_of(Schema("avro", one.text.replace("{", "{ "))) == ("order", "1")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (schema(A), schema(B, N), "n, which the model requires, is missing"),
        (schema(A, N), schema(B), "n comes out of the step and the model does not declare it"),
        (schema({"name": "a", "type": "long"}), schema(B), "b may be integer and the model takes string"),
        (schema({"name": "a", "type": ["null", "string"]}), schema(B), "b may be null and the model takes string"),
    ],
)
def test_steps_are_checked_against_schemas(old: Schema, new: Schema, told: str) -> None:
    with pytest.raises(ChainError, match=told):
        chain(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (schema(A), schema(B, OPTIONAL)),
        (schema(A, OPTIONAL), schema(B, OPTIONAL)),
        (schema({"name": "a", "type": "bytes"}), schema(B)),
        (schema(A, {"name": "k", "type": {"type": "enum", "name": "K", "symbols": ["x"]}}),) * 1
        + (schema(B, {"name": "k", "type": "string"}),),
    ],
)
def test_what_fits_or_cannot_be_told_is_let_through(old: Schema, new: Schema) -> None:
    assert chain(old, new).versions["order", "2"].schema == new


def test_a_schema_that_holds_itself_is_followed() -> None:
    inner = {"name": "next", "type": ["null", "Order"], "default": None}
    found = chain(schema(A, inner), schema(A, inner, OPTIONAL), default("n", 0))
    assert found.schemas.keys() == {("order", "1"), ("order", "2")}


def test_a_json_schema_stands_for_a_model_too() -> None:
    new = Schema("json", '{"type": "object", "properties": {"b": {"type": "string"}, "c": {}}, "required": ["b", "c"]}')
    with pytest.raises(ChainError, match="c, which the model requires, is missing"):
        chain(schema(A), new)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("order-2.avsc", "is a file beside a step, and this chain is not made of a package"),
        (Schema("avro", "{"), "cannot be parsed"),
        (Schema("json", "{"), "the schema is not JSON text"),
        (7, "schema=int is no schema"),
    ],
)
def test_what_is_no_schema_is_told(given: Any, told: str) -> None:
    with pytest.raises(ChainError, match=told):
        Chain([Step("order", "1", "2", [rename("a", "b")], schema=given)], [Baseline("order", "1")])


STEP = '''
"""Orders say b."""
from upcasters import Baseline, Step, rename
baseline = Baseline("order", "1", schema="order-1.avsc")
step = Step("order", "1", "2", [rename("a", "b")], schema="order-2.avsc")
'''


def test_a_package_finds_the_files_beside_its_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shop_beside"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "order_2.py").write_text(STEP)
    (folder / "order-1.avsc").write_text(schema(A).text)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with pytest.raises(
            ChainError, match=r"'order-2\.avsc' cannot be read \(FileNotFoundError\). Put the file beside"
        ):
            chain_from_package("shop_beside")
        (folder / "order-2.avsc").write_text(schema(B).text)
        found = chain_from_package("shop_beside")
        assert found.schemas == {("order", "1"): schema(A), ("order", "2"): schema(B)}
        before = found.fingerprint
        (folder / "order-2.avsc").write_text(schema(B, OPTIONAL).text)
        assert chain_from_package("shop_beside").fingerprint != before
        for wrong in ("../order-2.avsc", "order-2.txt"):
            sys.modules["shop_beside.order_2"].step = Step("order", "1", "2", [rename("a", "b")], schema=wrong)  # type: ignore[attr-defined]  # a module made while running
            with pytest.raises(ChainError, match="is no file of a schema"):
                chain_from_package("shop_beside")
    finally:
        for name in [name for name in sys.modules if name.startswith("shop_beside")]:
            del sys.modules[name]


EUROS = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
DAY = {"name": "day", "type": {"type": "int", "logicalType": "date"}}
HASH = {"name": "hash", "type": "bytes"}


def verdicts(found: Chain) -> dict[str, str]:
    told = {}
    for law in laws(found, examples=30):
        try:
            told[law.id] = "ok" if law.check() else "none"
        except LawBroken as error:
            told[law.id] = str(error)
    return told


def test_laws_are_tried_on_records_that_json_could_not_carry() -> None:
    old = schema({"name": "price", "type": "string"}, DAY, HASH)
    new = schema({"name": "total", "type": EUROS}, {"name": "on", "type": DAY["type"]}, HASH)
    found = chain(old, new, convert("price", Decimal, str), rename("price", "total"), rename("day", "on"))
    assert verdicts(found) == {
        "tombstones[order to 2]": "ok",
        "tombstones[order to 1]": "ok",
        "valid-output[order 1 to 2]": "ok",
        "round-trip[order 1 to 2]": "ok",
    }


def next_day(day: dt.date) -> str:
    return str(day + dt.timedelta(days=1))


def test_a_law_finds_what_the_schema_has_no_place_for_and_shows_it_as_json() -> None:
    """Of dates the static checks claim nothing."""
    told = verdicts(chain(schema(DAY), schema(DAY), convert("day", next_day, dt.date.fromisoformat)))
    assert "step order:1->2 made a record that its schema has no place for" in told["valid-output[order 1 to 2]"]
    assert 'event:   {"day":"2000-01-01"}' in told["valid-output[order 1 to 2]"]


def unlike(day: dt.date) -> dt.date:
    return day + dt.timedelta(days=1)


def test_a_law_finds_a_way_back_that_is_none() -> None:
    told = verdicts(chain(schema(DAY), schema(DAY), convert("day", unlike, unlike)))
    assert "gives another event the second time up" in told["round-trip[order 1 to 2]"]


def test_documents_in_json_are_made_up_from_a_schema_too() -> None:
    old = Schema("json", json.dumps({"type": "object", "properties": {"a": {"const": "only"}}, "required": ["a"]}))
    found = Chain([Step("order", "1", "2", [rename("a", "b")])], [Baseline("order", "1", schema=old)])
    values = [event.value or b"" for event in Inputs(found, []).drawn("order", "1", pinned(found, "order", "1"), 60)]
    assert sum(b"only" in value for value in values) > 10
    everything = {"name": "k", "type": ["null", {"type": "enum", "name": "K", "symbols": ["x"]}]}
    whole = Chain([Step("order", "1", "2", [rename("a", "b")])], [Baseline("order", "1", schema=schema(A, everything))])
    made = Inputs(whole, []).drawn("order", "1", pinned(whole, "order", "1"), 60)
    assert any(set(read_object(event)) == {"a", "k"} for event in made)


def read_object(event: Event) -> dict[str, Any]:
    try:
        found = json.loads(event.value or b"")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


EVERY_KIND = [
    {"name": "list", "type": {"type": "array", "items": "int"}},
    {"name": "map", "type": {"type": "map", "values": "string"}},
    {"name": "two", "type": {"type": "fixed", "name": "F", "size": 2}},
    {"name": "price", "type": EUROS},
    {
        "name": "amount",
        "type": {"type": "fixed", "name": "G", "size": 4, "logicalType": "decimal", "precision": 6, "scale": 2},
    },
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
]


def test_records_of_every_kind_are_made_up() -> None:
    found = chain(schema(A, *EVERY_KIND), schema(B, *EVERY_KIND), rename("a", "b"), at("map", default("x", "y")))
    assert set(verdicts(found).values()) == {"ok"}


def test_a_step_that_loses_something_has_no_way_back_to_try() -> None:
    step = Step("order", "1", "2", [drop("n")], schema=schema(A), lossy="for the test")
    found = Chain([step], [Baseline("order", "1", schema=schema(A, N))])
    assert verdicts(found) == {"tombstones[order to 2]": "ok", "valid-output[order 1 to 2]": "ok"}


def refuse(value: str) -> str:
    raise ValueError(value)


def test_a_law_finds_a_step_that_is_said_to_be_exact_and_does_not_go_back() -> None:
    found = chain(schema(A), schema(A), convert("a", str.upper, refuse))
    assert "says that it can be undone exactly" in verdicts(found)["round-trip[order 1 to 2]"]


def test_a_law_finds_two_outcomes_of_one_event(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count()
    found = chain(schema(A), schema(A, OPTIONAL), derive("n", ["a"], lambda _: next(numbers)))
    assert "the same event has two outcomes" in verdicts(found)["valid-output[order 1 to 2]"]
    real = SchemaUpcaster.trace

    def other(*given: Any) -> Any:
        trace = real(*given)
        return replace(trace, outcome=DeadLettered(Fault("upcast", "Other", "")))

    monkeypatch.setattr(SchemaUpcaster, "trace", other)
    told = verdicts(chain(schema(A), schema(B)))
    assert "the compiled path and the way hop by hop differ" in told["valid-output[order 1 to 2]"]


def test_records_that_could_be_several_of_a_union_are_left_out() -> None:
    kinds = [{"type": "record", "name": name, "fields": [{"name": "x", "type": "int"}]} for name in ("P", "Q")]
    either = {"name": "e", "type": ["null", *kinds]}
    told = verdicts(chain(schema(A, either), schema(B, either)))
    assert told["valid-output[order 1 to 2]"] == "ok"


def test_messages_of_every_kind_are_made_up() -> None:
    text = (
        'syntax = "proto3"; import "google/protobuf/wrappers.proto"; '
        "message Order {{ string {} = 1; map<string, int32> counts = 2; google.protobuf.StringValue note = 3; }}"
    )
    old, new = (Schema("protobuf", text.format(name)) for name in "ab")
    found = chain(old, new, rename("a", "b"), at("counts", default("x", 1)))
    assert verdicts(found)["valid-output[order 1 to 2]"] == "ok"
