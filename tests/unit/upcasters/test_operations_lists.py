"""Scalars and fields become lists and back; lists of lists become one; items get numbers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.upcasters.applying import applied, assert_reversible, assert_same, refused, touches, undone
from upcasters import (
    EACH,
    EventError,
    Operation,
    Reversibility,
    StepError,
    anything,
    at,
    equals,
    fields_to_list,
    flatten,
    list_to_fields,
    list_to_object,
    move_items,
    number,
    present,
    rename,
    split_value,
    to_object,
    unwrap,
    wrap,
)
from upcasters.errors import Ambiguous, Conflict, FieldExists, FormatMismatch, MissingField, WrongType

EXACT, EQUIVALENT, NEEDS_VALUE, LOSSY = Reversibility

CHANGES: dict[str, tuple[Operation, str, str]] = {
    "wrap": (wrap("a"), '{"z":1.0,"a":1.10,"y":[ ]}', '{"z":1.0,"a":[1.10],"y":[ ]}'),
    "wrap an object": (wrap("a"), '{"a":{ "x" : 1 }}', '{"a":[{ "x" : 1 }]}'),
    "wrap null": (wrap("a"), '{"a":null}', '{"a":[null]}'),
    "wrap null as nothing": (wrap("a", null="empty"), '{"a":null}', '{"a":[]}'),
    "wrap, keeping null": (wrap("a", null="keep"), '{"a":null}', '{"a":null}'),
    "wrap, keeping lists": (wrap("a", lists="keep"), '{"a":[ 1 ]}', '{"a":[ 1 ]}'),
    "wrap lists": (wrap("a", lists="wrap"), '{"a":[ 1 ]}', '{"a":[[ 1 ]]}'),
    "wrap nothing": (wrap("a.b", missing="skip"), "{}", "{}"),
    "wrap all items": (wrap("a.*"), '{"a":[1,{"":2}]}', '{"a":[[1],[{"":2}]]}'),
    "wrap all values": (wrap(("a.b", EACH)), '{"a.b":{"":1,"é":2}}', '{"a.b":{"":[1],"é":[2]}}'),
    "unwrap": (unwrap("a"), '{"z":1.0,"a": [ 1.10 ] }', '{"z":1.0,"a":1.10}'),
    "unwrap null": (unwrap("a"), '{"a":[null]}', '{"a":null}'),
    "unwrap, keeping null": (unwrap("a.*", null="keep"), '{"a":[null,[1]]}', '{"a":[null,1]}'),
    "unwrap nothing as null": (unwrap("a", empty="null"), '{"a":[]}', '{"a":null}'),
    "unwrap nothing as nothing": (unwrap("a", empty="drop"), '{"a":[],"b":1.10}', '{"b":1.10}'),
    "unwrap the first": (unwrap("a", many="first"), '{"a":[{ },2]}', '{"a":{ }}'),
    "unwrap what is missing": (unwrap("a", missing="skip"), "{}", "{}"),
    "unwrap all items": (unwrap("a.*.b", empty="drop"), '{"a":[{"b":[1]},{"b":[]}]}', '{"a":[{"b":1},{}]}'),
    "unwrap all values": (unwrap("a.*", empty="drop"), '{"a":{"x":[1],"y":[]}}', '{"a":{"x":1}}'),
    "flatten": (flatten("a"), '{"a":[[1.10,{ }],[],[[2]]],"z":1.0}', '{"a":[1.10,{ },[2]],"z":1.0}'),
    "flatten nothing": (flatten("a"), '{"a":[]}', '{"a":[]}'),
    "flatten, keeping items": (flatten("a", scalars="keep"), '{"a":[1.10,[2],null]}', '{"a":[1.10,2,null]}'),
    "flatten what is missing": (flatten("a", missing="skip"), "{}", "{}"),
    "flatten all": (flatten("a.*"), '{"a":{"x":[[1]],"":[[2]]}}', '{"a":{"x":[1],"":[2]}}'),
    "number": (number("a", "n"), '{"a":[{"x":1.10},{}],"z":1.0}', '{"a":[{"x":1.10,"n":0},{"n":1}],"z":1.0}'),
    "number from 1": (number("a", "", start=1), '{"a":[{}]}', '{"a":[{"":1}]}'),
    "number nothing": (number("a", "n"), '{"a":[]}', '{"a":[]}'),
    "number what is missing": (number("a", "n", missing="skip"), "{}", "{}"),
    "number as text": (
        number("a", "id", text="cell-{}", start=1),
        '{"a":[{},{}]}',
        '{"a":[{"id":"cell-1"},{"id":"cell-2"}]}',
    ),
    "number, keeping": (
        number("a", "n", exists="keep"),
        '{"a":[{"n":null},{},{"n":7.0}]}',
        '{"a":[{"n":null},{"n":1},{"n":7.0}]}',
    ),
    "number, keeping texts": (
        number("a", "n", exists="keep"),
        '{"a":[{"n":"1"},{},{"n":true}]}',
        '{"a":[{"n":"1"},{"n":1},{"n":true}]}',
    ),
    "a list of fields": (fields_to_list(["y", "x"], "p"), '{"x":1.10,"z":{ },"y":null}', '{"z":{ },"p":[null,1.10]}'),
    "a list in the place of a field": (fields_to_list(["y", "x"], "x"), '{"x":1,"y":[2]}', '{"x":[[2],1]}'),
    "a list in all items": (fields_to_list(["x", "y"], "a.*.p"), '{"a":[{"y":2,"x":1}]}', '{"a":[{"p":[1,2]}]}'),
    "a list of nothing": (fields_to_list(["x", "y"], "p", missing="skip"), '{"p":1}', '{"p":1}'),
    "a list without an object": (fields_to_list(["x", "y"], "a.p", missing="skip"), "{}", "{}"),
    "a shorter list": (fields_to_list(["x", "y", "h"], "p", short="keep"), '{"y":2,"x":1}', '{"p":[1,2]}'),
    "a list that could be shorter": (fields_to_list(["x", "y"], "p", short="keep"), '{"y":2,"x":1}', '{"p":[1,2]}'),
    "fields of a list": (
        list_to_fields("p", ["y", "x"]),
        '{"p": [ null, 1.10 ],"z":{ }}',
        '{"z":{ },"y":null,"x":1.10}',
    ),
    "fields in the place of a list": (list_to_fields("x", ["x", "y"]), '{"x":[{ },2]}', '{"x":{ },"y":2}'),
    "fields of all lists": (list_to_fields("a.*.p", ["x", "y"]), '{"a":[{"p":[1,2]}]}', '{"a":[{"x":1,"y":2}]}'),
    "fields of no list": (list_to_fields("a.p", ["x", "y"], missing="skip"), '{"a":{}}', '{"a":{}}'),
    "fields of a shorter list": (list_to_fields("p", ["x", "y"], short="keep"), '{"p":[1]}', '{"x":1}'),
    "fields of a list cut": (list_to_fields("p", ["x", "y"], more="cut"), '{"p":[1,2,3]}', '{"x":1,"y":2}'),
    "number on through all": (
        number("a.*.b", "n", over="all"),
        '{"a":[{"b":[{},{}]},{"b":[]},{"b":[{}]}]}',
        '{"a":[{"b":[{"n":0},{"n":1}]},{"b":[]},{"b":[{"n":2}]}]}',
    ),
    "number behind the largest": (
        number("a.*", "n", start="next", over="all", exists="keep"),
        '{"a":[[{},{"n":7}],[{"n":-1},{}]]}',
        '{"a":[[{"n":8},{"n":7}],[{"n":-1},{"n":9}]]}',
    ),
    "number behind the largest of each": (
        number("a.*", "n", start="next", exists="keep"),
        '{"a":[[{},{"n":7}],[{},{}]]}',
        '{"a":[[{"n":8},{"n":7}],[{"n":1},{"n":2}]]}',
    ),
    "move items": (
        move_items("a", equals("k", "x"), "b"),
        '{"a":[{"k":"x","n":1.10},{ "k":"y" },3,{"k":"x"}],"z":1.0}',
        '{"a":[{ "k":"y" },3],"z":1.0,"b":[{"k":"x","n":1.10},{"k":"x"}]}',
    ),
    "move items behind others": (
        move_items("a", present("k"), "b.c"),
        '{"a":[{"k":1}],"b":{"c":[ 0 ]}}',
        '{"a":[],"b":{"c":[0,{"k":1}]}}',
    ),
    "move all items": (move_items("a", anything(), "b", empty="drop"), '{"a":[{},{}]}', '{"b":[{},{}]}'),
    "move no items": (
        move_items("a", present("k"), "b", empty="drop"),
        '{"a":[ {} , [{"k":1}] ]}',
        '{"a":[ {} , [{"k":1}] ]}',
    ),
    "move items of nothing": (move_items("a", present("k"), "b", missing="skip"), "{}", "{}"),
    "move items by what is in them": (
        move_items("a", equals("k.l", 1), "b"),
        '{"a":[{"k":{ "l": 1,"l":1.0 }},{"k":{ "l":2 }}]}',
        '{"a":[{"k":{ "l":2 }}],"b":[{"k":{ "l": 1,"l":1.0 }}]}',
    ),
    "number all": (number("a.*", "n"), '{"a":[[{}],[{}]]}', '{"a":[[{"n":0}],[{"n":0}]]}'),
}


@pytest.mark.parametrize(("operation", "before", "after"), CHANGES.values(), ids=CHANGES.keys())
def test_changes(operation: Operation, before: str, after: str) -> None:
    assert applied(before, operation) == after


def test_what_is_looked_at_in_an_open_item_keeps_its_keys() -> None:
    opening = rename("a.*.k.o", "p")
    before = '{"a":[{"k":{"o":1,"l":{"c":2,"c":1}}}]}'
    after = '{"a":[],"b":[{"k":{"p":1,"l":{"c":2,"c":1}}}]}'
    assert applied(before, opening, move_items("a", equals("k.l.c", 1), "b")) == after


COUNTED_ON = number("a", "n", start="next", exists="keep")
REFUSALS: dict[str, tuple[Operation, str, type[EventError], str]] = {
    "wrap nothing": (wrap("a"), "{}", MissingField, "a"),
    "wrap a list": (wrap("a.*"), '{"a":[[]]}', WrongType, "a.*"),
    "wrap in a text": (wrap("a.b"), '{"a":"x"}', WrongType, "a"),
    "unwrap nothing": (unwrap("a"), "{}", MissingField, "a"),
    "unwrap a number": (unwrap("a"), '{"a":1}', WrongType, "a"),
    "unwrap null": (unwrap("a"), '{"a":null}', WrongType, "a"),
    "unwrap an empty list": (unwrap("a"), '{"a":[]}', WrongType, "a"),
    "unwrap an empty list in a list": (unwrap("a.*", empty="drop"), '{"a":[[]]}', WrongType, "a.*"),
    "unwrap two": (unwrap("a"), '{"a":[1,2]}', WrongType, "a"),
    "flatten nothing": (flatten("a"), "{}", MissingField, "a"),
    "flatten null": (flatten("a"), '{"a":null}', WrongType, "a"),
    "flatten numbers": (flatten("a"), '{"a":[1]}', WrongType, "a.*"),
    "a list without a field": (fields_to_list(["x", "y"], "a.p"), '{"a":{"x":1}}', MissingField, "a.y"),
    "a list of some": (fields_to_list(["x", "y"], "p", missing="skip"), '{"y":1}', MissingField, "x"),
    "a list with a gap": (fields_to_list(["x", "y", "h"], "p", short="keep"), '{"x":1,"h":3}', MissingField, "y"),
    "a short list of nothing": (fields_to_list(["x", "y"], "p", short="keep"), "{}", MissingField, "x"),
    "a list that is there": (fields_to_list(["x", "y"], "p"), '{"x":1,"y":2,"p":3}', FieldExists, "p"),
    "a list in no object": (fields_to_list(["x", "y"], "a.p", missing="skip"), '{"a":[]}', WrongType, "a"),
    "fields of nothing": (list_to_fields("p", ["x", "y"]), "{}", MissingField, "p"),
    "fields of null": (list_to_fields("p", ["x", "y"], missing="skip"), '{"p":null}', WrongType, "p"),
    "fields of an object": (list_to_fields("p", ["x", "y"]), '{"p":{"x":1}}', WrongType, "p"),
    "fields of too few": (list_to_fields("a.p", ["x", "y"], more="cut"), '{"a":{"p":[1]}}', FormatMismatch, "a.p"),
    "fields of too many": (list_to_fields("p", ["x", "y"], short="keep"), '{"p":[1,2,3]}', FormatMismatch, "p"),
    "fields of an empty list": (list_to_fields("p", ["x", "y"], short="keep"), '{"p":[]}', FormatMismatch, "p"),
    "fields that are there": (list_to_fields("a.p", ["x", "y"]), '{"a":{"p":[1,2],"y":3}}', FieldExists, "a.y"),
    "number nothing": (number("a", "n"), "{}", MissingField, "a"),
    "number an object": (number("a", "n"), '{"a":{}}', WrongType, "a"),
    "number numbers": (number("a", "n"), '{"a":[{},1]}', WrongType, "a.*"),
    "number that is taken": (number("a", "n", exists="keep"), '{"a":[{},{"n":0.0}]}', Conflict, "a.*.n"),
    "text that is taken": (
        number("a", "n", text="#{}", exists="keep"),
        '{"a":[{},{"n":"#0"}]}',
        Conflict,
        "a.*.n",
    ),
    "a list in the place of items": (move_items("a", anything(), "b"), '{"a":[{}],"b":{}}', WrongType, "b"),
    "items in nothing": (move_items("a", anything(), "b.c"), '{"a":[{}]}', MissingField, "b"),
    "items of null": (move_items("a", anything(), "b"), '{"a":null}', WrongType, "a"),
    "items of what is missing": (move_items("a", anything(), "b"), "{}", MissingField, "a"),
    "number behind a text": (number("a", "n", start="next", exists="keep"), '{"a":[{"n":"7"}]}', WrongType, "a.*.n"),
    "number behind a fraction": (
        number("a", "n", start="next", exists="keep"),
        '{"a":[{"n":7.5}]}',
        WrongType,
        "a.*.n",
    ),
    "number where there is one": (number("a", "n"), '{"a":[{"n":0}]}', FieldExists, "a.*.n"),
}


@pytest.mark.parametrize(("operation", "before", "error", "path"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refuses(operation: Operation, before: str, error: type[EventError], path: str) -> None:
    refused(error, path, before, operation)


REVERSIBLE: dict[str, tuple[Operation, str]] = {
    "wrap": (wrap("a.*"), '{"a":[1,null,{}]}'),
    "wrap null as nothing": (wrap("a.*", null="empty"), '{"a":[1,null]}'),
    "wrap, keeping null": (wrap("a.*", null="keep"), '{"a":[1,null]}'),
    "wrap lists": (wrap("a.*", lists="wrap"), '{"a":[1,[2],[]]}'),
    "unwrap": (unwrap("a.*"), '{"a":[[1],[null],[[2]],[[]]]}'),
    "a list of fields": (fields_to_list(["y", "x"], "x"), '{"x":{"a":[ ]},"y":null}'),
    "a shorter list": (fields_to_list(["x", "y", "h"], "a.*.p", short="keep"), '{"a":[{"x":1,"y":[]},{"x":2}]}'),
    "fields of a list": (list_to_fields("x", ["y", "x"]), '{"x":[[ 1 ],null]}'),
    "fields of a shorter list": (list_to_fields("a.*.p", ["x", "y"], short="keep"), '{"a":[{"p":[1]},{"p":[1,2]}]}'),
    "number": (number("a", "n", start=1), '{"a":[{"x":1},{}]}'),
    "number as text": (number("a", "n", text="<{}>"), '{"a":[{"x":1},{}]}'),
    "number on through all": (number("a.*", "n", over="all"), '{"a":[[{}],[{},{}]]}'),
}


@pytest.mark.parametrize(("operation", "before"), REVERSIBLE.values(), ids=REVERSIBLE.keys())
def test_comes_back(operation: Operation, before: str) -> None:
    assert_reversible(before, operation)


WAYS_BACK: dict[str, tuple[Operation, Reversibility, str, str]] = {
    "wrapped or kept": (wrap("a", lists="keep"), LOSSY, '{"a":[1]}', '{"a":1}'),
    "the first": (unwrap("a", many="first"), LOSSY, '{"a":1}', '{"a":[1]}'),
    "empty as null": (unwrap("a", empty="null"), EQUIVALENT, '{"a":null}', '{"a":[]}'),
    "empty as nothing": (unwrap("a", empty="drop"), LOSSY, "{}", "{}"),
    "null kept": (unwrap("a", null="keep"), EQUIVALENT, '{"a":null}', '{"a":null}'),
    "null kept, and empty as null": (unwrap("a", null="keep", empty="null"), LOSSY, '{"a":null}', '{"a":null}'),
    "numbered or kept": (
        number("a", "n", exists="keep"),
        EQUIVALENT,
        '{"a":[{"n":0},{"n":7},{}]}',
        '{"a":[{},{"n":7},{}]}',
    ),
    "fields or a list": (fields_to_list(["x", "y"], "p", missing="skip"), EQUIVALENT, '{"z":1}', '{"z":1}'),
    "more than fields": (fields_to_list(["x", "y"], "p", more="cut"), LOSSY, '{"p":[1,2,3]}', '{"x":1,"y":2}'),
    "a list or fields": (list_to_fields("p", ["x", "y"], missing="skip"), EQUIVALENT, '{"x":1,"y":2}', '{"p":[1,2]}'),
    "a list that was cut": (list_to_fields("p", ["x", "y"], more="cut"), LOSSY, '{"x":1,"y":2}', '{"p":[1,2]}'),
    "numbers go on": (number("a", "n", start="next", exists="keep"), EQUIVALENT, '{"a":[{"n":1}]}', '{"a":[{"n":1}]}'),
    "items moved": (
        move_items("a", present("k"), "b"),
        EQUIVALENT,
        '{"a":[{}],"b":[{"k":1},{"x":2}]}',
        '{"a":[{},{"k":1}],"b":[{"x":2}]}',
    ),
    "all items moved": (move_items("a", present("k"), "b"), EQUIVALENT, '{"b":[{"k":1}]}', '{"a":[{"k":1}]}'),
    "flat": (flatten("a"), LOSSY, '{"a":[1,2]}', '{"a":[[1,2]]}'),
    "flat and empty": (flatten("a"), LOSSY, '{"a":[]}', '{"a":[]}'),
    "flat, with items kept": (flatten("a", scalars="keep"), LOSSY, '{"a":[1]}', '{"a":[1]}'),
}


@pytest.mark.parametrize(("operation", "kind", "newer", "older"), WAYS_BACK.values(), ids=WAYS_BACK.keys())
def test_goes_back(operation: Operation, kind: Reversibility, newer: str, older: str) -> None:
    inverse = operation.inverse()
    assert (inverse.kind, bool(inverse.why)) == (kind, kind is not EXACT)
    assert undone(newer, operation) == older


@pytest.mark.parametrize("newer", ['{"a":[{"n":1}]}', '{"a":[{}]}', '{"a":[{"n":0},{"n":0}]}'])
def test_numbers_that_are_no_positions_any_more(newer: str) -> None:
    (back,) = number("a", "n").inverse().operations
    refused(Ambiguous, "a.*.n", newer, back)


@pytest.mark.parametrize("start", [1.5, True, None, "1"])
def test_numbers_start_at_a_whole_one(start: Any) -> None:
    with pytest.raises(StepError, match="start="):
        number("a", "n", start=start)


@pytest.mark.parametrize("text", ["cell", "{}{}"])
def test_a_text_has_one_place_for_the_number(text: str) -> None:
    with pytest.raises(StepError, match="place for the number"):
        number("a", "n", text=text)


def test_what_is_counted_on_is_kept_and_has_no_text() -> None:
    for options in ({}, {"exists": "replace"}, {"exists": "keep", "text": "#{}"}):
        with pytest.raises(StepError, match="numbers that are kept"):
            number("a", "n", start="next", **options)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(StepError, match="start='first' is not a choice"):
        number("a", "n", start="first", exists="keep")  # type: ignore[arg-type]  # wrong on purpose


def test_items_go_from_one_list_to_another() -> None:
    with pytest.raises(StepError, match="lie in each other"):
        move_items("a", anything(), "a.b")
    with pytest.raises(StepError, match="not one of `upcasters`"):
        move_items("a", "k", "b")  # type: ignore[arg-type]  # wrong on purpose
    operation = move_items("a", present("k"), "b")
    assert str(operation) == "move the items of a of which k is present to b"
    assert touches(operation) == {"reads": (("a",), ("b",)), "writes": (("a",), ("b",)), "dropped": ()}


UNDONE: dict[str, tuple[Operation, str, type[EventError]]] = {
    "a null that was none": (wrap("a"), '{"a":null}', WrongType),
    "two where one was": (wrap("a"), '{"a":[1,2]}', WrongType),
    "nothing where one was": (wrap("a", null="keep"), '{"a":[]}', WrongType),
    "no field where one was": (wrap("a"), "{}", MissingField),
    "a third item": (fields_to_list(["x", "y"], "a"), '{"a":[1,2,3]}', FormatMismatch),
    "no list where one was": (unwrap("a", empty="null"), "{}", MissingField),
}


@pytest.mark.parametrize(("operation", "newer", "error"), UNDONE.values(), ids=UNDONE.keys())
def test_does_not_go_back(operation: Operation, newer: str, error: type[EventError]) -> None:
    (back,) = operation.inverse().operations
    refused(error, "a", newer, back)


def test_says_what_it_touches() -> None:
    for operation in (wrap("a"), unwrap("a"), flatten("a")):
        assert touches(operation) == {"reads": (("a",),), "writes": (("a",),), "dropped": ()}
    assert touches(unwrap("a", many="first"))["dropped"] == (("a",),)
    gathered = touches(fields_to_list(["x", "y"], "a.p"))
    assert gathered["reads"] == (("a", "x"), ("a", "y"))
    assert gathered["writes"] == (("a", "x"), ("a", "y"), ("a", "p"))
    spread = touches(list_to_fields("p", ["x", "p"]))
    assert spread == {"reads": (("p",),), "writes": (("p",), ("x",)), "dropped": ()}
    assert touches(list_to_fields("p", ["x", "y"], more="cut"))["dropped"] == (("p",),)
    assert touches(number("a", "n")) == {"reads": (("a",),), "writes": (("a", EACH, "n"),), "dropped": ()}


def test_the_texts_are_what_people_read() -> None:
    texts = [str(one) for one in (wrap("a"), unwrap("a.*"), flatten("a"), number("a", "n"))]
    texts += [str(fields_to_list(["x", "y"], "a.p")), str(list_to_fields("a.p", ["x", "y"]))]
    texts.append(str(number("a", "n").inverse().operations[0]))
    assert texts == [
        "wrap a in a list",
        "take a.* out of its list",
        "flatten a",
        "number the items of a as n",
        "put x, y into the list a.p",
        "take the items of a.p out as x, y",
        "remove the number from the items of a as n",
    ]


def test_numbers_are_given_again() -> None:
    operation = number("a", "n", exists="replace")
    assert applied('{"a":[{"n":7},{}]}', operation) == '{"a":[{"n":0},{"n":1}]}'
    assert operation.inverse().kind is Reversibility.LOSSY
    assert undone('{"a":[{"n":0},{"n":5}]}', operation) == '{"a":[{},{"n":5}]}'


LENGTHS = {
    "2": list_to_fields("p", ["x", "y"]),
    "1 to 2": list_to_fields("p", ["x", "y"], short="keep"),
    "at least 2": list_to_fields("p", ["x", "y"], more="cut"),
    "at least 1": list_to_fields("p", ["x", "y"], short="keep", more="cut"),
}


@pytest.mark.parametrize(("length", "operation"), LENGTHS.items(), ids=LENGTHS.keys())
def test_a_list_of_another_length_is_told_the_right_one(length: str, operation: Operation) -> None:
    with pytest.raises(FormatMismatch, match=f"does not have {length} items"):
        applied('{"p":[]}', operation)


TOGETHER: dict[str, tuple[list[Operation], str, str]] = {
    "pairs to an object": (
        [
            to_object("tags.*", "pair"),
            at("tags.*", list_to_fields("pair", ["key", "value"])),
            list_to_object("tags", "key", value="value"),
        ],
        '{"tags":[["a",1.10],["b",{ }]]}',
        '{"tags":{"a":1.10,"b":{ }}}',
    ),
    "texts to an object": (
        [
            to_object("env.*", "pair"),
            at("env.*", split_value("pair", "=", ["key", "value"], which="first")),
            list_to_object("env", "key", value="value"),
        ],
        '{"env":["A=b=c","D="]}',
        '{"env":{"A":"b=c","D":""}}',
    ),
    "an item to a field": (
        [move_items("links", equals("rel", "self"), "self"), unwrap("self", missing="skip")],
        '{"links":[{"rel":"next"},{"rel":"self","n":1.10}]}',
        '{"links":[{"rel":"next"}],"self":{"rel":"self","n":1.10}}',
    ),
    "a field to an item": (
        [
            wrap("self", missing="skip"),
            move_items("self", equals("rel", "self"), "links", empty="drop", missing="skip"),
        ],
        '{"links":[{"rel":"next"}],"self":{"rel":"self"}}',
        '{"links":[{"rel":"next"},{"rel":"self"}]}',
    ),
}


@pytest.mark.parametrize(("operations", "before", "after"), TOGETHER.values(), ids=TOGETHER.keys())
def test_several_operations_together(operations: list[Operation], before: str, after: str) -> None:
    """Those that docs/upcasters.md names."""
    assert applied(before, *operations) == after
    assert_same(undone(after, *operations), before)
