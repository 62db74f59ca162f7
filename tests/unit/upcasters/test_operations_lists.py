"""Scalars become lists and back; lists of lists become one; items get numbers."""

from __future__ import annotations

import pytest

from tests.unit.upcasters.applying import applied, assert_reversible, refused, touches, undone
from upcasters import EACH, EventError, Operation, Reversibility, StepError, flatten, number, unwrap, wrap
from upcasters.errors import Ambiguous, Conflict, FieldExists, MissingField, WrongType

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
    "number all": (number("a.*", "n"), '{"a":[[{}],[{}]]}', '{"a":[[{"n":0}],[{"n":0}]]}'),
}


@pytest.mark.parametrize(("operation", "before", "after"), CHANGES.values(), ids=CHANGES.keys())
def test_changes(operation: Operation, before: str, after: str) -> None:
    assert applied(before, operation) == after


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
    "number": (number("a", "n", start=1), '{"a":[{"x":1},{}]}'),
    "number as text": (number("a", "n", text="<{}>"), '{"a":[{"x":1},{}]}'),
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


@pytest.mark.parametrize("text", ["cell", "{}{}"])
def test_a_text_has_one_place_for_the_number(text: str) -> None:
    with pytest.raises(StepError, match="place for the number"):
        number("a", "n", text=text)


UNDONE: dict[str, tuple[Operation, str, type[EventError]]] = {
    "a null that was none": (wrap("a"), '{"a":null}', WrongType),
    "two where one was": (wrap("a"), '{"a":[1,2]}', WrongType),
    "nothing where one was": (wrap("a", null="keep"), '{"a":[]}', WrongType),
    "no field where one was": (wrap("a"), "{}", MissingField),
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
    assert touches(number("a", "n")) == {"reads": (("a",),), "writes": (("a", EACH, "n"),), "dropped": ()}


def test_the_texts_are_what_people_read() -> None:
    texts = [str(one) for one in (wrap("a"), unwrap("a.*"), flatten("a"), number("a", "n"))]
    texts.append(str(number("a", "n").inverse().operations[0]))
    assert texts == [
        "wrap a in a list",
        "take a.* out of its list",
        "flatten a",
        "number the items of a as n",
        "remove the number from the items of a as n",
    ]


def test_numbers_are_given_again() -> None:
    operation = number("a", "n", exists="replace")
    assert applied('{"a":[{"n":7},{}]}', operation) == '{"a":[{"n":0},{"n":1}]}'
    assert operation.inverse().kind is Reversibility.LOSSY
    assert undone('{"a":[{"n":0},{"n":5}]}', operation) == '{"a":[{},{"n":5}]}'
