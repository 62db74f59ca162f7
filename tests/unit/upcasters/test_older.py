"""The way down beside the older document: what several documents would have in common is decided by it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from upcasters import (
    Always,
    Baseline,
    Chain,
    DeadLettered,
    Detection,
    Event,
    FromField,
    Operation,
    Policy,
    Step,
    StepError,
    Upcast,
    add,
    anything,
    at,
    convert,
    default,
    derive,
    drop,
    drop_event,
    equals,
    first_of,
    move_items,
    present,
    rename,
    when,
)
from upcasters.devteam_runner import chain as devteam


def chain_of(*steps: Step) -> Chain:
    return Chain(steps, [Baseline("t", "1", shape=anything())])


MERGED = chain_of(
    Step(
        "t",
        "1",
        "2",
        [
            first_of(["a", "b"], "c"),
            first_of(["x.d", "e"], "x.f", missing="skip"),
            default("n", 5),
            derive("m", ["c"], str, exists="keep"),
            at("x", default("k", 1)),
        ],
        shape=present("c", "n"),
    ),
    Step("t", "2", "3", [rename("c", "z"), add("three", 3)], shape=present("three")),
)


def round_trip(older: bytes, version: str = "1") -> object:
    newer = MERGED.upcaster().upcast(Event(older))
    assert isinstance(newer, Upcast)
    outcome = MERGED.upcaster(Policy(target={"t": version})).downcast_into(Event(newer.value), older)
    return outcome.value if isinstance(outcome, Upcast) else outcome


@pytest.mark.parametrize(
    "older",
    [
        b'{"a":1,"x":{}}',
        b'{"b":1,"x":{}}',
        b'{"c":1,"x":{}}',
        b'{"a":1,"n":5,"x":{}}',
        b'{"a":1,"n":null,"x":{}}',
        b'{"a":1,"n":6,"m":"1","x":{"k":1}}',
        b'{"b":1.10,"x":{"d":1}}',
        b'{"a":1,"x":{"f":1,"k":2}}',
    ],
)
def test_each_older_document_comes_back_as_it_was(older: bytes) -> None:
    assert round_trip(older) == older


def test_a_field_from_elsewhere_goes_back_to_its_place() -> None:
    assert round_trip(b'{"a":1,"e":2,"x":{}}') == b'{"a":1,"x":{},"e":2}'


def test_without_it_a_merge_is_ambiguous_unless_the_step_names_a_spelling() -> None:
    outcome = MERGED.upcaster(Policy(target={"t": "1"})).upcast(Event(b'{"z":1,"x":{},"n":5,"m":"1","three":3}'))
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.error_type == "Ambiguous"
    assert "hand in the older document" in outcome.fault.message


def test_an_older_document_that_is_none_is_the_events_fault() -> None:
    down = MERGED.upcaster(Policy(target={"t": "1"}))
    outcome = down.downcast_into(Event(b'{"z":1,"x":{},"n":5,"m":"1","three":3}'), b"[")
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.error_type == "DecodeError"


def test_the_spelling_named_must_be_one_of_the_fields() -> None:
    with pytest.raises(StepError, match="none of the fields"):
        first_of(["a", "b"], "c", back="d")


def test_the_shipped_chain_gives_mixed_spellings_back() -> None:
    older = b'{"metadata":{"taskId":"1","project_id":"p"},"nodes":{"select":{"status":"x"}}}'
    newer = devteam.upcaster().upcast(Event(older))
    assert isinstance(newer, Upcast)
    down = devteam.upcaster(Policy(target={"task_context": "1.0"})).downcast_into(Event(newer.value), older)
    assert isinstance(down, Upcast)
    assert down.value == older


LISTS = Chain(
    [Step("t", 1, 2, [convert("l", lambda items: items[:2], lambda items: items), drop("gone")], lossy="for the test")],
    detection=Detection((Always("t"),), (FromField("v"),)),
)


@pytest.mark.parametrize(
    ("older", "now", "expected"),
    [
        (b'{"v":1,"l":[1,2,3],"gone":1}', b'{"v":2,"l":[7,2]}', [7, 2]),
        (b'{"v":1,"l":[1,2],"gone":1}', b'{"v":2,"l":[7,2]}', [7, 2]),
        (b'{"v":1,"l":[1],"gone":1}', b'{"v":2}', None),
    ],
)
def test_lists_that_are_others_are_taken_from_the_newer_document(
    older: bytes, now: bytes, expected: list[int] | None
) -> None:
    upcaster = LISTS.upcaster(Policy(target={"t": "1"}, allow_loss=True))
    outcome = upcaster.downcast_into(Event(now), older)
    if expected is None:
        assert isinstance(outcome, DeadLettered)
    else:
        assert isinstance(outcome, Upcast)
        assert json.loads(outcome.value or b"")["l"] == expected


def by_number(items: list[dict[str, int]]) -> list[dict[str, int]]:
    return sorted(items, key=lambda item: item["k"])


def as_it_is(items: list[dict[str, int]]) -> list[dict[str, int]]:
    return items


def no_two(items: list[dict[str, int]]) -> list[dict[str, int]]:
    if len(items) == 2:
        raise ValueError("on purpose")
    return items


GONE = drop("l.*.d", missing="skip")
KEPT = [{"k": 1, "d": 1}, {"k": 2, "d": 2}, {"k": 3, "d": 3}]
NAMED = [{"n": "x", "d": 1}, {"n": "y", "d": 2}, {"n": "z", "d": 3}]
NAMES = [move_items("l", equals("n", "x"), "m", empty="drop"), drop("m.*.d", missing="skip")]
ITEMS: dict[str, tuple[list[Operation], list[Any], list[Any], list[Any]]] = {
    "one is new": ([], KEPT, [{"k": 1}, {"k": 9}, {"k": 2}, {"k": 3}], [KEPT[0], {"k": 9}, *KEPT[1:]]),
    "in another order": ([], KEPT, [{"k": 3}, {"k": 2}, {"k": 1}], KEPT[::-1]),
    "one of two that are alike is gone": ([], [{"k": 1, "d": 1}, {"k": 1, "d": 2}], [{"k": 1}], [{"k": 1}]),
    "as many are alike": (
        [],
        [{"k": 1, "d": 1}, {"k": 2, "d": 2}, {"k": 1, "d": 3}],
        [{"k": 1}, {"k": 1}],
        [{"k": 1, "d": 1}, {"k": 1, "d": 3}],
    ),
    "the step sorts them": (
        [convert("l", by_number, as_it_is)],
        KEPT[::-1],
        [{"k": 1}, {"k": 9}],
        [{"k": 1}, {"k": 9}],
    ),
    "the step sorts them, and they were so": (
        [convert("l", by_number, as_it_is)],
        KEPT,
        [{"k": 1}, {"k": 9}],
        [KEPT[0], {"k": 9}],
    ),
    "half of them does not go up": ([convert("l", no_two, as_it_is)], KEPT, [{"k": 1}, {"k": 9}], [{"k": 1}, {"k": 9}]),
    "the step moves one": (NAMES, NAMED, [{"n": "y"}, {"n": "a"}], [NAMED[1], {"n": "a"}]),
}


@pytest.mark.parametrize(("operations", "older", "now", "expected"), ITEMS.values(), ids=ITEMS.keys())
def test_an_item_of_a_list_is_the_older_one_only_where_it_is_known_which(
    operations: list[Operation], older: list[Any], now: list[Any], expected: list[Any]
) -> None:
    chain = Chain(
        [Step("t", 1, 2, [*operations, GONE], lossy="for the test")],
        detection=Detection((Always("t"),), (FromField("v"),)),
    )
    upcaster = chain.upcaster(Policy(target={"t": "1"}, allow_loss=True))
    outcome = upcaster.downcast_into(
        Event(json.dumps({"v": 2, "l": now}).encode()), json.dumps({"v": 1, "l": older}).encode()
    )
    assert isinstance(outcome, Upcast)
    assert json.loads(outcome.value or b"")["l"] == expected


def test_what_is_gone_in_the_newer_document_stays_gone() -> None:
    down = chain_of(Step("t", "1", "2", [rename("a", "b")], shape=present("b"))).upcaster(Policy(target={"t": "1"}))
    outcome = down.downcast_into(Event(b'{"b":1,"new":1}'), b'{"a":0,"c":2}')
    assert isinstance(outcome, Upcast)
    assert outcome.value == b'{"a":1,"new":1}'


def refuses_old(value: str) -> str:
    if value == "old":
        raise ValueError(value)
    return value


@pytest.mark.parametrize(
    ("operations", "older", "now", "expected"),
    [
        (
            [drop("gone"), convert("a", str, refuses_old, exact=False)],
            b'{"v":"1","a":"old","gone":1,"kept":2}',
            b'{"v":"2","a":"new"}',
            {"v": "1", "a": "new", "gone": 1},
        ),
        (
            [when(present("end"), drop_event()), rename("a", "b")],
            b'{"v":"1","a":1,"end":1,"kept":2}',
            b'{"v":"2","b":1}',
            {"v": "1", "a": 1},
        ),
    ],
    ids=["does not come down", "ends on its way up"],
)
def test_no_more_is_taken_from_an_older_document_that_does_not_go_up_and_down(
    operations: list[Operation], older: bytes, now: bytes, expected: dict[str, Any]
) -> None:
    chain = Chain(
        [Step("t", 1, 2, operations, lossy="for the test")],
        detection=Detection((Always("t"),), (FromField("v"),)),
    )
    outcome = chain.upcaster(Policy(target={"t": "1"}, allow_loss=True)).downcast_into(Event(now), older)
    assert isinstance(outcome, Upcast)
    assert json.loads(outcome.value or b"") == expected
