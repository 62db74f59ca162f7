"""Operations that run only where something holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.upcasters.applying import applied, assert_reversible, context, refused, touches, undone
from upcasters import (
    EventError,
    Operation,
    Reversibility,
    StepError,
    absent,
    add,
    any_present,
    assign,
    default,
    downgrade,
    drop,
    drop_event,
    equals,
    has_type,
    is_null_at,
    move,
    present,
    rename,
    rename_type,
    split_each,
    switch,
    tombstone,
    when,
)
from upcasters.errors import FieldExists, MissingField, UnmappedValue

EXACT, EQUIVALENT, NEEDS_VALUE, LOSSY = Reversibility

BY_KIND = switch("k", {"x": add("was", "text"), 1: add("was", "number"), None: add("was", "null"), "": []})
BY_TRUTH = switch("k", {True: add("was", "true"), False: add("was", "false")}, otherwise=[add("was", "else")])

CHANGES: dict[str, tuple[Operation, str, str]] = {
    "it holds": (when(present("a"), rename("a", "b"), add("c", 1)), '{"a":1.10,"z":[ ]}', '{"b":1.10,"z":[ ],"c":1}'),
    "it does not hold": (when(present("a"), rename("a", "b")), '{"z":{ }}', '{"z":{ }}'),
    "otherwise": (when(present("a"), drop("a"), otherwise=[add("a", 1)]), "{}", '{"a":1}'),
    "null is there": (when(present("a"), drop("a")), '{"a":null}', "{}"),
    "null is asked for": (when(is_null_at("a"), assign("a", 0)), '{"a": null}', '{"a":0}'),
    "a sibling equals": (when(equals("k", 1), drop("a")), '{"k":1.0,"a":2}', '{"k":1.0}'),
    "a sibling has a type": (
        when(has_type("k.l", "array", "object"), drop("a")),
        '{"k":{"l":[]},"a":2}',
        '{"k":{"l":[]}}',
    ),
    "a parent is no object": (when(has_type("k.l", "array"), drop("a")), '{"k":[1],"a":2}', '{"k":[1],"a":2}'),
    "when in when": (when(present("a"), when(present("b"), drop("a"))), '{"a":1,"b":2}', '{"b":2}'),
    "a text": (BY_KIND, '{"k":"\\u0078"}', '{"k":"\\u0078","was":"text"}'),
    "a number": (BY_KIND, '{"k":1.00}', '{"k":1.00,"was":"number"}'),
    "null": (BY_KIND, '{"k":null}', '{"k":null,"was":"null"}'),
    "nothing to do": (BY_KIND, '{"k":""}', '{"k":""}'),
    "true": (BY_TRUTH, '{"k":true}', '{"k":true,"was":"true"}'),
    "1 is not true": (BY_TRUTH, '{"k":1}', '{"k":1,"was":"else"}'),
    "an object": (BY_TRUTH, '{"k":{}}', '{"k":{},"was":"else"}'),
    "not there": (BY_TRUTH, "{}", '{"was":"else"}'),
    "below": (switch("m.k", {"x": drop("m")}, otherwise=[]), '{"m":{"k":"x"}}', "{}"),
    "below nothing": (switch("m.k", {"x": drop("m")}, otherwise=[]), '{"m":1}', '{"m":1}'),
    "of an odd key": (switch(("a.b",), {"x": drop("c")}), '{"a.b":"x","c":1}', '{"a.b":"x"}'),
}


@pytest.mark.parametrize(("operation", "before", "after"), CHANGES.values(), ids=CHANGES.keys())
def test_changes(operation: Operation, before: str, after: str) -> None:
    assert applied(before, operation) == after


REFUSALS: dict[str, tuple[Operation, str, type[EventError], str]] = {
    "it holds, and fails": (when(present("a"), drop("b")), '{"a":1}', MissingField, "b"),
    "otherwise it fails": (when(present("a"), drop("a"), otherwise=[add("b", 1)]), '{"b":1}', FieldExists, "b"),
    "no such case": (BY_KIND, '{"k":"X"}', UnmappedValue, "k"),
    "true is not 1": (BY_KIND, '{"k":true}', UnmappedValue, "k"),
    "a list is no case": (BY_KIND, '{"k":[]}', UnmappedValue, "k"),
    "no field to choose by": (switch("m.k", {"x": []}), '{"m":{}}', MissingField, "m.k"),
    "too long a number": (BY_KIND, '{"k":' + "1" * 5000 + "}", UnmappedValue, "k"),
}


@pytest.mark.parametrize(("operation", "before", "error", "path"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refuses(operation: Operation, before: str, error: type[EventError], path: str) -> None:
    refused(error, path, before, operation)


def test_seven_hundred_cases_are_one_look_up() -> None:
    operation = switch("k", {f"case {number}": add("n", number) for number in range(700)})
    assert applied('{"k":"case 699"}', operation) == '{"k":"case 699","n":699}'
    assert str(operation) == "switch on k with 700 cases"


def test_nothing_runs_behind_a_dropped_event() -> None:
    around = context()
    assert applied('{"a":1}', when(present("a"), drop_event(), drop("not there")), around=around) == '{"a":1}'
    assert around.dropped


REVERSIBLE: dict[str, tuple[Operation, str]] = {
    "it holds": (when(present("a"), rename("b", "c"), add("d", 1)), '{"a":1,"b":2}'),
    "it does not hold": (when(present("a"), rename("b", "c"), otherwise=[add("d", 1)]), '{"b":2}'),
    "it is told": (when(equals("k", "x"), rename("k", "kind"), undo_when=present("kind")), '{"k":"x"}'),
    "it changes what is inside": (
        when(has_type("a", "object") & present("b"), rename("a.x", "y"), add("a.z", 1)),
        '{"a":{"x":1},"b":null}',
    ),
    "nothing is inside": (when(has_type("a", "object"), add("a.z", 1), otherwise=[add("n", 1)]), '{"a":null}'),
    "a case": (BY_KIND, '{"k":"x"}'),
    "otherwise": (BY_TRUTH, '{"k":[]}'),
}


@pytest.mark.parametrize(("operation", "before"), REVERSIBLE.values(), ids=REVERSIBLE.keys())
def test_comes_back(operation: Operation, before: str) -> None:
    assert_reversible(before, operation)


def test_why_it_is_lossy_is_a_sentence() -> None:
    why = when(has_type("a", "string"), drop("a", restore="")).inverse().why
    assert why == "whether the condition held (a is a string) is not known afterwards; give undo_when"


WAYS_BACK: dict[str, tuple[Operation, Reversibility, str, str]] = {
    "it changes what it asks": (when(present("a"), rename("a", "b")), LOSSY, '{"b":1}', '{"b":1}'),
    "it changes a part of what it asks": (
        when(present("a", "b"), rename("a.x", "y"), rename("b", "c")),
        LOSSY,
        '{"a":{"y":1},"c":1}',
        '{"a":{"y":1},"c":1}',
    ),
    "it makes what it asks to be absent": (
        when(absent("a"), move("b", "a.b", parents="create")),
        LOSSY,
        '{"a":{"b":1}}',
        '{"a":{"b":1}}',
    ),
    "otherwise it changes what is inside": (
        when(present("a.b"), add("c", 1), otherwise=[move("c", "a.b.c", parents="create")]),
        LOSSY,
        '{"a":{"b":{"c":1}},"c":1}',
        '{"a":{"b":{"c":1}}}',
    ),
    "it changes a value that it asks for": (
        when(equals("a", {"b": 1}), add("a.c", 1)),
        LOSSY,
        '{"a":{"b":1,"c":1}}',
        '{"a":{"b":1,"c":1}}',
    ),
    "as weak as its weakest part": (
        when(present("k"), add("a", 1), otherwise=[default("b", 1)]),
        EQUIVALENT,
        '{"k":1,"a":1}',
        '{"k":1}',
    ),
    "a case changes what chooses": (
        switch("k", {"x": rename("k", "kind")}, otherwise=[]),
        LOSSY,
        '{"kind":"x"}',
        '{"kind":"x"}',
    ),
    "as weak as its weakest case": (
        switch("k", {"x": default("a", 1), "y": add("a", 1)}),
        EQUIVALENT,
        '{"k":"x","a":1}',
        '{"k":"x"}',
    ),
}


@pytest.mark.parametrize(("operation", "kind", "newer", "older"), WAYS_BACK.values(), ids=WAYS_BACK.keys())
def test_goes_back(operation: Operation, kind: Reversibility, newer: str, older: str) -> None:
    inverse = operation.inverse()
    assert (inverse.kind, bool(inverse.why)) == (kind, kind is not EXACT)
    assert undone(newer, operation) == older


def test_says_what_it_touches() -> None:
    condition = any_present("a", "b")
    assert touches(when(condition, rename("c", "d"), otherwise=[drop("e")])) == {
        "reads": (("a",), ("b",), ("c",)),
        "writes": (("c",), ("d",), ("e",)),
        "dropped": (("e",),),
    }
    assert touches(switch("k", {"x": drop("a"), "y": rename("b", "a")}, otherwise=[drop("c")])) == {
        "reads": (("k",), ("b",)),
        "writes": (("a",), ("b",), ("c",)),
        "dropped": (("a",), ("c",)),
    }


def test_the_texts_are_what_people_read() -> None:
    assert str(when(present("a"), drop("a"), drop("b"))) == "when a is present: drop a; drop b"
    assert str(when(present("a"), drop("a"), otherwise=[drop("b")])) == "when a is present: drop a; otherwise: drop b"


def test_on_the_way_down_alone() -> None:
    operation = downgrade(default("fax", None))
    assert applied("{}", operation) == "{}"
    assert undone("{}", operation) == '{"fax":null}'
    assert operation.inverse().kind is Reversibility.EQUIVALENT
    assert downgrade(drop("a")).inverse().kind is Reversibility.LOSSY
    assert str(operation) == "on the way down: default fax = null"


ENDS = (drop_event(), tombstone(), rename_type("other"), split_each("items", into="item", item="item"))


@pytest.mark.parametrize("ends", ENDS, ids=str)
@pytest.mark.parametrize(
    "around",
    [
        lambda ends: (ends,),
        lambda ends: (drop("b"), when(present("a"), ends)),
        lambda ends: (when(present("a"), drop("a"), otherwise=[when(present("b"), ends)]),),
        lambda ends: (switch("k", {1: [drop("a")], 2: [ends]}),),
        lambda ends: (switch("k", {1: []}, otherwise=[when(present("a"), ends)]),),
    ],
    ids=["alone", "in a condition", "deep", "in a case", "in the other case"],
)
def test_no_event_ends_or_changes_its_type_on_the_way_down(
    around: Callable[[Operation], tuple[Operation, ...]], ends: Operation
) -> None:
    with pytest.raises(StepError, match="does not end, split or change its type on the way down"):
        downgrade(*around(ends))
