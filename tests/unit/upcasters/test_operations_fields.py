"""Fields come, go and change their names; all else stays byte for byte."""

from __future__ import annotations

import pytest

from tests.unit.upcasters.applying import applied, assert_reversible, refused, touches, undone
from upcasters import (
    CAMEL_CASE,
    EACH,
    LOWER_CASE,
    SNAKE_CASE,
    EventError,
    Operation,
    Reversibility,
    add,
    assign,
    between,
    copy,
    default,
    drop,
    equals,
    first_of,
    keep_only,
    key_pattern,
    map_values,
    move,
    must_exist,
    nest,
    one_of,
    optional,
    rename,
    rename_keys,
    rename_many,
    switch,
    unnest,
    value_at,
    when,
)
from upcasters.errors import Ambiguous, Conflict, FieldExists, MissingField, WrongType
from upcasters.operations.base import undo
from upcasters.operations.filling import DropEqual

EXACT, EQUIVALENT, NEEDS_VALUE, LOSSY = Reversibility

# operation, before, after. What is not touched is written oddly on purpose.
CHANGES: dict[str, tuple[Operation, str, str]] = {
    "rename": (rename("a", "b"), '{"z":1.10,"a": [ 1e400 ],"y":"\\u0061"}', '{"z":1.10,"b":[ 1e400 ],"y":"\\u0061"}'),
    "rename null": (rename("a", "b"), '{"a":null}', '{"b":null}'),
    "rename, nothing there": (rename("a", "b", missing="skip"), '{"b":1.0}', '{"b":1.0}'),
    "rename, no parent": (rename("m.a", "b", missing="skip"), '{"m2":{}}', '{"m2":{}}'),
    "rename, other parent": (rename("m.a", "b", wrong_type="skip"), '{"m":[1]}', '{"m":[1]}'),
    "rename, null parent": (rename("m.a", "b", wrong_type="skip"), '{"m":null}', '{"m":null}'),
    "rename in objects of a list": (rename("m.*.a", "b"), '{"m":[{"a":1},{"a":2.0}]}', '{"m":[{"b":1},{"b":2.0}]}'),
    "rename in objects by name": (
        rename("m.*.a", "b"),
        '{"m":{"x":{"a":1},"":{"a":2}}}',
        '{"m":{"x":{"b":1},"":{"b":2}}}',
    ),
    "rename in lists in lists": (rename("m.*.*.a", "b"), '{"m":[[{"a":1}],[]]}', '{"m":[[{"b":1}],[]]}'),
    "rename where items differ": (
        rename("m.*.a", "b", missing="skip", wrong_type="skip"),
        '{"m":[{"a":1},5,null,[{"a":1}],{}]}',
        '{"m":[{"b":1},5,null,[{"a":1}],{}]}',
    ),
    "rename in no items": (rename("m.*.a", "b"), '{"m":{}}', '{"m":{}}'),
    "rename a key with a dot": (rename(("a.b",), "c.d"), '{"a.b":1,"a":{"b":2}}', '{"c.d":1,"a":{"b":2}}'),
    "rename an empty key": (rename(("m", ""), "é"), '{"m":{"":1}}', '{"m":{"é":1}}'),
    "rename a key named *": (rename(("m", "*"), "s"), '{"m":{"*":1,"a":2}}', '{"m":{"s":1,"a":2}}'),
    "rename an escaped key": (rename("ä", "ae"), '{"\\u00e4":1}', '{"ae":1}'),
    "rename over another": (rename("a", "b", exists="replace"), '{"b":1,"a":2}', '{"b":2}'),
    "rename under another": (rename("a", "b", exists="replace"), '{"a":1,"z":0,"b":2}', '{"b":1,"z":0}'),
    "rename to the same": (rename("a", "b", exists="same"), '{"a":1.0,"b":1}', '{"b":1.0}'),
    "rename to the same, behind": (
        rename("a", "b", exists="same"),
        '{"b":{"x":[1.5]},"a":{"x":[1.50]}}',
        '{"b":{"x":[1.50]}}',
    ),
    "rename two ways": (rename_many("", {"a": "b", "b": "a"}), '{"a":1,"z":0,"b":2}', '{"b":1,"z":0,"a":2}'),
    "rename in a circle": (
        rename_many("m", {"a": "b", "b": "c", "c": "a"}),
        '{"m":{"c":3,"a":1,"b":2}}',
        '{"m":{"a":3,"b":1,"c":2}}',
    ),
    "rename some of many": (rename_many("", {"a": "x", "b": "y"}, missing="skip"), '{"b":1}', '{"y":1}'),
    "move": (move("a.b", "c"), '{"a":{"b": {"x" : 1.0},"d":1},"z":0}', '{"a":{"d":1},"z":0,"c":{"x" : 1.0}}'),
    "move null": (move("a", "b.a"), '{"a":null,"b":{}}', '{"b":{"a":null}}'),
    "move nothing": (move("a.b", "c", missing="skip"), '{"a":5}', '{"a":5}'),
    "move from a list": (move("a.b", "c", missing="skip"), '{"a":[1]}', '{"a":[1]}'),
    "move to a new parent": (move("a", "x.y.a", parents="create"), '{"a":1}', '{"x":{"y":{"a":1}}}'),
    "move over another": (move("a", "b.a", exists="replace"), '{"a":1,"b":{"a":2,"c":3}}', '{"b":{"a":1,"c":3}}'),
    "move to the same": (move("a", "b.a", exists="same"), '{"a":1,"b":{"a":1.0}}', '{"b":{"a":1}}'),
    "copy": (copy("a", "b"), '{"a":"\\u0061"}', '{"a":"\\u0061","b":"\\u0061"}'),
    "copy an object": (copy("a", "b.c"), '{"b":{},"a":{ }}', '{"b":{"c":{ }},"a":{ }}'),
    "copy nothing": (copy("a", "b", missing="skip"), '{"b":1}', '{"b":1}'),
    "copy over another": (copy("a", "b", exists="replace"), '{"a":1,"b":2}', '{"a":1,"b":1}'),
    "drop": (drop("a"), '{"a":{"b":1},"z":1.10}', '{"z":1.10}'),
    "drop null": (drop("a"), '{"a":null}', "{}"),
    "drop nothing": (drop("a.b", missing="skip"), '{"z":1}', '{"z":1}'),
    "drop from what is no object": (drop("a.b", wrong_type="skip"), '{"a":7}', '{"a":7}'),
    "drop from a list": (drop("a.b", wrong_type="skip"), '{"a":[{"b":1}]}', '{"a":[{"b":1}]}'),
    "drop from all items": (drop("a.*.b", missing="skip"), '{"a":[{"b":1,"c":2},{}]}', '{"a":[{"c":2},{}]}'),
    "drop all items": (drop("a.*"), '{"a":[1,2]}', '{"a":[]}'),
    "drop all fields": (drop("a.*"), '{"a":{"x":1}}', '{"a":{}}'),
    "drop all fields of the document": (drop("*"), '{"a":{"x":1}}', "{}"),
    "default": (default("a", {"x": [1.5]}), '{"z":1.10}', '{"z":1.10,"a":{"x":[1.5]}}'),
    "default, there": (default("a", 1), '{"a":2.0}', '{"a":2.0}'),
    "default, null": (default("a", 1), '{"a":null}', '{"a":null}'),
    "default for null": (default("a", 1, null="replace"), '{"a": null ,"b":1}', '{"a":1,"b":1}'),
    "default in all items": (default("a.*.b", "x"), '{"a":{"k":{},"l":{"b":1}}}', '{"a":{"k":{"b":"x"},"l":{"b":1}}}'),
    "default without a parent": (default("a.b", 1, missing="skip"), "{}", "{}"),
    "default under an odd key": (default(("a.b", ""), "é"), '{"a.b":{}}', '{"a.b":{"":"é"}}'),
    "add": (add("a.b", True), '{"a":{}}', '{"a":{"b":true}}'),
    "assign": (assign("a", [1]), '{"a":{"x":1},"z":1.10}', '{"a":[1],"z":1.10}'),
    "assign what is not there": (assign("a", None), "{}", '{"a":null}'),
    "optional": (optional("a.*.b"), '{"a": [1.0]}', '{"a":[1.0]}'),
    "the first of two": (first_of(["a", "b"], "c"), '{"z":0,"a":1.10,"y":0}', '{"z":0,"c":1.10,"y":0}'),
    "the second of two": (first_of(["a", "b"], "c"), '{"b":null}', '{"c":null}'),
    "both, the same": (first_of(["a", "b"], "a"), '{"b":1.0,"a":1.00}', '{"a":1.00}'),
    "both, the first": (first_of(["a", "b"], "b", conflict="first"), '{"b":1,"z":0,"a":2}', '{"z":0,"b":2}'),
    "the target itself": (first_of(["a", "b"], "c"), '{"c":1}', '{"c":1}'),
    "none of them": (first_of(["a", "b"], "c", missing="skip"), '{"z":1}', '{"z":1}'),
    "the first elsewhere": (first_of(["m.a", "b"], "n.c"), '{"m":{"a":1},"b":1,"n":{}}', '{"m":{},"n":{"c":1}}'),
    "nest": (nest(["a", "b"], "n"), '{"b":2.0,"z":0,"a":1}', '{"z":0,"n":{"a":1,"b":2.0}}'),
    "nest into its own name": (nest(["a"], "a"), '{"a":1}', '{"a":{"a":1}}'),
    "nest what there is": (nest(["a", "b"], "n", missing="skip"), '{"b":null}', '{"n":{"b":null}}'),
    "nest in all items": (nest(["a"], "n", at="m.*"), '{"m":[{"a":1}]}', '{"m":[{"n":{"a":1}}]}'),
    "unnest": (unnest("m.n"), '{"m":{"n":{"a":1.0,"":2},"z":0}}', '{"m":{"z":0,"a":1.0,"":2}}'),
    "unnest its own name": (unnest("n"), '{"n":{"n":1}}', '{"n":1}'),
    "unnest what is listed": (unnest("n", ["a", "b"], missing="skip"), '{"n":{"a":1}}', '{"a":1}'),
    "unnest what is missing": (unnest("n", missing="skip"), '{"a":1}', '{"a":1}'),
    "unnest what is listed and missing": (unnest("n", ["a"], missing="skip"), '{"a":1}', '{"a":1}'),
    "unnest below what is missing": (unnest("m.n", ["a"], missing="skip"), '{"a":1}', '{"a":1}'),
    "unnest in all items that have it": (
        unnest("m.*.n", missing="skip"),
        '{"m":[{"n":{"a":1}},{}]}',
        '{"m":[{"a":1},{}]}',
    ),
    "unnest in all items": (unnest("m.*.n"), '{"m":[{"n":{"a":1}}]}', '{"m":[{"a":1}]}'),
    "keep only": (keep_only(["b", "a"], "rest"), '{"a":1,"z": [ ],"b":2,"":0}', '{"a":1,"b":2,"rest":{"z":[ ],"":0}}'),
    "keep only, no rest": (keep_only(["a"], "rest"), '{"a":1}', '{"a":1}'),
    "keep nothing": (keep_only([], "rest"), '{"a":1,"b": [ ]}', '{"rest":{"a":1,"b":[ ]}}'),
    "keep only in all items": (keep_only(["a"], "r", at="m.*"), '{"m":{"k":{"b":1}}}', '{"m":{"k":{"r":{"b":1}}}}'),
    "snake case": (
        rename_keys("", SNAKE_CASE),
        '{"taskId":1,"HTTPServer":2,"a1B":3,"two words":4,"über":5,"":6,"a.bC":7,"inner":{"myKey":1}}',
        '{"task_id":1,"http_server":2,"a1_b":3,"two words":4,"über":5,"":6,"a.bC":7,"inner":{"myKey":1}}',
    ),
    "camel case": (
        rename_keys("", CAMEL_CASE),
        '{"task_id":1,"_x":2,"a__b":3,"a_1":4,"two words":5,"é_b":6}',
        '{"taskId":1,"_x":2,"a__b":3,"a1":4,"two words":5,"é_b":6}',
    ),
    "keys by pattern": (
        rename_keys("m.*", key_pattern(r"^x-(.+)$", r"\1")),
        '{"m":[{"x-a":1,"b":2}]}',
        '{"m":[{"a":1,"b":2}]}',
    ),
    "keys of a subtree": (
        rename_keys("m", SNAKE_CASE, subtree=True),
        '{"m":{"aB":[{"cD":{"eF":1.10}},5],"gH":null},"iJ":0}',
        '{"m":{"a_b":[{"c_d":{"e_f":1.10}},5],"g_h":null},"iJ":0}',
    ),
    "keys of a subtree of a list": (
        rename_keys("m", SNAKE_CASE, subtree=True),
        '{"m":[{"aB":1}]}',
        '{"m":[{"a_b":1}]}',
    ),
    "keys in lower case": (rename_keys("", LOWER_CASE), '{"User-ID":1,"ÉTÉ":2,"x":3}', '{"user-id":1,"été":2,"x":3}'),
    "keys of what is a list": (rename_keys("m", SNAKE_CASE, wrong_type="skip"), '{"m":[{"aB":1}]}', '{"m":[{"aB":1}]}'),
    "keys of what is not there": (rename_keys("m", SNAKE_CASE, missing="skip"), "{}", "{}"),
    "two keys become one": (rename_keys("", SNAKE_CASE, exists="same"), '{"taskId":1,"task_id":1.0}', '{"task_id":1}'),
    "two keys become one, the first": (
        rename_keys("", SNAKE_CASE, exists="replace"),
        '{"taskId":1,"task_id":2}',
        '{"task_id":1}',
    ),
    "three keys become one": (
        rename_keys("", key_pattern("[0-9]", ""), exists="replace"),
        '{"a1":1,"a":2,"a2":3}',
        '{"a":3}',
    ),
}


@pytest.mark.parametrize(("operation", "before", "after"), CHANGES.values(), ids=CHANGES.keys())
def test_changes(operation: Operation, before: str, after: str) -> None:
    assert applied(before, operation) == after
    assert str(operation)


# operation, document, error, path.
REFUSALS: dict[str, tuple[Operation, str, type[EventError], str]] = {
    "rename nothing": (rename("m.a", "b"), '{"m":{}}', MissingField, "m.a"),
    "rename without a parent": (rename("m.a", "b"), "{}", MissingField, "m"),
    "rename in null": (rename("m.a", "b"), '{"m":null}', WrongType, "m"),
    "rename in a list": (rename("m.a", "b"), '{"m":[]}', WrongType, "m"),
    "rename in a list in a list": (rename("m.*.a", "b"), '{"m":[[]]}', WrongType, "m.*"),
    "rename in a text": (rename("m.*.a", "b"), '{"m":["x"]}', WrongType, "m.*"),
    "rename onto a field": (rename("a", "b"), '{"a":1,"b":1}', FieldExists, "b"),
    "rename onto a field in front": (rename("m.a", ""), '{"m":{"":1,"a":1}}', FieldExists, 'm.""'),
    "rename to another value": (rename("a", "b", exists="same"), '{"a":1,"b":true}', Conflict, "b"),
    "rename one of two": (rename_many("", {"a": "b", "b": "a"}), '{"a":1}', MissingField, "b"),
    "move nothing": (move("a.b", "c"), '{"a":{}}', MissingField, "a.b"),
    "move onto a field": (move("a", "b.c"), '{"a":1,"b":{"c":1}}', FieldExists, "b.c"),
    "move to another value": (move("a", "b.c", exists="same"), '{"a":1,"b":{"c":2}}', Conflict, "b.c"),
    "move to nowhere": (move("a", "b.c"), '{"a":1}', MissingField, "b"),
    "move into a text": (move("a", "b.c", parents="create"), '{"a":1,"b":"x"}', WrongType, "b"),
    "copy nothing": (copy("a", "b"), "{}", MissingField, "a"),
    "copy onto a field": (copy("a", "b"), '{"a":1,"b":1}', FieldExists, "b"),
    "drop nothing": (drop("a.b"), '{"a":{}}', MissingField, "a.b"),
    "drop from a text": (drop("a.b"), '{"a":"x"}', WrongType, "a"),
    "drop all items of a text": (drop("a.*"), '{"a":"x"}', WrongType, "a"),
    "default without a parent": (default("a.b", 1), "{}", MissingField, "a"),
    "default in a list": (default("a.b", 1), '{"a":[]}', WrongType, "a"),
    "default in null": (default("a.b", 1, missing="skip"), '{"a":null}', WrongType, "a"),
    "add onto a field": (add("a", 1), '{"a":1}', FieldExists, "a"),
    "the first of nothing": (first_of(["a", "m.b"], "c"), '{"m":5}', MissingField, "c"),
    "the first of two that differ": (first_of(["a", "b"], "c"), '{"a":1,"b":2}', Conflict, "c"),
    "the first to nowhere": (first_of(["a", "b"], "m.c"), '{"a":1}', MissingField, "m"),
    "nest nothing": (nest(["a"], "n", at="m"), '{"m":{}}', MissingField, "m.a"),
    "nest onto a field": (nest(["a"], "n"), '{"a":1,"n":1}', FieldExists, "n"),
    "unnest nothing": (unnest("m.n"), '{"m":{}}', MissingField, "m.n"),
    "unnest a text, missing or not": (unnest("n", ["a"], missing="skip"), '{"n":"x"}', WrongType, "n"),
    "unnest a null, missing or not": (unnest("n", missing="skip"), '{"n":null}', WrongType, "n"),
    "unnest below a null": (unnest("m.n", missing="skip"), '{"m":null}', WrongType, "m"),
    "unnest a text": (unnest("m.n"), '{"m":{"n":"x"}}', WrongType, "m.n"),
    "unnest onto a field": (unnest("m.n"), '{"m":{"n":{"a":1},"a":2}}', FieldExists, "m.a"),
    "unnest too little": (unnest("n", ["a"]), '{"n":{}}', MissingField, "n.a"),
    "unnest too much": (unnest("n", ["a"]), '{"n":{"a":1,"b":2}}', Ambiguous, "n"),
    "keep only, the rest is there": (keep_only(["a"], "rest", at="m"), '{"m":{"rest":1}}', FieldExists, "m.rest"),
    "keys of a list": (rename_keys("m", SNAKE_CASE), '{"m":[]}', WrongType, "m"),
    "keys of a text": (rename_keys("m", SNAKE_CASE), '{"m":"x"}', WrongType, "m"),
    "keys of nothing": (rename_keys("m", SNAKE_CASE), "{}", MissingField, "m"),
    "two keys become one": (rename_keys("", SNAKE_CASE), '{"aB":1,"a_b":1}', FieldExists, "a_b"),
    "two keys become one, and differ": (
        rename_keys("", SNAKE_CASE, exists="same"),
        '{"aB":1,"a_b":2}',
        Conflict,
        "a_b",
    ),
}


@pytest.mark.parametrize(("operation", "before", "error", "path"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refuses(operation: Operation, before: str, error: type[EventError], path: str) -> None:
    message = refused(error, path, before, operation)
    assert "1" not in message


# operation, a document that it changes and that comes back.
REVERSIBLE: dict[str, tuple[Operation, str]] = {
    "rename": (rename("m.*.a", "b"), '{"m":[{"a":1.10}]}'),
    "rename two ways": (rename_many("", {"a": "b", "b": "a"}), '{"a":1,"b":null}'),
    "move": (move("a.b", "c"), '{"a":{"b":1e400}}'),
    "copy": (copy("a", "b"), '{"a":{"x":[1]}}'),
    "copy nothing": (copy("a", "b.c", missing="skip"), '{"b":"x"}'),
    "add": (add("m.*.b", {"x": 1.0}), '{"m":[{},{"a":1}]}'),
    "add without a parent": (add("m.b", 1, missing="skip"), "{}"),
    "nest": (nest(["a", "b"], "n", missing="skip"), '{"a":1,"z":0}'),
    "unnest": (unnest("n", ["a", "b"]), '{"n":{"a":1,"b":2},"z":0}'),
    "keep only": (keep_only(["a"], "rest"), '{"a":1,"b":2,"c":null}'),
    "keep only, no rest": (keep_only(["a"], "rest"), '{"a":1}'),
    "keep nothing": (keep_only([], "rest"), '{"a":1,"b":2}'),
    "optional": (optional("b"), '{"a":1}'),
}


@pytest.mark.parametrize(("operation", "before"), REVERSIBLE.values(), ids=REVERSIBLE.keys())
def test_comes_back(operation: Operation, before: str) -> None:
    assert_reversible(before, operation)


# operation, how well it can be undone, the newer document, the older one that it becomes.
WAYS_BACK: dict[str, tuple[Operation, Reversibility, str, str]] = {
    "a rename that may skip": (rename("a", "b", missing="skip"), EQUIVALENT, '{"b":1}', '{"a":1}'),
    "a rename of the same": (rename("a", "b", exists="same"), EQUIVALENT, '{"b":1}', '{"a":1}'),
    "a rename that replaces": (rename("a", "b", exists="replace"), LOSSY, '{"b":1}', '{"a":1}'),
    "a move that makes parents": (move("a", "x.y.a", parents="create"), EQUIVALENT, '{"x":{"y":{"a":1}}}', '{"a":1}'),
    "a move into parents with more": (
        move("a", "x.y.a", parents="create"),
        EQUIVALENT,
        '{"x":{"z":0,"y":{"a":1}}}',
        '{"x":{"z":0},"a":1}',
    ),
    "a move that may skip": (move("a", "b.c", missing="skip"), EQUIVALENT, '{"b":{}}', '{"b":{}}'),
    "a move that replaces": (move("a", "b", exists="replace"), LOSSY, '{"b":1}', '{"a":1}'),
    "a copy of the same": (copy("a", "b", exists="same"), EQUIVALENT, '{"a":1,"b":1}', '{"a":1}'),
    "a copy that replaces": (copy("a", "b", exists="replace"), LOSSY, '{"a":1,"b":1.0}', '{"a":1}'),
    "a dropped field": (drop("a"), LOSSY, "{}", "{}"),
    "a dropped field with its value": (drop("a.*.b", restore=[0]), NEEDS_VALUE, '{"a":[{}]}', '{"a":[{"b":[0]}]}'),
    "a default": (default("a", 1), EQUIVALENT, '{"a":1.0}', "{}"),
    "a default that was changed": (default("a", 1), EQUIVALENT, '{"a":2}', '{"a":2}'),
    "a default that is gone": (default("m.a", 1), EQUIVALENT, "{}", "{}"),
    "a default that stays": (default("a", 1, undo="keep"), EQUIVALENT, '{"a":1}', '{"a":1}'),
    "an assignment": (assign("a", 1), LOSSY, '{"a":1}', "{}"),
    "the first of two": (first_of(["a", "b"], "c", back="a"), EQUIVALENT, '{"z":0,"c":1}', '{"z":0,"a":1}'),
    "the spelling that is named": (first_of(["a", "b"], "a", back="b"), EQUIVALENT, '{"a":1}', '{"b":1}'),
    "the first of two elsewhere": (
        first_of(["m.a", "b"], "c", back="m.a"),
        EQUIVALENT,
        '{"m":{},"c":1}',
        '{"m":{"a":1}}',
    ),
    "the first, and the others gone": (
        first_of(["a", "b"], "c", conflict="first", back="a"),
        LOSSY,
        '{"c":1}',
        '{"a":1}',
    ),
    "unnested by name, as far as there": (unnest("n", ["a"], missing="skip"), EQUIVALENT, '{"a":1}', '{"n":{"a":1}}'),
    "unnested by name, none there": (unnest("n", ["a"], missing="skip"), EQUIVALENT, '{"z":1}', '{"z":1}'),
    "unnested below what is missing": (unnest("m.n", ["a"], missing="skip"), EQUIVALENT, '{"z":1}', '{"z":1}'),
    "unnested": (unnest("n"), LOSSY, '{"a":1}', '{"a":1}'),
    "snake case": (rename_keys("", SNAKE_CASE), EQUIVALENT, '{"task_id":1,"x":2}', '{"taskId":1,"x":2}'),
    "lower case": (rename_keys("", LOWER_CASE), LOSSY, '{"a":1}', '{"a":1}'),
    "camel case": (rename_keys("", CAMEL_CASE), EQUIVALENT, '{"taskId":1}', '{"task_id":1}'),
    "keys by pattern": (
        rename_keys("", key_pattern("^x_", "", back=("^", "x_"))),
        EQUIVALENT,
        '{"a":1}',
        '{"x_a":1}',
    ),
    "keys by pattern without a way back": (rename_keys("", key_pattern("^x_", "")), LOSSY, '{"a":1}', '{"a":1}'),
}


@pytest.mark.parametrize(("operation", "kind", "newer", "older"), WAYS_BACK.values(), ids=WAYS_BACK.keys())
def test_goes_back(operation: Operation, kind: Reversibility, newer: str, older: str) -> None:
    inverse = operation.inverse()
    assert (inverse.kind, bool(inverse.why)) == (kind, kind is not EXACT)
    assert undone(newer, operation) == older


AMBIGUOUS: dict[str, tuple[Operation, str, str]] = {
    "a copy that was changed": (copy("a", "b"), '{"a":1,"b":2}', "b"),
    "a copy whose original is gone": (copy("a", "b"), '{"b":2}', "b"),
    "an addition that was changed": (add("a", 1), '{"a":2}', "a"),
    "a field that the older version does not know": (optional("a.*.b"), '{"a":[{},{"b":null}]}', "a.*.b"),
    "a key without an older spelling": (rename_keys("m", SNAKE_CASE), '{"m":{"a_1":1}}', "m"),
    "one of several spellings": (first_of(["a", "b"], "c"), '{"c":1}', "c"),
    "a rest that is more than the rest": (unnest("n", ["a"]).inverse().operations[0], '{"n":{"a":1,"b":2}}', "n"),
}


@pytest.mark.parametrize(("operation", "newer", "path"), AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_refuses_to_guess_on_the_way_back(operation: Operation, newer: str, path: str) -> None:
    (back,) = operation.inverse().operations
    refused(Ambiguous, path, newer, back)
    assert str(back)


def test_a_key_rule_back_that_would_guess() -> None:
    operation = rename_keys("", SNAKE_CASE)
    assert applied('{"a_b":1}', operation) == '{"a_b":1}'
    assert undone('{"a_b":1}', operation) == '{"aB":1}'


def test_a_merged_field_that_is_gone() -> None:
    (back,) = first_of(["a", "b"], "c").inverse().operations
    refused(MissingField, "c", "{}", back)


def test_a_constant_is_not_shared_between_events() -> None:
    operations = default("a", {"x": {}}), add("a.x.y", 1)
    assert [applied("{}", *operations) for _ in range(2)] == ['{"a":{"x":{"y":1}}}'] * 2


def test_a_copy_is_not_shared_with_its_original() -> None:
    assert (
        applied('{"a":{"x":{}}}', add("a.x.y", 1), copy("a", "b"), drop("a.x.y")) == '{"a":{"x":{}},"b":{"x":{"y":1}}}'
    )


def test_says_what_it_touches() -> None:
    assert touches(rename_many("m", {"a": "b", "b": "c"}, exists="replace")) == {
        "reads": (("m", "a"), ("m", "b")),
        "writes": (("m", "a"), ("m", "b"), ("m", "c")),
        "dropped": (("m", "b"), ("m", "c")),
    }
    assert touches(move("a", "b.c", exists="replace"))["dropped"] == (("b", "c"),)
    assert touches(move("a", "b.c")) == {"reads": (("a",),), "writes": (("a",), ("b", "c")), "dropped": ()}
    assert touches(copy("a", "b", exists="replace")) == {"reads": (("a",),), "writes": (("b",),), "dropped": (("b",),)}
    assert touches(copy("a", "b"))["dropped"] == ()
    assert touches(drop("a.*")) == {"reads": (), "writes": (("a", EACH),), "dropped": (("a", EACH),)}
    assert touches(assign("a", 1)) == {"reads": (), "writes": (("a",),), "dropped": (("a",),)}
    assert touches(default("a", 1))["dropped"] == ()
    assert touches(optional("a")) == {"reads": (), "writes": (), "dropped": ()}
    assert touches(optional("a").inverse().operations[0]) == {"reads": (("a",),), "writes": (), "dropped": ()}
    assert touches(first_of(["a", "b"], "a", conflict="first")) == {
        "reads": (("a",), ("b",)),
        "writes": (("a",), ("b",)),
        "dropped": (("b",),),
    }
    assert touches(first_of(["a", "b"], "c"))["dropped"] == ()
    assert touches(nest(["a"], "n", at="m")) == {
        "reads": (("m", "a"),),
        "writes": (("m", "a"), ("m", "n")),
        "dropped": (),
    }
    assert touches(unnest("m.n"))["writes"] == (("m", "n"), ("m", EACH))
    assert touches(unnest("m.n", ["a"])) == {"reads": (("m", "n"),), "writes": (("m", "n"), ("m", "a")), "dropped": ()}
    assert touches(keep_only(["a"], "b", at="m")) == {"reads": (("m", EACH),), "writes": (("m", EACH),), "dropped": ()}
    assert touches(rename_keys("m", SNAKE_CASE)) == {"reads": (("m", EACH),), "writes": (("m", EACH),), "dropped": ()}
    assert touches(first_of(["a", "b"], "c").inverse().operations[0]) == {
        "reads": (("c",),),
        "writes": (("a",), ("b",), ("c",)),
        "dropped": (),
    }
    assert touches(copy("a", "b").inverse().operations[0]) == {
        "reads": (("b",), ("a",)),
        "writes": (("b",),),
        "dropped": (),
    }
    assert touches(add("a", 1).inverse().operations[0])["reads"] == (("a",),)


@pytest.mark.parametrize(
    ("operation", "twice"),
    [
        (copy("a", "b", missing="skip"), copy("a", "b", missing="skip")),
        (add("a.b", 1, missing="skip"), add("a.b", 1, missing="skip")),
        (default("a", 1), default("a", 1, missing="skip")),
        (optional("a"), optional("a")),
        (nest(["a"], "n"), nest(["a"], "n")),
        (first_of(["a", "b"], "c"), first_of(["a", "b"], "c")),
    ],
    ids=str,
)
def test_the_way_back_from_the_way_back(operation: Operation, twice: Operation) -> None:
    assert operation.inverse().operations[0].inverse().operations == (twice,)


def test_the_texts_are_what_people_read() -> None:
    texts = [
        str(rename_many("m.a b", {"": "x", "c": "*"})),
        str(drop("a", restore=1).inverse().operations[0]),
        str(default("a", "é")),
        str(assign("a", 1)),
        str(rename_keys("", CAMEL_CASE, subtree=True)),
        str(rename_keys("m.*", key_pattern("a", "b"))),
        str(DropEqual(("a",), other=("b",))),
    ]
    assert texts == [
        'rename m."a b"."" to x, m."a b".c to "*"',
        "restore a from the older document, else as 1",
        'default a = "é"',
        "set a = 1",
        "respell the keys of the whole subtree of the document as camelCase",
        "respell the keys of m.* as 'a' -> 'b'",
        "leave out a where it is b",
    ]


POPPED = [
    ('{"a":1}', '{"b":1}'),
    ('{"b":2}', '{"b":2}'),
    ("{}", '{"b":[0]}'),
]


@pytest.mark.parametrize(("before", "after"), POPPED)
def test_a_new_name_with_a_default(before: str, after: str) -> None:
    operation = rename("a", "b", default=[0])
    assert applied(before, operation) == after
    assert undone(after, operation) == after.replace('"b"', '"a"')
    assert undone("{}", operation) == '{"a":[0]}'
    assert operation.inverse().kind is Reversibility.EQUIVALENT
    assert str(operation) == "rename a to b, else [0]"


def test_what_must_be_there() -> None:
    operation = must_exist("l.*.a", null="error")
    assert applied('{"l":[{"a":1}]}', operation) == '{"l":[{"a":1}]}'
    refused(MissingField, "l.*.a", '{"l":[{}]}', operation)
    refused(WrongType, "l.*.a", '{"l":[{"a":null}]}', operation)
    assert applied('{"a":null}', must_exist("a")) == '{"a":null}'
    assert operation.inverse().kind is Reversibility.EXACT
    assert touches(operation) == {"reads": (("l", EACH, "a"),), "writes": (), "dropped": ()}
    assert (str(operation), str(must_exist("a"))) == ("l.*.a must be there, and not null", "a must be there")


HUGE, OTHER = "9" * 5_000, "9" * 4_999 + "8"


@pytest.mark.parametrize(
    ("operation", "document", "after"),
    [
        (when(equals("a", 1), drop("b")), {"a": HUGE, "b": 1}, {"a": HUGE, "b": 1}),
        (when(between("a", above=1), drop("b")), {"a": HUGE, "b": 1}, {"a": HUGE}),
        (when(between("a", above=value_at("b")), drop("b")), {"a": HUGE, "b": OTHER}, {"a": HUGE}),
        (when(one_of("a", [1, None]), drop("b")), {"a": HUGE, "b": 1}, {"a": HUGE, "b": 1}),
        (switch("a", {1: [drop("b")]}, otherwise=[drop("a")]), {"a": HUGE, "b": 1}, {"b": 1}),
        (map_values("a", {1: "one"}, otherwise="keep"), {"a": HUGE}, {"a": HUGE}),
        (first_of(["a", "b"], "c"), {"a": HUGE, "b": HUGE + ".0"}, {"c": HUGE}),
        (rename("a", "b", exists="same"), {"a": HUGE, "b": HUGE + "e0"}, {"b": HUGE}),
        (unnest("o", exists="same"), {"o": f'{{"a":{HUGE}}}', "a": HUGE + "0e-1"}, {"a": HUGE + "0e-1"}),
    ],
    ids=[*"123456789"],
)
def test_a_number_of_any_length_is_compared_by_its_digits(
    operation: Operation, document: dict[str, object], after: dict[str, object]
) -> None:
    assert applied(_object(document), operation) == _object(after)


@pytest.mark.parametrize(
    ("operation", "document"),
    [
        (first_of(["a", "b"], "c"), {"a": HUGE, "b": OTHER}),
        (rename("a", "b", exists="same"), {"a": HUGE, "b": OTHER}),
        (copy("a", "b", exists="same"), {"a": HUGE, "b": OTHER}),
        (unnest("o", exists="same"), {"o": f'{{"a":{HUGE}}}', "a": OTHER}),
        (undo((assign("a", 1),)).operations[0], {"a": HUGE}),
    ],
    ids=[*"12345"],
)
def test_two_numbers_of_any_length_differ_by_one_digit(operation: Operation, document: dict[str, object]) -> None:
    with pytest.raises((Conflict, Ambiguous)):
        applied(_object(document), operation)


def _object(fields: dict[str, object]) -> str:
    return "{" + ",".join(f'"{key}":{value}' for key, value in fields.items()) + "}"


def test_parents_are_made_in_both_directions() -> None:
    """A document that is newer by birth has no objects around the old place."""
    operation = move("annotations.class", "spec.class", missing="skip", parents="create")
    assert applied('{"annotations":{"class":"x"}}', operation) == '{"annotations":{},"spec":{"class":"x"}}'
    assert undone('{"spec":{"class":"x"}}', operation) == '{"annotations":{"class":"x"}}'
    refused(MissingField, "a", '{"c":1}', move("a.b", "c").inverse().operations[0])
