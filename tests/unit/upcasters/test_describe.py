"""A chain in words and tables."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from upcasters import (
    Baseline,
    Chain,
    Step,
    add,
    at,
    convert,
    default,
    downgrade,
    drop,
    equals,
    everywhere,
    map_values,
    present,
    rename,
    rename_type,
    set_key,
    split_each,
    switch,
    when,
)
from upcasters.describe import TypeLine, changes, field_changes, fields_of, history, matrix, operations, summary
from upcasters.formats import Schema
from upcasters.operations.base import Reversibility
from upcasters.step import Hop
from upcasters.version_graph import Version


class Leaf(BaseModel):
    n: Annotated[int, Field(ge=1, le=9)]
    more: list[Leaf] = []


class Old(BaseModel):
    kind: Literal["a", "b"]
    one: Literal["c"]
    either: int | Leaf | None = None
    leaves: dict[str, Leaf]
    names: list[str]
    free: object = None


class New(BaseModel):
    kind: str
    leaves: dict[str, Leaf]


def test_fields_of_a_model_by_their_paths() -> None:
    assert fields_of(Old) == {
        "kind": "'a' | 'b'",
        "one": "'c'",
        "either": "integer | object | null?",
        "either.n": "integer (minimum 1, maximum 9)",
        "either.more": "array?",
        "either.more.*": "object",
        "leaves": "object",
        "leaves.*": "object",
        "leaves.*.n": "integer (minimum 1, maximum 9)",
        "leaves.*.more": "array?",
        "leaves.*.more.*": "object",
        "names": "array",
        "names.*": "string",
        "free": "anything?",
    }


def test_what_changes_between_models() -> None:
    old, new = Version("t", "1", Old), Version("t", "2", New)
    diff = {change.path: (change.before, change.after) for change in field_changes(old, new)}
    assert diff["kind"] == ("'a' | 'b'", "string")
    assert diff["names"] == ("array", "")
    assert "leaves.*.n" not in diff
    assert field_changes(Version("t", "1"), new) == field_changes(old, Version("t", "1")) == []


AVRO_OLD = """{"type": "record", "name": "shop.Order", "fields": [
    {"name": "id", "type": "string"}, {"name": "price", "type": "double"},
    {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
        {"name": "n", "type": "int"}, {"name": "under", "type": ["null", "Line"], "default": null}]}}}]}"""
AVRO_NEW = """{"type": "record", "name": "shop.Order", "fields": [
    {"name": "id", "type": "string"},
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["open", "paid"]}, "default": "open"},
    {"name": "hash", "type": [{"type": "fixed", "name": "Hash", "size": 4}, "null"]},
    {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
        {"name": "n", "type": "long"}, {"name": "under", "type": ["null", "Line"], "default": null}]}}}]}"""


def test_what_changes_between_two_schemas() -> None:
    old, new = (Version("t", "1", schema=Schema("avro", text)) for text in (AVRO_OLD, AVRO_NEW))
    diff = {change.path: (change.before, change.after) for change in field_changes(old, new)}
    assert diff == {
        "price": ("double", "decimal(9, 2)"),
        "state": ("", 'State: open | paid = "open"'),
        "hash": ("", "fixed(4) | null"),
        "lines.*.n": ("int", "long"),
    }
    of_json = [Version("t", "1", schema=Schema("json", json.dumps(each.model_json_schema()))) for each in (Old, New)]
    found = {change.path: (change.before, change.after) for change in field_changes(*of_json)}
    assert found["kind"] == ("'a' | 'b'", "string")


def test_a_table_is_shown_with_its_entries_as_far_as_they_are_read() -> None:
    table = {f"v{number}": number for number in range(20)}
    tables = [map_values("a", {"done": "completed", 1: None}), map_values("b", table), map_values("c", {"x" * 99: 1})]
    hop = Hop(("t", "1"), ("t", "2"), (Step("t", 1, 2, tables),))
    few, many, long = (change.text for change in changes(hop))
    assert few == 'map the values of a by a table of 2: "done" to "completed", 1 to null'
    assert many.endswith('"v11" to 11, and 8 more')
    assert long.endswith(f'by a table of 1: "{"x" * 38}… to 1')


def test_the_summary_of_a_chain() -> None:
    steps = [Step("t", 1, 2, [at("a", rename("b", "c"))]), Step("t", 2, 3, [drop("a")], preview=True, lossy="a test")]
    chain = Chain([*steps, Step("u", 1, 2)], [Baseline("t", 1), Baseline("u", 1)])
    assert summary(chain) == [
        TypeLine("t", ("1", "2", "3"), "2", 2, 3, ("t:2->3",)),
        TypeLine("u", ("1", "2"), "2", 1, 0, ()),
    ]


def test_a_lossy_way_names_its_steps() -> None:
    steps = [Step("t", 1, 2, [drop("a")], lossy="a test"), Step("t", 2, 3, [drop("b")], lossy="a test")]
    rows = matrix(Chain(steps, [Baseline("t", 1)]))
    assert [row.lossy for row in rows] == [("t:1->2",), ("t:1->2", "t:2->3"), ("t:2->3",)]
    assert rows[1].why == "step t:1->2: a is dropped"


def test_an_operation_is_shown_as_it_is_called() -> None:
    told = {line.name: line.signature for line in operations()}
    assert told["copy"] == 'copy(source, target, *, missing="error", exists="error")'
    assert told["drop"] == 'drop(field, *, missing="error", wrong_type="error", restore=...)'
    assert told["when"] == "when(condition, *operations, otherwise=(), undo_when=None)"
    assert told["drop_event"] == "drop_event()"


def test_operations_inside_others_have_lines_of_their_own() -> None:
    step = Step(
        "thing",
        1,
        2,
        [
            at("items.*", rename("a", "b")),
            everywhere(present("x"), drop("y")),
            when(equals("k", 1), add("m", 1), otherwise=[add("n", 2)]),
            when(present("p"), drop("q")),
            switch("k", {"a": drop("z")}, otherwise=[default("d", 1)]),
            switch("k", {"b": set_key("k")}),
        ],
        lossy="a test",
    )
    chain = Chain([step], [Baseline("thing", 1)])
    (hop,) = chain.hops.values()
    told = ["  " * change.depth + change.text for change in changes(hop)]
    assert told == [
        "at items.*",
        "  rename a to b",
        "everywhere where x is present",
        "  drop y",
        "when k equals 1",
        "  add m = 1",
        "  otherwise",
        "    add n = 2",
        "when p is present",
        "  drop q",
        "switch on k with 1 cases",
        '  case k = "a"',
        "    drop z",
        "  any other k",
        "    default d = 1",
        "switch on k with 1 cases",
        '  case k = "b"',
        "    set the record key from k",
    ]
    assert changes(hop)[3].back is Reversibility.LOSSY


def test_complexity_follows_from_what_it_takes_to_go_back() -> None:
    steps = [
        Step("thing", 1, 2, [rename("a", "b")]),
        Step("thing", 2, 3, [default("c", 1)]),
        Step("thing", 3, 4, [convert("b", str)], lossy="a test", notes="one way"),
        Step("thing", 4, 5, [rename_type("object")], complexity="medium"),
        Step("object", 5, 6, [split_each("parts", "part", item="part")], lossy="a test"),
    ]
    chain = Chain(steps, [Baseline("thing", 1), Baseline("part", 6)])
    rows = {(row.source, row.target): row for row in matrix(chain, every=True)}
    assert [rows[pair].path for pair in (("1", "2"), ("2", "3"), ("3", "4"))] == ["Direct", "Guided", "Complex"]
    assert rows["1", "4"].hops == 3
    assert rows["1", "4"].notes == "one way"
    assert ("4", "5 (object)") in rows
    assert rows["5", "6 (part)"].reversible is Reversibility.LOSSY


def test_the_history_of_every_type() -> None:
    steps = [
        Step("thing", None, 1, [rename_type("object")]),
        Step("object", 1, 2, preview=True, description="Two.\nMore."),
    ]
    chain = Chain(steps, [Baseline("thing", None, description="Old.")])
    lines = {(line.event_type, line.version): line for line in history(chain)}
    assert lines["thing", ""].summary == "Old."
    assert lines["thing", ""].leads_to == ("object 1",)
    assert lines["object", "1"].marks == ("current",)
    assert lines["object", "2"].summary == "Two."
    assert lines["object", "2"].marks == ("preview",)


def test_every_operation_has_a_summary_and_its_choices() -> None:
    found = {line.name: line for line in operations()}
    assert all(line.summary for line in found.values())
    assert found["rename"].choices["missing"] == ("error", "skip")
    assert found["wrap"].choices["null"] == ("wrap", "keep", "empty")
    assert found["drop_event"].choices == {}


def test_what_runs_on_the_way_down_alone_is_told_as_that() -> None:
    chain = Chain([Step("t", 1, 2, [downgrade(default("fax", None))])], [Baseline("t", 1)])
    assert any("on the way down" in json.dumps(line) for line in map(str, changes(chain.path(("t", "1"))[0])))
