"""Values are computed, converted, looked up, taken apart and put together."""

from __future__ import annotations

from typing import Any

import pytest

from tests.depth import TOO_DEEP
from tests.unit.upcasters.applying import applied, assert_reversible, context, refused, touches, undone
from upcasters import (
    KEY,
    ORIGIN,
    TIMESTAMP,
    EventError,
    Operation,
    Reversibility,
    StepError,
    convert,
    derive,
    function,
    header,
    join_values,
    map_values,
    parse_json,
    print_json,
    split_value,
)
from upcasters.context import Context
from upcasters.errors import (
    Ambiguous,
    EncodeError,
    FieldExists,
    FormatMismatch,
    FunctionFailed,
    MissingField,
    NoCoordinates,
    TooDeep,
    UnmappedValue,
    WrongType,
)

EXACT, EQUIVALENT, NEEDS_VALUE, LOSSY = Reversibility

AROUND = context(key=b"k", headers=[("h", b"1"), ("h", b"2"), ("n", None), ("bad", b"\xff")], timestamp=123)


def same(value: Any) -> Any:
    return value


def listed(*values: Any) -> list[Any]:
    return list(values)


def minutes(seconds: float) -> float:
    return seconds / 60


def seconds(value: float) -> float:
    return value * 60


def nan(_value: Any) -> float:
    return float("nan")


def a_set(_value: Any) -> Any:
    return {1}


def lone(_value: Any) -> Any:
    return {"x": ["\ud800"]}


def fails(_value: Any) -> Any:
    raise KeyError("a secret")


def refuses(_value: Any) -> Any:
    raise UnmappedValue("the shape is not known", ("a",))


def total(view: dict[str, Any]) -> None:
    view["total"] = {"sum": sum(view.pop("items"))}


def untotal(view: dict[str, Any]) -> dict[str, Any]:
    return {"items": [view["total"]["sum"]]}


def empty(_view: dict[str, Any]) -> dict[str, Any]:
    return {}


def meddle(view: dict[str, Any]) -> None:
    view["b"] = 1
    view["not declared"] = 2
    view["a"]["x"] = 3


class Lookup:
    """Something that can be called and has no name."""

    def __call__(self, value: Any) -> Any:
        return [value]


CHANGES: dict[str, tuple[Operation, str, str]] = {
    "derive": (derive("b.c", ["a"], str), '{"a":1,"b":{ },"z":1.10}', '{"a":1,"b":{"c":"1"},"z":1.10}'),
    "derive from nothing": (derive("b", [], listed), "{}", '{"b":[]}'),
    "derive from one name": (derive("b", "a", listed), '{"a":1}', '{"a":1,"b":[1]}'),
    "derive from null": (derive("b", ["a"], listed), '{"a":null}', '{"a":null,"b":[null]}'),
    "derive keeps digits": (
        derive("b", ["a"], listed),
        '{"a":{"x":1.10,"y":1e400}}',
        '{"a":{"x":1.10,"y":1e400},"b":[{"x":1.10,"y":1e400}]}',
    ),
    "derive where there is one": (derive("b", ["a"], str, exists="keep"), '{"b":null}', '{"b":null}'),
    "derive for null": (derive("b", ["a"], same, exists="keep", null="replace"), '{"b":null,"a":1}', '{"b":1,"a":1}'),
    "derive strictly for null": (derive("b", ["a"], same, null="replace"), '{"b":null,"a":1}', '{"b":1,"a":1}'),
    "derive over another": (derive("b", ["a"], same, exists="replace"), '{"b":{},"a":1}', '{"b":1,"a":1}'),
    "derive from what is missing": (
        derive("b", ["a", "m.c"], listed, missing="none"),
        '{"m":5}',
        '{"m":5,"b":[null,null]}',
    ),
    "derive only from what is there": (derive("b", ["a", "c"], listed, missing="skip"), '{"a":1}', '{"a":1}'),
    "derive from around": (
        derive("b", [KEY, ORIGIN, TIMESTAMP, header("h")], listed),
        "{}",
        '{"b":["k","orders/0/7",123,"2"]}',
    ),
    "derive from what is not around": (
        derive("b", [header("n"), header("x")], listed, missing="none"),
        "{}",
        '{"b":[null,null]}',
    ),
    "derive a tuple": (
        derive("b", [], lambda: ({"x": (1,)}, True, None, 1.5, 2**70)),
        "{}",
        '{"b":[{"x":[1]},true,null,1.5,1180591620717411303424]}',
    ),
    "convert": (convert("a", minutes), '{"z":1.10,"a":90}', '{"z":1.10,"a":1.5}'),
    "convert all items": (convert("a.*.s", minutes), '{"a":[{"s":60},{"s":30}]}', '{"a":[{"s":1.0},{"s":0.5}]}'),
    "convert every item": (convert("a.*", str), '{"a":[1,true]}', '{"a":["1","True"]}'),
    "convert every value": (convert("a.*", listed), '{"a":{"":[1.0],"é":{}}}', '{"a":{"":[[1.0]],"é":[{}]}}'),
    "convert null": (convert("a", str, null="keep"), '{"a":null}', '{"a":null}'),
    "convert nothing": (convert("a.b", str, missing="skip"), "{}", "{}"),
    "convert in what is no object": (convert("a.b", str, wrong_type="skip"), '{"a":[1]}', '{"a":[1]}'),
    "convert with an object": (convert("a", Lookup()), '{"a":1}', '{"a":[1]}'),
    "map": (map_values("a", {"x": "y", 1: "one", None: True}), '{"a":"x","z":1.10}', '{"a":"y","z":1.10}'),
    "map a number": (map_values("a", {1.0: "one", "1": "text"}), '{"a":1}', '{"a":"one"}'),
    "map a number with a fraction": (map_values("a", {1: "one"}), '{"a":1.00}', '{"a":"one"}'),
    "map a text that looks like a number": (map_values("a", {1: "one", "1": "text"}), '{"a":"1"}', '{"a":"text"}'),
    "map false": (map_values("a", {False: "no"}), '{"a":false}', '{"a":"no"}'),
    "map null": (map_values("a", {None: 0}), '{"a":null}', '{"a":0}'),
    "map null before keeping it": (map_values("a", {None: 0}, null="keep"), '{"a":null}', '{"a":0}'),
    "map, keeping null": (map_values("a", {"x": "y"}, null="keep"), '{"a":null}', '{"a":null}'),
    "map, keeping the rest": (map_values("a", {"x": "y"}, otherwise="keep"), '{"a":1.10}', '{"a":1.10}'),
    "map nothing": (map_values("a", {"x": "y"}, missing="skip"), "{}", "{}"),
    "map in what is no object": (map_values("a.b", {"x": "y"}, wrong_type="skip"), '{"a":1}', '{"a":1}'),
    "map all items": (map_values("a.*", {"x": "y"}), '{"a":["x","\\u0078"]}', '{"a":["y","y"]}'),
    "split": (split_value("m.n", " ", ["a", "b"]), '{"m":{"n":"x é","z":1.10}}', '{"m":{"z":1.10,"a":"x","b":"é"}}'),
    "split into itself": (split_value("a", "-", ["b", "a"]), '{"a":"x-y"}', '{"b":"x","a":"y"}'),
    "split empty parts": (split_value("a", ",", ["b", "c"]), '{"a":","}', '{"b":"","c":""}'),
    "split nothing": (split_value("a", ",", ["b", "c"], missing="skip"), "{}", "{}"),
    "split in all items": (split_value("m.*.n", "-", ["a", "b"]), '{"m":[{"n":"1-2"}]}', '{"m":[{"a":"1","b":"2"}]}'),
    "join": (join_values(["a", "b"], " ", "n"), '{"b":"y","z":1.10,"a":"\\u0078"}', '{"z":1.10,"n":"x y"}'),
    "join into a part": (join_values(["a", "b"], "-", "a"), '{"a":"x","b":"y"}', '{"a":"x-y"}'),
    "join nothing": (join_values(["a", "b"], " ", "n", missing="skip"), '{"n":1}', '{"n":1}'),
    "join without a parent": (join_values(["a", "b"], " ", "m.n", missing="skip"), "{}", "{}"),
    "join in all items": (join_values(["a", "b"], "-", "m.*.n"), '{"m":[{"a":"1","b":"2"}]}', '{"m":[{"n":"1-2"}]}'),
    "parse": (
        parse_json("a"),
        '{"a":" {\\"x\\" : 1.10, \\"y\\":1e400}\\n","z":1.0}',
        '{"a":{"x" : 1.10, "y":1e400},"z":1.0}',
    ),
    "parse a number": (parse_json("a.*"), '{"a":["1.0","null"]}', '{"a":[1.0,null]}'),
    "parse null": (parse_json("a", null="keep"), '{"a":null}', '{"a":null}'),
    "parse nothing": (parse_json("a.b", missing="skip"), "{}", "{}"),
    "print": (
        print_json("a"),
        '{"a":{ "x":1.10 ,"é":"\\u00e9"},"z":0}',
        '{"a":"{ \\"x\\":1.10 ,\\"é\\":\\"\\\\u00e9\\"}","z":0}',
    ),
    "print null": (print_json("a", null="print"), '{"a":null}', '{"a":"null"}'),
    "print, keeping null": (print_json("a", null="keep"), '{"a":null}', '{"a":null}'),
    "print all": (print_json("a.*"), '{"a":{"x":[1]}}', '{"a":{"x":"[1]"}}'),
    "print nothing": (print_json("a", missing="skip"), "{}", "{}"),
    "call": (
        function(total, reads=[], writes=["items", "total"]),
        '{"z":1.10,"items":[1,2.0]}',
        '{"z":1.10,"total":{"sum":3.0}}',
    ),
    "call with nothing there": (function(empty, reads=["m.a"], writes=["m.b"]), '{"m":{"a":1}}', '{"m":{"a":1}}'),
    "call, making parents": (
        function(lambda _: {"m": {"n": {"a": 1}}}, reads=[], writes=["m.n.a"]),
        "{}",
        '{"m":{"n":{"a":1}}}',
    ),
    "call that meddles": (
        function(meddle, reads=["a"], writes=["b"]),
        '{"a":{"x":1},"z":0}',
        '{"a":{"x":1},"z":0,"b":1}',
    ),
    "call that takes away": (
        function(empty, reads=["a"], writes=["a", "m.b"]),
        '{"a":1,"m":{"b":1,"c":1.10}}',
        '{"m":{"c":1.10}}',
    ),
    "call with overlapping paths": (
        function(lambda view: {"c": view}, reads=["a.b", "a", "a.c"], writes=["c"]),
        '{"a":{"b":{"x":1},"c":2,"d":3}}',
        '{"a":{"b":{"x":1},"c":2,"d":3},"c":{"a":{"b":{"x":1},"c":2,"d":3}}}',
    ),
    "call with the outer path first": (
        function(lambda view: {"c": view}, reads=["a", "a.b"], writes=["c"]),
        '{"a":{"b":{"x":1}}}',
        '{"a":{"b":{"x":1}},"c":{"a":{"b":{"x":1}}}}',
    ),
}


@pytest.mark.parametrize(("operation", "before", "after"), CHANGES.values(), ids=CHANGES.keys())
def test_changes(operation: Operation, before: str, after: str) -> None:
    assert applied(before, operation, around=AROUND) == after
    assert str(operation)


TOO_LONG = "1" * 5000

REFUSALS: dict[str, tuple[Operation, str, type[EventError], str]] = {
    "derive without a source": (derive("b", ["a.c"], str), '{"a":{}}', MissingField, "a.c"),
    "derive without a header": (derive("b", [header("x")], str), "{}", MissingField, ""),
    "derive from a header without a value": (derive("b", [header("n")], str), "{}", MissingField, ""),
    "derive from a header that is no text": (derive("b", [header("bad")], str), "{}", WrongType, ""),
    "derive onto a field": (derive("b", ["a"], str), '{"a":1,"b":null}', FieldExists, "b"),
    "derive to nowhere": (derive("m.b", ["a"], str), '{"a":1}', MissingField, "m"),
    "derive into a text": (derive("m.b", ["a"], str), '{"a":1,"m":"x"}', WrongType, "m"),
    "derive, and it fails": (derive("b", ["a"], fails), '{"a":1}', FunctionFailed, "b"),
    "derive, and it refuses": (derive("b", ["a"], refuses), '{"a":1}', UnmappedValue, "a"),
    "derive NaN": (derive("b", ["a"], nan), '{"a":1}', EncodeError, "b"),
    "derive a set": (derive("b", ["a"], a_set), '{"a":1}', EncodeError, "b"),
    "derive what is no text": (derive("b", ["a"], lone), '{"a":1}', EncodeError, "b"),
    "derive a key that is no text": (derive("b", ["a"], lambda _: {1: 2}), '{"a":1}', EncodeError, "b"),
    "derive too long a number": (derive("b", [], lambda: 10**5000), "{}", EncodeError, "b"),
    "derive from too long a number": (derive("b", ["a"], str), f'{{"a":[{TOO_LONG}]}}', WrongType, "a"),
    "convert nothing": (convert("a.b", str), '{"a":{}}', MissingField, "a.b"),
    "convert null": (convert("a.*", str), '{"a":[null]}', WrongType, "a.*"),
    "convert in what is no object": (convert("a.b", str), '{"a":1}', WrongType, "a"),
    "convert, and it fails": (convert("a", fails), '{"a":1}', FunctionFailed, "a"),
    "convert to a set": (convert("a", a_set), '{"a":1}', EncodeError, "a"),
    "map nothing": (map_values("a", {"x": "y"}), "{}", MissingField, "a"),
    "map what is not listed": (map_values("a.*", {"x": "y"}), '{"a":["X"]}', UnmappedValue, "a.*"),
    "map true, not 1": (map_values("a", {1: "one"}), '{"a":true}', UnmappedValue, "a"),
    "map an object": (map_values("a", {"x": "y"}, otherwise="keep"), '{"a":{}}', WrongType, "a"),
    "map too long a number": (map_values("a", {1: 2}), f'{{"a":{TOO_LONG}}}', UnmappedValue, "a"),
    "split nothing": (split_value("a", ",", ["b", "c"]), "{}", MissingField, "a"),
    "split null": (split_value("a", ",", ["b", "c"], missing="skip"), '{"a":null}', WrongType, "a"),
    "split a number": (split_value("a", ",", ["b", "c"]), '{"a":1}', WrongType, "a"),
    "split into too few": (split_value("a", ",", ["b", "c"]), '{"a":"x"}', FormatMismatch, "a"),
    "split into too many": (split_value("a", ",", ["b", "c"]), '{"a":"x,y,z"}', FormatMismatch, "a"),
    "split onto a field": (split_value("m.a", ",", ["b", "c"]), '{"m":{"a":"x,y","c":1}}', FieldExists, "m.c"),
    "join without a part": (join_values(["a", "b"], " ", "n", missing="skip"), '{"a":"x"}', MissingField, "b"),
    "join without an object": (join_values(["a", "b"], " ", "m.n"), '{"m":[]}', WrongType, "m"),
    "join a number": (join_values(["a", "b"], " ", "n"), '{"a":"x","b":1}', WrongType, "b"),
    "join what holds the separator": (
        join_values(["a", "b"], "-", "m.n"),
        '{"m":{"a":"x-y","b":""}}',
        FormatMismatch,
        "m.n",
    ),
    "join what makes another separator": (
        join_values(["a", "b"], "--", "n"),
        '{"a":"x-","b":"y"}',
        FormatMismatch,
        "n",
    ),
    "join onto a field": (join_values(["a", "b"], " ", "n"), '{"a":"","b":"","n":1}', FieldExists, "n"),
    "parse nothing": (parse_json("a"), "{}", MissingField, "a"),
    "parse null": (parse_json("a"), '{"a":null}', WrongType, "a"),
    "parse an object": (parse_json("a"), '{"a":{}}', WrongType, "a"),
    "parse what is no JSON": (parse_json("a"), '{"a":"{"}', FormatMismatch, "a"),
    "parse no text": (parse_json("a"), '{"a":" "}', FormatMismatch, "a"),
    "parse two texts": (parse_json("a"), '{"a":"1 2"}', FormatMismatch, "a"),
    "parse NaN": (parse_json("a"), '{"a":"NaN"}', FormatMismatch, "a"),
    "parse a lone surrogate": (parse_json("a"), '{"a":"\\"\\\\ud800\\""}', FormatMismatch, "a"),
    "parse too deep": (parse_json("a"), '{"a":"' + "[" * TOO_DEEP + "]" * TOO_DEEP + '"}', TooDeep, "a"),
    "print nothing": (print_json("a"), "{}", MissingField, "a"),
    "print null": (print_json("a"), '{"a":null}', WrongType, "a"),
    "call, and it fails": (function(fails, reads=["a"], writes=["b"]), "{}", FunctionFailed, ""),
    "call that gives no dict": (function(listed, reads=[], writes=["b"]), "{}", WrongType, ""),
    "call that gives no JSON": (function(lambda _: {"b": {1}}, reads=[], writes=["b"]), "{}", EncodeError, "b"),
    "call that writes into a text": (
        function(lambda _: {"a": {"b": 1}}, reads=[], writes=["a.b"]),
        '{"a":"x"}',
        WrongType,
        "a",
    ),
}


@pytest.mark.parametrize(("operation", "before", "error", "path"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refuses(operation: Operation, before: str, error: type[EventError], path: str) -> None:
    message = refused(error, path, before, operation, AROUND)
    assert "secret" not in message
    assert "11111" not in message


def test_a_key_that_is_no_text_or_not_there() -> None:
    refused(WrongType, "", "{}", derive("b", [KEY], str), context(key=b"\xff"))
    refused(MissingField, "", "{}", derive("b", [KEY], str), context())
    refused(MissingField, "", "{}", derive("b", [TIMESTAMP], str), context())


def test_no_coordinates() -> None:
    refused(NoCoordinates, "", "{}", derive("b", [ORIGIN], str, missing="none"), context(offset=None))


REVERSIBLE: dict[str, tuple[Operation, str]] = {
    "derive": (derive("b", ["a"], str), '{"a":1}'),
    "derive from around": (derive("b", [KEY, ORIGIN, TIMESTAMP, header("h")], listed), '{"a":1}'),
    "derive nothing": (derive("b", ["a"], str, missing="skip"), "{}"),
    "convert": (convert("a.*", minutes, seconds), '{"a":[90,60]}'),
    "map": (map_values("a.*", {"x": 1, 1: None, None: True}), '{"a":["x",1,null]}'),
    "map, keeping null": (map_values("a", {"x": "y"}, null="keep"), '{"a":null}'),
    "map, exchanging": (map_values("a.*", {"x": "y", "y": "x"}, otherwise="keep"), '{"a":["x","y","z"]}'),
    "split": (split_value("a", ", ", ["b", "c"]), '{"a":"x, "}'),
    "join": (join_values(["b", "c"], ", ", "a"), '{"b":"x","c":""}'),
    "print": (print_json("a"), '{"a":{"x":1.10}}'),
    "print null": (print_json("a", null="print"), '{"a":null}'),
    "print, keeping null": (print_json("a.*", null="keep"), '{"a":[null,"null"]}'),
    "call": (function(total, reads=[], writes=["items", "total"], back=untotal), '{"items":[3]}'),
}


@pytest.mark.parametrize(("operation", "before"), REVERSIBLE.values(), ids=REVERSIBLE.keys())
def test_comes_back(operation: Operation, before: str) -> None:
    assert_reversible(before, operation, around=AROUND)


WAYS_BACK: dict[str, tuple[Operation, Reversibility, str, str]] = {
    "derived or kept": (derive("b", ["a"], str, exists="keep"), EQUIVALENT, '{"a":1,"b":"1"}', '{"a":1}'),
    "derived and changed": (derive("b", ["a"], str, exists="keep"), EQUIVALENT, '{"a":1,"b":"2"}', '{"a":1,"b":"2"}'),
    "derived and gone": (derive("b", ["a"], str), EXACT, '{"a":1}', '{"a":1}'),
    "derived and kept for good": (
        derive("b", ["a"], str, undo="keep"),
        EQUIVALENT,
        '{"a":1,"b":"1"}',
        '{"a":1,"b":"1"}',
    ),
    "derived over another": (derive("b", ["a"], str, exists="replace"), LOSSY, '{"a":1,"b":"1"}', '{"a":1}'),
    "derived for null": (derive("b", ["a"], str, null="replace"), EQUIVALENT, '{"a":1,"b":"1"}', '{"a":1}'),
    "derived from what it changes": (derive("a.b", ["a"], str), LOSSY, '{"a":{}}', '{"a":{}}'),
    "converted for good": (convert("a", str), LOSSY, '{"a":"1"}', '{"a":"1"}'),
    "mapped to one value, and back to a given one": (
        map_values("a", {"x": "z", "y": "z"}, back={"z": "y"}),
        EQUIVALENT,
        '{"a":"z"}',
        '{"a":"y"}',
    ),
    "mapped or kept": (map_values("a", {"x": "z"}, otherwise="keep"), LOSSY, '{"a":"z"}', '{"a":"x"}'),
    "mapped or kept, and back as told": (
        map_values("a.*", {"x": "z", "z": "w"}, otherwise="keep", back={"w": "z"}),
        EQUIVALENT,
        '{"a":["z","w","v"]}',
        '{"a":["x","z","v"]}',
    ),
    "mapped or kept, and not all told": (
        map_values("a", {"x": "z", "y": "w"}, otherwise="keep", back={"w": "y"}),
        LOSSY,
        '{"a":"z"}',
        '{"a":"x"}',
    ),
    "split, if at all": (
        split_value("a", "-", ["b", "c"], missing="skip"),
        EQUIVALENT,
        '{"b":"1","c":"2"}',
        '{"a":"1-2"}',
    ),
    "joined, if at all": (
        join_values(["b", "c"], "-", "a", missing="skip"),
        EQUIVALENT,
        '{"a":"1-2"}',
        '{"b":"1","c":"2"}',
    ),
    "parsed": (parse_json("a"), EQUIVALENT, '{"a":null}', '{"a":"null"}'),
    "rounded": (convert("a", int, float, exact=False), EQUIVALENT, '{"a":1}', '{"a":1.0}'),
    "parsed, keeping null": (parse_json("a", null="keep"), EQUIVALENT, '{"a":null}', '{"a":null}'),
    "called for good": (function(total, reads=[], writes=["items"]), LOSSY, '{"items":[1]}', '{"items":[1]}'),
}


@pytest.mark.parametrize(("operation", "kind", "newer", "older"), WAYS_BACK.values(), ids=WAYS_BACK.keys())
def test_goes_back(operation: Operation, kind: Reversibility, newer: str, older: str) -> None:
    inverse = operation.inverse()
    assert (inverse.kind, bool(inverse.why)) == (kind, kind is not EXACT)
    assert undone(newer, operation, around=AROUND) == older


AMBIGUOUS: dict[str, tuple[Operation, str]] = {
    "derived and changed": (derive("a", ["b"], str), '{"a":"2","b":1}'),
    "derived from what is gone": (derive("a", ["b"], str, missing="skip"), '{"a":"1"}'),
    "mapped to one value": (map_values("a", {"x": "z", "y": "z", "v": "w"}), '{"a":"z"}'),
    "mapped to null, beside null": (map_values("a", {"x": None}, null="keep"), '{"a":null}'),
    "mapped to one number, written in two ways": (map_values("a", {"x": 1, "y": 1.0}), '{"a":1}'),
}


@pytest.mark.parametrize(("operation", "newer"), AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_refuses_to_guess_on_the_way_back(operation: Operation, newer: str) -> None:
    inverse = operation.inverse()
    assert inverse.kind is (EQUIVALENT if isinstance(operation, type(map_values("a", {1: 2}))) else EXACT)
    (back,) = inverse.operations
    refused(Ambiguous, "a", newer, back, AROUND)
    assert str(back)


def test_the_rest_of_an_ambiguous_table_still_goes_back() -> None:
    assert undone('{"a":"w"}', map_values("a", {"x": "z", "y": "z", "v": "w"})) == '{"a":"v"}'


def test_says_what_it_touches() -> None:
    assert touches(derive("b", ["a", KEY], str)) == {"reads": (("a",),), "writes": (("b",),), "dropped": ()}
    assert touches(derive("b", ["a"], str, exists="replace"))["dropped"] == (("b",),)
    assert touches(derive("b", ["a"], str).inverse().operations[0])["reads"] == (("b",), ("a",))
    assert touches(derive("b", ["a"], str).inverse().operations[0])["writes"] == (("b",),)
    for operation in (convert("a", str), map_values("a", {1: 2}), parse_json("a"), print_json("a")):
        assert touches(operation) == {"reads": (("a",),), "writes": (("a",),), "dropped": ()}
    assert touches(split_value("m.a", ",", ["b", "c"]))["writes"] == (("m", "a"), ("m", "b"), ("m", "c"))
    assert touches(split_value("m.a", ",", ["b", "c"]))["reads"] == (("m", "a"),)
    assert touches(join_values(["b", "c"], ",", "a")) == {
        "reads": (("b",), ("c",)),
        "writes": (("b",), ("c",), ("a",)),
        "dropped": (),
    }
    assert touches(function(same, reads=["a"], writes=["b"], drops=["a"])) == {
        "reads": (("a",),),
        "writes": (("b",),),
        "dropped": (("a",),),
    }


def test_the_way_back_from_the_way_back() -> None:
    for operation in (derive("b", ["a"], str), convert("a", int, str), print_json("a", null="keep"), parse_json("a")):
        twice = operation.inverse().operations[0].inverse().operations[0]
        assert type(twice) is type(operation)
    assert derive("b", ["a"], str).inverse().operations[0].inverse().operations == (derive("b", ["a"], str),)


def test_the_texts_are_what_people_read() -> None:
    texts = [
        str(derive("a", ["b.c", KEY, ORIGIN, TIMESTAMP, header("h")], minutes)),
        str(derive("a", [], Lookup())),
        str(convert("a.*", minutes)),
    ]
    assert texts == [
        "derive a from b.c, the record key, the source coordinates, the record timestamp, header h with minutes",
        "derive a from nothing with Lookup",
        "convert a.* with minutes",
    ]


def test_a_functions_result_is_not_shared_between_events() -> None:
    shared: dict[str, Any] = {"x": {"y": 1}}
    around: Context = context()
    first = applied("{}", derive("a", [], lambda: shared), convert("a.x.y", str), around=around)
    assert (first, shared) == ('{"a":{"x":{"y":"1"}}}', {"x": {"y": 1}})


def test_a_table_of_numbers_is_exact() -> None:
    table = map_values("a", {0.1: "tenth", 1: 1.5}, otherwise="keep")
    assert applied('{"a":0.10}', table) == '{"a":"tenth"}'
    assert applied('{"a":1.0}', table) == '{"a":1.5}'
    for other in ("0.10000000000000000001", "1.00000000000000000001", "1e-400"):
        assert applied(f'{{"a":{other}}}', table) == f'{{"a":{other}}}'
    back = map_values("a", {0.1: "tenth", 1: 1.5})
    assert undone('{"a":"tenth"}', back) == '{"a":0.1}'
    assert undone('{"a":1.50}', back) == '{"a":1}'
    refused(UnmappedValue, "a", '{"a":1.50000000000000000001}', back.inverse().operations[0])


def test_a_table_of_objects() -> None:
    operation = map_values("a", [({"x": 1, "y": [True]}, "old"), (["z"], {"n": 0.5}), (None, 0)])
    assert applied('{"a":{"y":[ true],"x":1.0}}', operation) == '{"a":"old"}'
    assert applied('{"a":["z"]}', operation) == '{"a":{"n":0.5}}'
    assert_reversible('{"a":{"x":1,"y":[true]}}', operation)
    assert_reversible('{"a":["z"]}', operation)
    refused(UnmappedValue, "a", '{"a":{"x":1,"y":[1]}}', operation)
    refused(WrongType, "a", '{"a":{}}', map_values("a", {"x": "y"}))
    for table in ([], [1], [(1, 2, 3)]):
        with pytest.raises(StepError):
            map_values("a", table)  # type: ignore[arg-type]  # wrong on purpose
