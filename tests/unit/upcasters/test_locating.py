"""A fault names the item that failed, in the fused path and hop by hop; all such faults still count as one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, Field, model_validator

from upcasters import (
    POSITION,
    Always,
    Baseline,
    Chain,
    DeadLettered,
    Detection,
    Event,
    Fault,
    Operation,
    Policy,
    SourcePartition,
    Step,
    add,
    at,
    convert,
    derive,
    equals,
    everywhere,
    flatten,
    list_to_object,
    map_values,
    move_items,
    nest,
    number,
    optional,
    parse_json,
    present,
    rename,
    set_header,
    subdocument,
    switch,
    when,
)
from upcasters.context import Context
from upcasters.document import Object, open_array
from upcasters.errors import InvalidEvent, WrongType
from upcasters.operations.base import Inverse
from upcasters.paths import EACH, Item, Path, show
from upcasters.validation import Validator
from upcasters.validation.known_names import known_names

DETECTION = Detection((Always("t"),), (Always("1"),))


def chain_of(*operations: Operation) -> Chain:
    return Chain([Step("t", 1, 2, operations, lossy="a test")], [Baseline("t", 1)], detection=DETECTION)


def fault_of(chain: Chain, value: bytes, policy: Policy | None = None) -> Fault:
    upcaster, event = chain.upcaster(policy), Event(value, None, (), None, 1)
    outcome = upcaster.upcast(event, SourcePartition("topic", 0))
    assert outcome == upcaster.reference.upcast(event, SourcePartition("topic", 0))
    assert isinstance(outcome, DeadLettered)
    return outcome.fault


def plus_one(value: Any) -> Any:
    return value + 1


def at_most_one(position: int) -> int:
    return [0, 1][position]


CASES: dict[str, tuple[list[Operation], bytes, str]] = {
    "the last": ([rename("items.*.price", "p")], b'{"items":[{"price":1},{"price":2},{}]}', "items[2].price"),
    "the first of two": ([rename("items.*.price", "p")], b'{"items":[{},{"price":2},{}]}', "items[0].price"),
    "one in the middle": ([convert("a.*", plus_one)], b'{"a":[1,2,"x",4,5]}', "a[2]"),
    "behind other operations": (
        [add("new", 1), rename("items", "lines"), convert("lines.*.price", plus_one)],
        b'{"items":[{"price":1},{"price":"x"}]}',
        "lines[1].price",
    ),
    "an item of an item": ([convert("a.*.b.*", plus_one)], b'{"a":[{"b":[1]},{"b":[1,2,"x"]}]}', "a[1].b[2]"),
    "lists of lists": ([rename("a.*.*.k", "b")], b'{"a":[[{"k":1}],[{"k":1},{}]]}', "a[1][1].k"),
    "inside of at": (
        [at("a.*", at("b.*", rename("k", "l")))],
        b'{"a":[{"b":[{"k":1}]},{"b":[{"k":1},{"m":1}]}]}',
        "a[1].b[1].k",
    ),
    "a value of an object": ([rename("a.*.k", "l")], b'{"a":{"x":{"k":1},"y":{}}}', "a[1].k"),
    "one with the key of another": (
        [list_to_object("a", "k", value="v")],
        b'{"a":[{"k":"x","v":1},{"k":"y","v":1},{"k":"x","v":1}]}',
        "a[2].k",
    ),
    "one with the key of the one before": (
        [list_to_object("a", "k", value="v")],
        b'{"a":[{"k":"x","v":1},{"k":"x","v":1},{"k":"y","v":1},{"k":"z","v":1},{"k":"w","v":1}]}',
        "a[1].k",
    ),
    "items of a value of an object": (
        [rename("a.*.b.*.k", "l")],
        b'{"a":{"x":{"b":[]},"y":{"b":[{}]}}}',
        "a[1].b[0].k",
    ),
    "what is no list": ([flatten("a")], b'{"a":[[1],2]}', "a[1]"),
    "what is no object": ([number("a", "n")], b'{"a":[{},3]}', "a[1]"),
    "what a table lacks": ([map_values("a.*", {"x": "y"})], b'{"a":["x","z"]}', "a[1]"),
    "what is no JSON": ([parse_json("a.*")], b'{"a":["{}","{"]}', "a[1]"),
    "in a case": (
        [at("a.*", switch("k", {"c": [nest(["x"], "z")]}))],
        b'{"a":[{"k":"c","x":1},{"k":"c"}]}',
        "a[1].x",
    ),
    "under a condition": ([when(present("b"), convert("a.*", plus_one))], b'{"a":[1,"x"],"b":1}', "a[1]"),
    "beside a header that is written once": (
        [when(present("b"), set_header("h", "x"), convert("a.*", plus_one))],
        b'{"a":[1,"x",3],"b":1}',
        "a[1]",
    ),
    "by its position": ([at("a.*", derive("n", [POSITION], at_most_one))], b'{"a":[{},{},{}]}', "a[2].n"),
    "at any depth": (
        [rename("a", "b"), everywhere(present("k"), convert("n", plus_one))],
        b'{"a":{"b":[{"k":1,"n":1},{"k":1,"n":"x"}]}}',
        "b.b[1].n",
    ),
    "an item of what is found at any depth": (
        [optional("a.b"), everywhere(present("k"), at("n.*", convert("m", plus_one)))],
        b'{"a":{"b":[{"k":1,"n":[{"m":1},{"m":"x"}]}]}}',
        "a.b[0].n[1].m",
    ),
    "at any depth below an item": (
        [at("a.*", everywhere(equals("k", 1), convert("n", plus_one), only_in=["parts"]))],
        b'{"a":[{},{"parts":[{"k":1,"n":"x"}]}]}',
        "a[1].parts[0].n",
    ),
    "under a key that only the event knows": (
        [everywhere(present("k"), convert("n", plus_one))],
        b'{"k":{"ada@example.org":{"k":1,"n":1},"alan@example.org":{"k":1,"n":"x"}}}',
        "k[1].n",
    ),
    "by a walk from the outside": (
        [optional("a.b"), everywhere(present("k"), add("first", 1), convert("n", plus_one), nested="keep")],
        b'{"z":1,"a":{"b":{"k":1,"n":"x"}}}',
        "a.b.n",
    ),
    "keys that are written like items": ([rename("a[0].*.k", "l")], b'{"a[0]":[{"k":1},{}]}', '"a[0]"[1].k'),
    "keys that are written like paths": ([rename("a.*.k", "l")], b'{"a":{"x.*":{"k":1},"[1]":{}}}', "a[1].k"),
    "not the items but their array": ([rename("a.*.k", "l")], b'{"a":1}', "a"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_item_that_failed_is_named(name: str) -> None:
    operations, value, path = CASES[name]
    fault = fault_of(chain_of(*operations), value)
    assert fault.path == path
    assert "*" not in fault.message


def test_the_message_names_it_as_well() -> None:
    fault = fault_of(chain_of(rename("items.*.price", "p")), b'{"items":[{"price":1},{}]}')
    assert fault.message == "items[1].price is missing"
    fault = fault_of(chain_of(at("items.*", at("b.*", rename("k", "l")))), b'{"items":[{"b":[{}]}]}')
    assert fault.message == "k is missing (in items[0].b[0])"


def test_all_faults_of_one_kind_are_one_kind() -> None:
    chain = chain_of(rename("items.*.price", "p"))
    one, other = (fault_of(chain, value) for value in (b'{"items":[{}]}', b'{"items":[{"price":1},{}]}'))
    assert (one.path, other.path) == ("items[0].price", "items[1].price")
    assert one.pattern == other.pattern == "items.*.price"
    plain = Fault("upcast", "MissingField", "", "t", "1", "2", one.step, "items.*.price")
    assert one.fingerprint == other.fingerprint == plain.fingerprint


def test_a_pattern_leaves_alone_what_is_quoted() -> None:
    fault = fault_of(chain_of(rename("a[0].*.k", "l")), b'{"a[0]":[{}]}')
    assert fault.pattern == '"a[0]".*.k'
    assert Fault("upcast", "WrongType", "", path="[3].x").pattern == "*.x"


def test_in_a_document_inside() -> None:
    inner = Step("d", 1, 2, [rename("xs.*.k", "l")])
    outer = Step("t", 1, 2, [subdocument("docs.*", "d", version="1")], lossy="a test")
    chain = Chain([outer, inner], [Baseline("t", 1), Baseline("d", 1)], detection=DETECTION)
    value = b'{"docs":[{"xs":[{"k":1}]},{"xs":[{"k":1},{}]}]}'
    fault = fault_of(chain, value)
    assert (fault.path, fault.step) == ("docs[1].xs[1].k", "d:1->2")
    assert [hop.after for hop in chain.upcaster().trace(Event(value)).hops] == [b'{"xs":[{"l":1}]}']


def test_on_the_way_down() -> None:
    chain = chain_of(map_values("a.*", {"x": "y"}), rename("b.*.k", "l"))
    policy = Policy(detection=Detection((Always("t"),), (Always("2"),)), target={"t": "1"})
    assert fault_of(chain, b'{"a":["y","y"],"b":[{"l":1},{"l":1},{}]}', policy).path == "b[2].l"


def test_what_operations_changed_beside_the_document_is_there_again() -> None:
    chain = chain_of(set_header("h", "x"), convert("a.*", plus_one))
    assert fault_of(chain, b'{"a":[1,"x"]}').path == "a[1]"


@dataclass(frozen=True)
class Refusing(Operation):
    """An operation that says of items what is not theirs."""

    path: Path
    at_least: int = 0

    def apply(self, root: Object, context: Context) -> None:
        if len(open_array(root["a"])) < self.at_least:
            raise RuntimeError
        raise WrongType(f"{show(self.path)} is wrong", self.path)

    def reads(self) -> tuple[Path, ...]:
        return ()

    def writes(self) -> tuple[Path, ...]:
        return ()

    def inverse(self) -> Inverse:
        return Inverse.lossy("a test")

    def __str__(self) -> str:
        return "refuse"


@pytest.mark.parametrize(
    ("operation", "value"),
    [
        (Refusing(("a", EACH)), b'{"a":[1,2]}'),
        (Refusing(("a", EACH)), b'{"a":[]}'),
        (Refusing(("gone", EACH)), b'{"a":[1,2]}'),
        (Refusing(("a", EACH, EACH)), b'{"a":[1,2]}'),
    ],
)
def test_a_fault_that_is_about_no_item_keeps_its_star(operation: Refusing, value: bytes) -> None:
    assert fault_of(chain_of(operation), value).path == show(operation.path)


def test_the_search_bears_whatever_an_operation_raises_of_fewer_items() -> None:
    assert fault_of(chain_of(Refusing(("a", EACH), at_least=2)), b'{"a":[1,2,3]}').path == "a[1]"


def test_a_place_that_is_named_already_is_not_looked_for() -> None:
    error = WrongType("a.* is wrong", ("a", EACH))
    error.found_at(("a", Item(1)))
    assert (error.path, str(error)) == ("a[1]", "a[1] is wrong")


def test_many_items_are_searched_by_halves() -> None:
    runs = 0

    def counted(value: Any) -> Any:
        nonlocal runs
        runs += 1
        return value + 1

    many = 1_000
    value = json.dumps({"a": [1] * many + ["x"]}).encode()
    assert fault_of(chain_of(convert("a.*", counted)), value).path == f"a[{many}]"
    assert runs < 10 * many  # three runs up to the item, and two searches


class Line(BaseModel):
    price: int


class Order(BaseModel):
    lines: list[Line] = []
    named: dict[str, Line] = {}
    either: list[Line | str] = []


MODELS = {
    "items": (b'{"lines":[{"price":1},{"price":"x"},{"price":"x"}]}', "lines[1].price"),
    "values": (b'{"named":{"secret":{"price":1},"other":{"price":"x"}}}', "named[1].price"),
    "choices": (b'{"either":["a",{"price":"x"}]}', "either[1].price"),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_a_model_refuses_is_named(name: str) -> None:
    value, path = MODELS[name]
    step = Step("t", 1, 2, [add("n", 1)], model=Order, lossy="a test")
    fault = fault_of(Chain([step], [Baseline("t", 1)], detection=DETECTION), value)
    assert (fault.stage, fault.path) == ("validate", path)
    assert "other" not in fault.message


def test_a_place_that_the_document_does_not_have_keeps_its_star() -> None:
    class Renaming(BaseModel):
        named: dict[str, Line]

        @model_validator(mode="before")
        @classmethod
        def _renamed(cls, given: Any) -> Any:
            return {"named": {"made": given["named"]["first"]}}

    with pytest.raises(InvalidEvent) as caught:
        Validator(Renaming).check(b'{"named":{"first":{"price":"x"}}}')
    assert caught.value.path == "named.*.price"


def test_a_document_that_cannot_be_opened_still_has_indexes() -> None:
    with pytest.raises(InvalidEvent) as caught:
        Validator(Order).check(b'{"lines":[],"lines":[{"price":"x"}]}')
    assert caught.value.path == "lines[0].price"


class Leaf(BaseModel):
    amount: Any = 0


class Tree(BaseModel):
    label: Leaf | None = None
    rows: list[Leaf | dict[str, Leaf]] = Field(default=[], alias="lines")


def test_names_of_a_model_may_be_told_and_others_not() -> None:
    steps = [Step("t", 1, 2, [everywhere(present("n"), convert("n", plus_one))], lossy="a test")]
    chain = Chain(steps, [Baseline("t", 1, model=Tree)], detection=DETECTION)
    fault = fault_of(chain, b'{"lines":[{"label":{"c4n4ry":{"n":"x"}}}]}')
    assert (fault.path, fault.message) == (
        "lines[0].label[0].n",
        "plus_one raised TypeError (in lines[0].label[0])",
    )
    assert fault.pattern == "lines.*.label.*.n"


def test_the_names_that_a_chain_knows_are_those_of_moved_items_too() -> None:
    step = Step("t", 1, 2, [move_items("a", present("kind"), "b")])
    assert {"a", "kind", "b"} <= known_names(Chain([step], [Baseline("t", 1)]))
