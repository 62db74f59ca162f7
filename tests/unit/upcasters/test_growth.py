"""What operations at any depth, or in each of many items, may add: some hundred bytes never become gigabytes."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from tests.unit.upcasters.formats.generated_avro import avro_bytes
from upcasters import (
    KEY,
    Always,
    Baseline,
    Chain,
    DeadLettered,
    Detection,
    Event,
    Operation,
    Outcome,
    Policy,
    SourcePartition,
    Step,
    Upcast,
    anything,
    at,
    context,
    convert,
    copy,
    default,
    derive,
    drop,
    equals,
    everywhere,
    function,
    move,
    present,
    print_json,
    split_each,
    subdocument,
    switch,
    template,
    when,
)
from upcasters.document import ExactFloat, weight
from upcasters.formats import Encoding, Schema
from upcasters.operations.restoring import MOST_COPIED
from upcasters.schema_upcaster import SchemaUpcaster

RULES = Detection((Always("t"),), (Always("1"),))
PLACE = SourcePartition("orders", 0)
COPY = copy("a", "b")
FILL = at("a", default("t", "x"), missing="skip", wrong_type="skip")


@pytest.fixture(autouse=True)
def _small_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests are quick."""
    monkeypatch.setattr(context, "FREE_GROWTH", 2**16)


def nested(levels: int, core: str = "1") -> bytes:
    return ('{"a":' * levels + core + "}" * levels).encode()


def outcome(
    value: bytes, *operations: Operation, hops: int = 1, more: Sequence[Step | Baseline] = (), key: bytes | None = None
) -> Outcome:
    steps = [Step("t", number, number + 1, operations, lossy="a test") for number in range(1, hops + 1)]
    bases = [Baseline("t", "1"), *(one for one in more if isinstance(one, Baseline))]
    chain = Chain([*steps, *(one for one in more if isinstance(one, Step))], bases)
    upcaster = chain.upcaster(Policy(detection=RULES))
    made = upcaster.upcast(Event(value, key, offset=1), PLACE)
    assert made == upcaster.reference.upcast(Event(value, key, offset=1), PLACE)
    return made


def is_refused(made: Outcome) -> bool:
    return isinstance(made, DeadLettered) and made.fault.error_type == "TooLarge"


DOUBLES: dict[str, tuple[Operation, ...]] = {
    "copy": (everywhere(present("a"), COPY),),
    "copy inside": (everywhere(present("a"), when(present("a"), switch("z", {1: []}, otherwise=[COPY]))),),
    "copy in the rest": (everywhere(present("a"), when(present("z"), drop("a"), otherwise=[COPY])),),
    "everywhere inside": (at("a", everywhere(anything(), everywhere(present("a"), copy("a", "b", exists="replace")))),),
    "print_json": (everywhere(present("a"), print_json("a")),),
    "template": (everywhere(present("a"), FILL, when(present("a.t"), template("t", "{a.t}{a.t}"))),),
    "derive": (everywhere(present("a"), derive("b", ["a"], lambda a: a)),),
    "convert": (everywhere(present("a"), convert("a", lambda a: [a, a])),),
    "function": (everywhere(present("a"), function(lambda view: {"b": view["a"]}, reads=["a"], writes=["b"])),),
}


@pytest.mark.parametrize("levels", [40, 390])
@pytest.mark.parametrize("operations", DOUBLES.values(), ids=DOUBLES)
def test_an_event_that_doubles_with_each_level_ends_as_an_error(operations: tuple[Operation, ...], levels: int) -> None:
    assert is_refused(outcome(nested(levels), *operations))


def test_the_bound_is_some_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    operation = everywhere(present("a"), COPY)
    assert isinstance(outcome(nested(12), operation), Upcast)
    assert is_refused(outcome(nested(30), operation))


def test_all_hops_and_all_walks_together_have_one_bound() -> None:
    again = (everywhere(present("a"), copy("a", "b", exists="replace")), everywhere(present("b"), drop("b")))
    assert isinstance(outcome(nested(8), *again, hops=2), Upcast)
    assert is_refused(outcome(nested(10), *again, hops=60))


def test_what_a_part_or_a_child_adds_is_counted_for_the_event() -> None:
    part: list[Step | Baseline] = [
        Step("p", "1", "2", [everywhere(present("a"), COPY)], lossy="a test"),
        Baseline("p", "1"),
    ]
    inner = nested(12).decode()
    many = f'{{"l":[{",".join([inner] * 20)}]}}'.encode()
    assert isinstance(outcome(f'{{"l":[{inner}]}}'.encode(), subdocument("l.*", "p", version="1"), more=part), Upcast)
    assert is_refused(outcome(many, subdocument("l.*", "p", version="1"), more=part))
    assert is_refused(outcome(many, split_each("l", "p", item="c", version="1"), more=part))


def test_parts_that_double_with_each_level_end_as_an_error() -> None:
    part: list[Step | Baseline] = [Step("p", "1", "2", [copy("a", "b")], lossy="a test"), Baseline("p", "1")]
    within = everywhere(present("a.a"), subdocument("a", "p", version="1"))
    assert is_refused(outcome(nested(40), within, more=part))


OF_THE_KEY = derive("h", [KEY], str)
IN_EACH_ITEM: dict[str, Operation] = {
    "derive": at("l.*", OF_THE_KEY),
    "derive, chosen": at("l.*", when(present("k"), switch("k", {1: [OF_THE_KEY]}))),
    "derive, further inside": at("l.*", at("o", OF_THE_KEY)),
    "derive, in an item of an item": at("l.*", at("m.*", OF_THE_KEY)),
}


@pytest.mark.parametrize("operation", IN_EACH_ITEM.values(), ids=IN_EACH_ITEM)
def test_what_stands_around_an_event_does_not_get_into_many_items_without_bound(operation: Operation) -> None:
    many = b'{"l":[' + b",".join([b'{"k":1,"o":{},"m":[{}]}'] * 1_000) + b"]}"
    for length, refused in ((1, False), (1_000, False), (4_000, True)):
        assert is_refused(outcome(many, operation, key=b"x" * length)) is refused


HONEST: dict[str, tuple[bytes, tuple[Operation, ...]]] = {
    "many small values": (
        b'{"l":[' + b",".join([b'{"k":1}'] * 4_000) + b"]}",
        (everywhere(present("k"), convert("k", str), derive("n", ["k"], len)),),
    ),
    "many small objects": (
        b'{"l":[' + b",".join([b'{"k":{}}'] * 4_000) + b"]}",
        (everywhere(present("k"), convert("k", dict)),),
    ),
    "all that is inside, at each level": (
        nested(390, json.dumps(list(range(50)))),
        (everywhere(present("a"), convert("a", lambda value: value)),),
    ),
}


@pytest.mark.parametrize(("value", "operations"), HONEST.values(), ids=HONEST)
def test_what_only_changes_an_event_is_not_refused(value: bytes, operations: tuple[Operation, ...]) -> None:
    assert isinstance(outcome(value, *operations), Upcast)


def test_an_event_in_avro_that_doubles_with_each_level_ends_as_an_error() -> None:
    def record(*names: str) -> Schema:
        fields = [{"name": name, "type": ["null", "int", "N"], "default": None} for name in names]
        return Schema("avro", json.dumps({"type": "record", "name": "N", "fields": fields}))

    old, new = record("a"), record("a", "b")
    step = Step("t", "1", "2", [everywhere(present("a"), when(~equals("a", None), COPY))], lossy="a test")
    upcaster = SchemaUpcaster(Chain([step], detection=RULES), Policy(), {("t", "2"): Encoding(new)}, {("t", "1"): old})
    value: object = 1
    for levels in range(1, 41):
        value = {"a": value}
        if levels in (3, 40):
            made = upcaster.upcast(Event(avro_bytes(old, value)), PLACE, Encoding(old))
            assert is_refused(made) is (levels == 40), made


def test_a_copy_has_a_bound_of_its_own() -> None:
    large = json.dumps({"a": {"t": "x" * MOST_COPIED}}).encode()
    assert is_refused(outcome(large, move("a.t", "a.u"), COPY))


def test_what_a_node_weighs() -> None:
    nodes = ["abc", "ä", b"12", 2**300, 1.5, True, None, [], {"key": "v"}]
    assert [weight(node) for node in nodes] == [3, 4, 2, 108, 8, 8, 8, 256, 260]
    assert weight(ExactFloat("1." + "0" * 98)) == 100
