"""The way down beside the older document: what several documents would have in common is decided by it."""

from __future__ import annotations

import json

import pytest

from upcasters import (
    Always,
    Baseline,
    Chain,
    DeadLettered,
    Detection,
    Event,
    FromField,
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
    first_of,
    present,
    rename,
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
