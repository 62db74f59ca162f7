"""Type, headers, key, and whether an event is one, none or many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.upcasters.applying import applied, context, refused, touches
from upcasters import (
    EACH,
    Always,
    Baseline,
    Chain,
    DeadLettered,
    Detection,
    Event,
    EventError,
    FromHeader,
    Operation,
    Reversibility,
    Step,
    StepError,
    Upcast,
    add,
    drop_event,
    drop_header,
    equals,
    field_to_header,
    header_to_field,
    rename_header,
    rename_type,
    set_header,
    set_key,
    split_each,
    split_event,
    tombstone,
    when,
)
from upcasters.context import Context
from upcasters.document import write
from upcasters.errors import (
    Ambiguous,
    EncodeError,
    FieldExists,
    FormatMismatch,
    FunctionFailed,
    MissingField,
    NoCoordinates,
    UnmappedValue,
    WrongType,
)
from upcasters.event import Header
from upcasters.operations.base import undo
from upcasters.operations.events import RenameType

EXACT, EQUIVALENT, NEEDS_VALUE, LOSSY = Reversibility

BY_FIELD = rename_type(field="m.kind", types={"a": "order.placed", "b": "order.paid", "c": "order.paid"})


def test_a_type() -> None:
    around = context()
    assert applied('{"z":1.10}', rename_type("order.placed"), around=around) == '{"z":1.10}'
    assert around.event_type == "order.placed"


def test_a_type_by_a_field() -> None:
    around = context()
    applied('{"m":{"kind":"\\u0062"}}', BY_FIELD, around=around)
    assert around.event_type == "order.paid"
    assert isinstance(BY_FIELD, RenameType)
    assert BY_FIELD.targets() == ("order.placed", "order.paid")
    assert touches(BY_FIELD) == {"reads": (("m", "kind"),), "writes": (), "dropped": ()}
    (back,) = BY_FIELD.inverse().operations
    assert (back.reads(), back.writes(), back.inverse().operations) == (BY_FIELD.reads(), (), (BY_FIELD,))
    assert (str(back), back.inverse().kind) == ("m.kind must stand for the event's type", EXACT)
    assert applied('{"m":{"kind":"a"}}', back, around=Context(Event(None), None, None, [], "order.placed"))
    assert "stand for the type" in refused(Ambiguous, "m.kind", '{"m":{"kind":"a"}}', back)
    refused(MissingField, "m.kind", '{"m":{}}', back)


def test_a_fixed_type_is_given_back_by_the_step() -> None:
    assert rename_type("order.placed").inverse().operations == ()
    step = Step("order", 1, 2, [add("n", 1), rename_type("a"), rename_type("b")])
    assert [str(one) for one in step.inverse().operations] == [
        "leave out n where it is its default",
        "rename the type to order",
    ]


# operation, headers before, document before, headers after, document after.
HEADERS: dict[str, tuple[Operation, Sequence[Header], str, Sequence[Header], str]] = {
    "set": (set_header("h", "é"), [("a", b"1")], "{}", [("a", b"1"), ("h", "é".encode())], "{}"),
    "replace": (
        set_header("h", "x", exists="replace"),
        [("h", b"1"), ("h", b"2"), ("a", None)],
        "{}",
        [("h", b"1"), ("h", b"x"), ("a", None)],
        "{}",
    ),
    "replace nothing": (set_header("h", "x", exists="replace"), [], "{}", [("h", b"x")], "{}"),
    "rename": (
        rename_header("h", "g"),
        [("h", b"\xff"), ("a", b""), ("h", None)],
        "{}",
        [("g", b"\xff"), ("a", b""), ("g", None)],
        "{}",
    ),
    "rename nothing": (rename_header("h", "g", missing="skip"), [("g", b"1")], "{}", [("g", b"1")], "{}"),
    "drop": (drop_header("h"), [("h", None), ("a", b"1"), ("h", b"2")], "{}", [("a", b"1")], "{}"),
    "drop nothing": (drop_header("h", missing="skip"), [("a", b"1")], "{}", [("a", b"1")], "{}"),
    "to a field": (
        header_to_field("h", "m.h"),
        [("h", b"1"), ("a", b"")],
        '{"m":{ }}',
        [("a", b"")],
        '{"m":{"h":"1"}}',
    ),
    "the last to a field": (header_to_field("h", "h"), [("h", b"1"), ("h", "é".encode())], "{}", [], '{"h":"é"}'),
    "nothing to a field": (header_to_field("h", "m.h", missing="skip"), [("h", None)], "{}", [("h", None)], "{}"),
    "from a field": (
        field_to_header("m.h", "h"),
        [("a", b"")],
        '{"m":{"h":"\\u00e9"}}',
        [("a", b""), ("h", "é".encode())],
        '{"m":{}}',
    ),
    "from no field": (field_to_header("m.h", "h", missing="skip"), [("h", b"1")], '{"m":1}', [("h", b"1")], '{"m":1}'),
}


@pytest.mark.parametrize(
    ("operation", "headers", "before", "after_headers", "after"), HEADERS.values(), ids=HEADERS.keys()
)
def test_headers(
    operation: Operation, headers: Sequence[Header], before: str, after_headers: Sequence[Header], after: str
) -> None:
    around = context(headers=headers)
    assert (applied(before, operation, around=around), around.headers) == (after, list(after_headers))


KEYS: dict[str, tuple[Operation, str, bytes]] = {
    "one text": (set_key("m.id"), '{"m":{"id":"\\u00e9"}}', "é".encode()),
    "several": (set_key("a", "b", separator=":", numbers="text"), '{"a":1.10,"b":true}', b"1.10:true"),
    "a number that is exact": (set_key("a", numbers="text"), '{"a":1e400}', b"1e400"),
    "an odd key": (set_key(("a.b",), ("",)), '{"a.b":"x","":""}', b"x/"),
}


@pytest.mark.parametrize(("operation", "before", "key"), KEYS.values(), ids=KEYS.keys())
def test_keys(operation: Operation, before: str, key: bytes) -> None:
    around = context(key=b"old")
    applied(before, operation, around=around)
    assert around.key == key


def test_a_key_of_values_that_another_operation_has_set() -> None:
    around = context()
    applied("{}", add("a", 1.5), add("b", True), add("c", "x"), set_key("a", "b", "c", numbers="text"), around=around)
    assert around.key == b"1.5/true/x"


H = [("h", b"1"), ("bad", b"\xff"), ("none", None)]

REFUSALS: dict[str, tuple[Operation, str, type[EventError], str]] = {
    "no field for a type": (BY_FIELD, '{"m":{}}', MissingField, "m.kind"),
    "a type that is not listed": (BY_FIELD, '{"m":{"kind":"A"}}', UnmappedValue, "m.kind"),
    "a type that is no text": (BY_FIELD, '{"m":{"kind":1}}', WrongType, "m.kind"),
    "a header that is there": (set_header("h", "x"), "{}", FieldExists, ""),
    "a header without a value that is there": (set_header("none", "x"), "{}", FieldExists, ""),
    "no header to rename": (rename_header("x", "y"), "{}", MissingField, ""),
    "a header renamed to another": (rename_header("bad", "h"), "{}", FieldExists, ""),
    "no header to drop": (drop_header("x"), "{}", MissingField, ""),
    "no header for a field": (header_to_field("x", "a"), "{}", MissingField, ""),
    "a header without a value for a field": (header_to_field("none", "a"), "{}", MissingField, ""),
    "a header that is no text": (header_to_field("bad", "a"), "{}", WrongType, ""),
    "a header onto a field": (header_to_field("h", "a"), '{"a":1}', FieldExists, "a"),
    "a header to nowhere": (header_to_field("h", "a.b"), "{}", MissingField, "a"),
    "no field for a header": (field_to_header("a", "g"), "{}", MissingField, "a"),
    "a number for a header": (field_to_header("a", "g"), '{"a":1}', WrongType, "a"),
    "a field onto a header": (field_to_header("a", "none"), '{"a":"x"}', FieldExists, ""),
    "a key of nothing": (set_key("a.b"), '{"a":{}}', MissingField, "a.b"),
    "a key of a number": (set_key("a"), '{"a":1}', WrongType, "a"),
    "a key of a boolean": (set_key("a", "b"), '{"a":"x","b":true}', WrongType, "b"),
    "a key of a text that reads as a number": (set_key("a", numbers="text"), '{"a":"1e5"}', WrongType, "a"),
    "a key of a text that reads as a boolean": (set_key("a", numbers="text"), '{"a":"true"}', WrongType, "a"),
    "a key of a part that holds the separator": (set_key("a", "b"), '{"a":"x","b":"y/z"}', FormatMismatch, "b"),
    "a key of parts that make a separator": (
        set_key("a", "b", separator="::"),
        '{"a":"x:","b":"y"}',
        FormatMismatch,
        "a",
    ),
    "a split with a key that holds the separator": (
        split_each("a", "x", item="i", key=["i", "n"]),
        '{"a":["x/y"],"n":"z"}',
        FormatMismatch,
        "i",
    ),
    "a key of null": (set_key("a"), '{"a":null}', MissingField, "a"),
    "a key of a list": (set_key("a"), '{"a":[]}', WrongType, "a"),
    "a split of nothing": (split_each("a.b", "x", item="i"), '{"a":{}}', MissingField, "a.b"),
    "a split of a text": (split_each("a", "x", item="i"), '{"a":"x"}', WrongType, "a"),
    "a split onto a field": (split_each("a", "x", item="i", number="n"), '{"a":[1],"n":1}', FieldExists, "n"),
    "a split with a key of nothing": (split_each("a", "x", item="i", key=["b"]), '{"a":[1]}', MissingField, "b"),
}


@pytest.mark.parametrize(("operation", "before", "error", "path"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refuses(operation: Operation, before: str, error: type[EventError], path: str) -> None:
    refused(error, path, before, operation, context(headers=H))


def test_a_dropped_event() -> None:
    around = context()
    assert applied('{"a":1}', drop_event(), around=around) == '{"a":1}'
    assert around.dropped


def children(
    operation: Operation, before: str, around: Context | None = None
) -> list[tuple[str, str, bytes | None, str]]:
    """Type, version, key and text of every child."""
    around = around or context(key=b"k")
    applied(before, operation, around=around)
    assert around.children is not None
    return [(one.event_type, one.version, one.key, write(one.root).decode()) for one in around.children]


def test_a_split_of_a_list() -> None:
    assert children(
        split_each("m.lines", "line", item="line"), '{"id":1.10,"m":{"lines":[ {"x" : 1}, 2 ],"z":[ ]}}'
    ) == [
        ("line", "", None, '{"id":1.10,"m":{"z":[ ]},"line":{"x" : 1}}'),
        ("line", "", None, '{"id":1.10,"m":{"z":[ ]},"line":2}'),
    ]


def test_a_split_with_all_that_children_can_have() -> None:
    operation = split_each(
        "nodes", "node", item="node", version="3", name="name", number="no", total="of", id="id", key=["task", "name"]
    )
    assert children(operation, '{"task":"t","nodes":{"a":{"s":1},"":null}}') == [
        ("node", "3", b"t/a", '{"task":"t","id":"orders/0/7/0","name":"a","no":0,"of":2,"node":{"s":1}}'),
        ("node", "3", b"t/", '{"task":"t","id":"orders/0/7/1","name":"","no":1,"of":2,"node":null}'),
    ]


def test_a_split_of_a_list_has_no_names() -> None:
    assert children(split_each("a", "x", item="i", name="n"), '{"a":[1]}') == [("x", "", None, '{"n":null,"i":1}')]


def test_a_split_of_nothing_is_no_event() -> None:
    assert children(split_each("a", "x", item="i"), '{"a":[]}') == []
    assert children(split_each("a", "x", item="i"), '{"a":{}}') == []


def test_children_share_nothing() -> None:
    around = context()
    applied('{"m":{"z":{}},"a":[1,2]}', add("m.y", 1), split_each("a", "x", item="i"), around=around)
    assert around.children is not None
    first, second = (child.root for child in around.children)
    add("m.z.w", 1).apply(first, around)
    assert write(second) == b'{"m":{"z":{},"y":1},"i":2}'


def test_a_child_goes_on_with_a_lineage_of_its_own() -> None:
    around = context(key=b"k", headers=[("h", b"1")])
    applied('{"a":[1]}', split_each("a", "x", item="i", id="id"), around=around)
    assert around.children is not None
    inner = around.child(0, around.children[0])
    assert (inner.origin, inner.key, inner.headers, inner.event_type) == ("orders/0/7/0", b"k", [("h", b"1")], "x")
    assert inner.headers is not around.headers


def halves(document: Any, origin: str) -> list[tuple[str, Any]]:
    return [("left", {"id": origin, **document}), ("right", {"n": document["n"]})]


def wrong_type(_document: Any, _origin: str) -> list[tuple[str, Any]]:
    return [("middle", {})]


def no_document(_document: Any, _origin: str) -> list[tuple[str, Any]]:
    return [("left", [1])]


def no_pairs(_document: Any, _origin: str) -> Any:
    yield 1


def a_set(_document: Any, _origin: str) -> Any:
    return [("left", {"x": {1}})]


def test_a_split_by_a_function() -> None:
    operation = split_event(halves, ["left", "right"], version="2")
    assert children(operation, '{"n":1.10}') == [
        ("left", "2", None, '{"id":"orders/0/7","n":1.10}'),
        ("right", "2", None, '{"n":1.10}'),
    ]
    assert str(operation) == "split with halves into left, right"


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (wrong_type, UnmappedValue),
        (no_document, WrongType),
        (no_pairs, FunctionFailed),
        (a_set, EncodeError),
        (halves, FunctionFailed),
    ],
)
def test_a_function_that_splits_wrongly(function: Any, error: type[EventError]) -> None:
    refused(error, "", "{}", split_event(function, ["left", "right"]))


@pytest.mark.parametrize("operation", [split_each("a", "x", item="i"), split_event(halves, ["left", "right"])], ids=str)
def test_a_split_without_coordinates_is_refused(operation: Operation) -> None:
    refused(NoCoordinates, "", '{"a":[],"n":1}', operation, context(offset=None))


# operation, how well it can be undone, headers and document that it changes, and what they come back as.
WAYS_BACK: dict[str, tuple[Operation, Reversibility, Sequence[Header], str, Sequence[Header], str]] = {
    "set": (set_header("h", "x"), EXACT, [("a", b"1")], "{}", [("a", b"1")], "{}"),
    "replaced": (set_header("h", "x", exists="replace"), LOSSY, [("h", b"1")], "{}", [], "{}"),
    "renamed": (rename_header("h", "g"), EXACT, [("h", b"1"), ("h", b"2")], "{}", [("h", b"1"), ("h", b"2")], "{}"),
    "renamed, if at all": (
        rename_header("h", "g", missing="skip"),
        EQUIVALENT,
        [("g", b"1")],
        "{}",
        [("h", b"1")],
        "{}",
    ),
    "dropped": (drop_header("h"), LOSSY, [("h", b"1")], "{}", [], "{}"),
    "to a field": (header_to_field("h", "h"), EQUIVALENT, [("h", b"1"), ("h", b"2")], "{}", [("h", b"2")], "{}"),
    "from a field": (field_to_header("f", "h"), EXACT, [], '{"f":"x"}', [], '{"f":"x"}'),
    "from a field, if at all": (
        field_to_header("f", "h", missing="skip"),
        EQUIVALENT,
        [("h", b"x")],
        "{}",
        [],
        '{"f":"x"}',
    ),
    "a type": (rename_type("x"), EXACT, [], "{}", [], "{}"),
    "a key": (set_key("a", numbers="text"), LOSSY, [], '{"a":1}', [], '{"a":1}'),
    "dropped event": (drop_event(), LOSSY, [], "{}", [], "{}"),
}


@pytest.mark.parametrize(
    ("operation", "kind", "headers", "before", "headers_back", "back"), WAYS_BACK.values(), ids=WAYS_BACK.keys()
)
def test_goes_back(
    operation: Operation,
    kind: Reversibility,
    headers: Sequence[Header],
    before: str,
    headers_back: Sequence[Header],
    back: str,
) -> None:
    inverse = undo((operation,))
    assert (inverse.kind, bool(inverse.why)) == (kind, kind is not EXACT)
    around = context(headers=headers)
    after = applied(before, operation, around=around)
    assert (applied(after, *inverse.operations, around=around), around.headers) == (back, list(headers_back))


def test_a_split_cannot_be_undone() -> None:
    for operation in (split_each("a", "x", item="i"), split_event(halves, ["left"])):
        assert operation.inverse().kind is LOSSY
        assert operation.inverse().operations == ()


def test_says_what_it_touches() -> None:
    for operation in (rename_type("x"), set_header("h", "x"), rename_header("h", "g"), drop_header("h"), drop_event()):
        assert touches(operation) == {"reads": (), "writes": (), "dropped": ()}
    assert touches(header_to_field("h", "a")) == {"reads": (), "writes": (("a",),), "dropped": ()}
    assert touches(field_to_header("a", "h")) == {"reads": (("a",),), "writes": (("a",),), "dropped": ()}
    assert touches(set_key("a", "b")) == {"reads": (("a",), ("b",)), "writes": (), "dropped": ()}
    assert touches(split_each("a", "x", item="i", number="n"))["writes"] == (("a",), ("n",), ("i",))
    assert touches(split_each("a", "x", item="i"))["reads"] == (("a",),)
    assert touches(split_event(halves, ["left"])) == {"reads": ((EACH,),), "writes": ((EACH,),), "dropped": ()}


def test_the_texts_are_what_people_read() -> None:
    operations = (
        rename_type("x"),
        BY_FIELD,
        set_header("h", "secret"),
        rename_header("h", "g"),
        drop_header("h"),
        header_to_field("h", "a.b"),
        field_to_header("a.b", "h"),
        set_key("a", "b"),
        drop_event(),
        split_each("a", "x", item="i"),
    )
    assert [str(operation) for operation in operations] == [
        "rename the type to x",
        "rename the type to what m.kind says",
        "set header h",
        "rename header h to g",
        "drop header h",
        "move header h to a.b",
        "move a.b to header h",
        "set the record key from a, b",
        "drop the event",
        "split into one x for each of a",
    ]


def test_a_key_is_made_of_something() -> None:
    with pytest.raises(StepError, match="set_key has no fields"):
        set_key()
    with pytest.raises(StepError, match="the separator is empty"):
        set_key("a", "b", separator="")
    assert str(set_key("a", separator="")) == "set the record key from a"


def test_a_tombstone_on_purpose() -> None:
    steps = [
        Step("t", "1", "2", [when(equals("op", "d"), tombstone()), add("two", 2)], lossy="what was deleted"),
        Step("t", "2", "3", [add("three", 3)]),
    ]
    chain = Chain(steps, [Baseline("t", "1")], detection=Detection((Always("t"),), (FromHeader("v"),)))
    upcaster = chain.upcaster()
    event = Event(b'{"op":"d"}', b"k", [("v", b"1")])
    outcome = upcaster.upcast(event)
    assert outcome == upcaster.reference.upcast(event)
    assert isinstance(outcome, Upcast)
    (record,) = outcome.output(event)
    assert (record.value, record.key, list(record.headers)) == (None, b"k", [("v", b"3")])
    with pytest.raises(ValueError, match="became a tombstone"):
        _ = outcome.value
    assert steps[0].may_tombstone
    assert steps[0].reversibility is Reversibility.LOSSY
    keyless = upcaster.upcast(Event(b'{"op":"d"}', None, [("v", b"1")]))
    assert isinstance(keyless, DeadLettered)
    assert "has no key" in keyless.fault.message
    kept = upcaster.upcast(Event(b'{"op":"u"}', b"k", [("v", b"1")]))
    assert isinstance(kept, Upcast)
    assert kept.value == b'{"op":"u","two":2,"three":3}'
