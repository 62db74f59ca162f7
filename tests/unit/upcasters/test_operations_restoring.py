"""What the way down leaves out on purpose, and what it takes from the older document where that is at hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal

import pytest

from upcasters import (
    Always,
    Baseline,
    Chain,
    Detection,
    Event,
    FromHeader,
    Operation,
    Policy,
    Step,
    StepError,
    Upcast,
    absent,
    add,
    assign,
    at,
    convert,
    convert_time,
    copy,
    default,
    derive,
    drop,
    everywhere,
    flatten,
    from_object,
    join_list,
    keep_only,
    list_to_fields,
    map_values,
    move,
    optional,
    present,
    rename,
    scale,
    unnest,
    unwrap,
    wrap,
)
from upcasters.context import Context
from upcasters.document import read, write
from upcasters.paths import show


def parsed(value: bytes | str | None) -> object:
    assert isinstance(value, bytes), value
    return json.loads(value)


def chain_of(*operations: Operation) -> Chain:
    rules = Detection((Always("t"),), (FromHeader("v"), Always("1")))
    return Chain([Step("t", "1", "2", operations, lossy="x")], [Baseline("t", "1")], detection=rules)


def up(value: bytes, *operations: Operation) -> bytes | str | None:
    outcome = chain_of(*operations).upcaster().upcast(Event(value))
    return outcome.value if isinstance(outcome, Upcast) else outcome.fault.message  # type: ignore[union-attr]  # the test fails where it is another


def down(value: bytes, *operations: Operation, older: bytes | None = None) -> bytes | str | None:
    event = Event(value, headers=[("v", b"2")])
    upcaster = chain_of(*operations).upcaster(Policy(target={"t": "1"}, allow_loss=True))
    outcome = upcaster.upcast(event) if older is None else upcaster.downcast_into(event, older)
    return outcome.value if isinstance(outcome, Upcast) else outcome.fault.message  # type: ignore[union-attr]  # the test fails where it is another


# What the newer version alone has.


@pytest.mark.parametrize(
    "operation",
    [optional("b", undo="remove"), add("b", None, undo="remove"), default("b", None, undo="remove")],
    ids=str,
)
@pytest.mark.parametrize("value", [b'{"a":1,"b":"me"}', b'{"a":1,"b":null}', b'{"a":1}'])
def test_a_field_that_was_added_goes_whatever_it_holds(operation: Operation, value: bytes) -> None:
    assert down(value, operation) == b'{"a":1}'
    assert not operation.inverse().kind.reversible, "it has to be asked for"


def test_a_field_that_the_older_document_had_stays() -> None:
    assert down(b'{"b":2}', default("b", 1, undo="remove"), older=b'{"b":1}') == b'{"b":2}'


def test_a_widened_enumeration_goes_down() -> None:
    wider = map_values("c", {False: "todo", True: "done"}, back={"inProgress": False})
    assert up(b'{"c":true}', wider) == b'{"c":"done"}'
    assert [down(b'{"c":"%s"}' % each, wider) for each in (b"todo", b"inProgress", b"done")] == [
        b'{"c":false}',
        b'{"c":false}',
        b'{"c":true}',
    ]
    assert down(b'{"c":"other"}', wider) == "c has a value that the table does not list"
    with pytest.raises(StepError, match="which the table does not list"):
        map_values("c", {False: "todo"}, back={"inProgress": True})
    with pytest.raises(StepError, match="It stays, so list it in the table, too"):
        map_values("c", {"filter": "query"}, otherwise="keep", back={"query": "query"})
    with pytest.raises(StepError, match=r"which the table does not turn into it\. Name for each"):
        map_values("c", {False: "todo", True: "done"}, back={"done": False})


def test_of_a_list_of_several_the_first_is_taken_where_that_is_asked_for() -> None:
    assert down(b'{"a":["x","y"]}', wrap("a", many="first")) == b'{"a":"x"}'
    assert down(b'{"a":["x","y"]}', wrap("a")) == "a has more than one item"


# What was thrown away.

THROWN_AWAY = [
    ([drop("a")], b'{"b":2}', b'{"a":"kept","b":1}', b'{"b":2,"a":"kept"}'),
    ([drop("a", restore="")], b'{"b":2}', b'{"a":"kept","b":1}', b'{"b":2,"a":"kept"}'),
    ([drop("a", restore="", missing="skip")], b'{"b":2}', b'{"b":1}', b'{"b":2,"a":""}'),
    ([drop("a", missing="skip")], b'{"b":2}', b'{"b":1}', b'{"b":2}'),
    ([drop("o.a")], b'{"o":{"b":2}}', b'{"o":{"a":[1],"b":1}}', b'{"o":{"b":2,"a":[1]}}'),
    ([at("o", drop("a"))], b'{"o":{"b":2}}', b'{"o":{"a":[1],"b":1}}', b'{"o":{"b":2,"a":[1]}}'),
    ([move("o.x", "x"), drop("o")], b'{"x":"new"}', b'{"o":{"x":"old","y":2}}', b'{"o":{"y":2,"x":"new"}}'),
    ([unwrap("a", many="first")], b'{"a":1}', b'{"a":[1,2,3]}', b'{"a":[1,2,3]}'),
    ([list_to_fields("a", ["x", "y"], more="cut")], b'{"x":1,"y":2}', b'{"a":[1,2,3]}', b'{"a":[1,2,3]}'),
    ([list_to_fields("a", ["x", "y"], more="cut")], b'{"x":1,"y":7}', b'{"a":[1,2,3]}', b'{"a":[1,7]}'),
    ([unwrap("a", many="first")], b'{"a":9}', b'{"a":[1,2,3]}', b'{"a":[9]}'),
    ([keep_only(["a"], None)], b'{"a":2}', b'{"x":1,"a":1,"y":{"z":1}}', b'{"a":2,"x":1,"y":{"z":1}}'),
    ([keep_only(["a"], None, at="o")], b'{"o":{"a":2}}', b'{"o":{"a":1,"y":3}}', b'{"o":{"a":2,"y":3}}'),
    ([rename("o", "p"), drop("p.a")], b'{"p":{"b":2}}', b'{"o":{"a":0,"b":1}}', b'{"o":{"b":2,"a":0}}'),
    ([move("o.a", "a"), drop("a")], b'{"o":{"b":2}}', b'{"o":{"a":0,"b":1}}', b'{"o":{"b":2,"a":0}}'),
    ([drop("a"), rename("c", "a"), default("a", 7)], b'{"a":7}', b'{"a":0,"c":7}', b'{"c":7,"a":0}'),
    ([drop("l.*.a")], b'{"l":[{"b":1},{"b":2}]}', b'{"l":[{"a":1.0,"b":1},{"a":2,"b":2}]}', None),
    (
        [drop("l.*.a")],
        b'{"l":[{"b":9},{"b":2}]}',
        b'{"l":[{"a":1,"b":1},{"a":2,"b":2}]}',
        b'{"l":[{"b":9},{"a":2,"b":2}]}',
    ),
    (
        [drop("l.*.a")],
        b'{"l":[{"b":1},{"b":9},{"b":2}]}',
        b'{"l":[{"a":1,"b":1},{"a":2,"b":2}]}',
        b'{"l":[{"a":1,"b":1},{"b":9},{"a":2,"b":2}]}',
    ),
    ([drop("l.*.a")], b'{"l":[]}', b'{"l":[{"a":1,"b":1}]}', b'{"l":[]}'),
    ([drop("o.*")], b'{"o":{}}', b'{"o":{"a":1}}', None),
    ([assign("a", "new")], b'{"a":"new"}', b'{"a":"old"}', None),
    ([assign("a", "new")], b'{"a":"newer"}', b'{"a":"old"}', b'{"a":"newer"}'),
    ([map_values("a", {"x": "z", "y": "z"})], b'{"a":"z"}', b'{"a":"x"}', None),
    ([map_values("a", {"x": "z", "y": "z"})], b'{"a":"z"}', b'{"a":"y"}', None),
    ([map_values("a", {"x": "z"}, otherwise="keep")], b'{"a":"z"}', b'{"a":"z"}', None),
    ([convert("a", str.upper)], b'{"a":"X"}', b'{"a":"x"}', None),
    ([convert("a", str.upper)], b'{"a":"Y"}', b'{"a":"x"}', b'{"a":"Y"}'),
    ([scale("a", "0.1", digits=0, more="cut")], b'{"a":1}', b'{"a":19}', None),
    ([convert_time("a", "rfc3339", "s")], b'{"a":1}', b'{"a":"1970-01-01T01:00:01+01:00"}', None),
    ([join_list("a", "", separators="keep")], b'{"a":"abcd"}', b'{"a":["ab","cd"]}', None),
    ([flatten("a")], b'{"a":[1,2,3]}', b'{"a":[[1],[2,3]]}', None),
    ([copy("a", "b", exists="replace")], b'{"a":1,"b":1}', b'{"a":1,"b":7}', None),
    ([from_object("a", "id", others="drop")], b'{"a":2}', b'{"a":{"id":1,"z":2}}', b'{"a":{"id":2,"z":2}}'),
    ([everywhere(present("k"), drop("a"))], b'{"o":{"k":1}}', b'{"o":{"k":1,"a":2}}', None),
]
"""Operations, a newer document, the older one, and what it becomes; None: the older one."""


@pytest.mark.parametrize(("operations", "newer", "older", "expected"), THROWN_AWAY)
def test_it_comes_back_from_the_older_document(
    operations: list[Operation], newer: bytes, older: bytes, expected: bytes
) -> None:
    assert parsed(down(newer, *operations, older=older)) == parsed(expected or older)


def test_a_newer_value_is_not_replaced_by_an_older_one() -> None:
    moved = [move("o.x", "x"), drop("o")]
    assert down(b'{"x":1,"o":{"x":3}}', *moved, older=b'{"o":{"x":2}}') == "o.x is there already"
    assert down(b'{"a":"own"}', drop("a"), older=b'{"a":"old"}') == b'{"a":"own"}'


def test_objects_that_are_met_everywhere_are_not_looked_for_in_the_older_document() -> None:
    """Which of its objects they were is not known; those of the top are not theirs."""
    gone = everywhere(absent("never"), drop("a", missing="skip"))
    assert down(b'{"o":{"b":1}}', gone, older=b'{"a":1,"o":{"b":1}}') == b'{"o":{"b":1},"a":1}'


def test_without_the_older_document_nothing_comes_back() -> None:
    assert down(b'{"b":2}', drop("a")) == b'{"b":2}'
    assert down(b'{"b":2}', drop("a", restore="")) == b'{"b":2,"a":""}'
    assert down(b'{"a":"own"}', drop("a", restore="")) == "a is there already"
    assert down(b'{"a":2}', keep_only(["a"], None)) == b'{"a":2}'


# Leftovers beside what is there already.

LEFTOVERS = b'{"text":"a","x":1,"ap":{"x":0,"y":2}}'


def test_leftovers_are_merged_into_a_child_that_is_there() -> None:
    assert up(LEFTOVERS, keep_only(["text"], "ap", exists="replace")) == b'{"text":"a","ap":{"x":1,"y":2}}'
    assert up(LEFTOVERS, keep_only(["text"], "ap", exists="keep")) == b'{"text":"a","ap":{"x":0,"y":2}}'
    assert up(LEFTOVERS, keep_only(["text"], "ap", exists="same")) == "ap.x is there already with another value"
    assert up(LEFTOVERS, keep_only(["text"], "ap")) == "ap is there already"
    assert up(b'{"text":"a","x":1,"ap":7}', keep_only(["text"], "ap", exists="keep")) == "ap is a number, not an object"
    assert up(b'{"text":"a","ap":7}', keep_only(["text"], "ap", exists="keep")) == b'{"text":"a","ap":7}'
    assert up(LEFTOVERS, keep_only(["text"], None)) == b'{"text":"a"}'


def test_a_child_is_lifted_beside_fields_of_the_same_name() -> None:
    value = b'{"x":0,"o":{"x":1,"y":2}}'
    assert up(value, unnest("o", exists="replace")) == b'{"x":1,"y":2}'
    assert up(value, unnest("o", exists="keep")) == b'{"x":0,"y":2}'
    assert up(value, unnest("o", exists="same")) == "x is there already with another value"
    assert up(b'{"x":1.0,"o":{"x":1}}', unnest("o", exists="same")) == b'{"x":1.0}'
    assert up(value, unnest("o")) == "x is there already"


# Decimals.


def total(*amounts: float) -> Decimal:
    """A number that a function is given says its own digits."""
    return sum((Decimal(str(each)) for each in amounts), Decimal(0))


@pytest.mark.parametrize(
    ("a", "b", "sum_"),
    [
        (b"0.10", b"0.20", b"0.30"),
        (b"12345678901234567890.1", b"0.1", b"12345678901234567890.2"),
        (b"1E+2", b"0", b"100"),
        (b"-0.0", b"0", b"0.0"),
    ],
)
def test_a_decimal_comes_out_of_a_function_with_its_digits(a: bytes, b: bytes, sum_: bytes) -> None:
    made = up(b'{"a":%s,"b":%s}' % (a, b), derive("s", ["a", "b"], total))
    assert made == b'{"a":%s,"b":%s,"s":%s}' % (a, b, sum_)


@pytest.mark.parametrize("odd", ["NaN", "Infinity", "sNaN"])
def test_a_decimal_that_json_does_not_have_is_refused(odd: str) -> None:
    assert up(b"{}", derive("s", [], lambda: Decimal(odd))) == "s became NaN or infinite, which JSON does not have"


# What undoes an operation is one as well: `upcast show` prints it, and what it undoes undoes it.


@pytest.mark.parametrize(
    ("operation", "said", "reads", "writes"),
    [
        (drop("a.b"), "restore a.b from the older document", (), ("a.b",)),
        (drop("a.b", restore=1), "restore a.b from the older document, else as 1", (), ("a.b",)),
        (keep_only(["a", "b"], None), "restore all but a, b from the older document", (), ("*",)),
        (unwrap("a", many="first"), "restore the other items of a from the older document", ("a",), ("a",)),
        (add("a", 1, undo="remove"), "leave out a", (), ("a",)),
        (flatten("a"), "put all of a into one inner list", ("a",), ("a",)),
    ],
    ids=str,
)
def test_what_an_undo_says_of_itself(
    operation: Operation, said: str, reads: Sequence[str], writes: Sequence[str]
) -> None:
    undo = next(each for each in operation.inverse().operations if str(each) == said)
    assert [show(path) for path in undo.reads()] == list(reads)
    assert [show(path) for path in undo.writes()] == list(writes)
    assert undo.inverse().operations == (operation,)


@pytest.mark.parametrize("older", [b"{}", b'{"x":null}', b'{"x":[1]}'])
def test_of_an_older_document_without_such_an_object_nothing_comes_back(older: bytes) -> None:
    kept = keep_only(["a"], None, at="x")
    (undo,) = kept.inverse().operations
    beside = Context.of(Event(b"{}"), None, "t")
    beside.older = read(older)
    root = read(b'{"x":{"a":1}}')
    undo.apply(root, beside)
    assert write(root) == b'{"x":{"a":1}}'
