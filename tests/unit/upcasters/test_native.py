"""Layout programs, run natively: what comes out is what the reference says, byte for byte, whatever comes in."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, model_validator

from benchmarks.chain import by_signal, history, pure, signal
from benchmarks.drain.events import pool
from tests.unit.upcasters.generated import SOURCE, Made, choosing, made
from tests.unit.upcasters.taught import broken, hits, plans_of, teach
from upcasters import (
    SNAKE_CASE,
    Always,
    Baseline,
    Chain,
    Condition,
    DeadLettered,
    Detection,
    Event,
    FromField,
    FromHeader,
    FromShape,
    Operation,
    Passed,
    Policy,
    Step,
    Upcast,
    Upcaster,
    add,
    anything,
    assign,
    at,
    convert,
    convert_time,
    default,
    derive,
    drop,
    equals,
    fields_to_list,
    first_of,
    has_type,
    load_chain,
    map_values,
    matches,
    move,
    nest,
    one_of,
    present,
    rename,
    rename_keys,
    rename_many,
    scale,
    switch,
    template,
    when,
)
from upcasters.native import plan as plans
from upcasters.native.extension import EXTENSION, INTERFACE, counts, load
from upcasters.native.plan import Plan
from upcasters.validation import Validator

native = pytest.mark.skipif(EXTENSION is None, reason="the native extension is not built")
NEVER: dict[str, Any] = {"validate_target": "never", "validate_source": "never"}


def one_step(*operations: Operation, detection: Detection | None = None, **policy: Any) -> Upcaster:
    """A route with one step, whose version everything has that says none."""
    chain = Chain(
        [Step("order", "1", "2", list(operations), lossy="a test")],
        [Baseline("order", "1")],
        detection=detection or Detection((Always("order"),), (Always("1"),)),
    )
    return chain.upcaster(Policy(**{**NEVER, **policy}))


def compared(upcaster: Upcaster, event: Event) -> bool:
    """Whether an event ran natively, when it was seen to be what the reference says."""
    before = hits(upcaster)
    outcome = upcaster.upcast(event, SOURCE)
    ran = hits(upcaster) > before
    if ran or not isinstance(outcome, Passed):  # what is current by its header is not even read
        assert outcome == upcaster.reference.upcast(event, SOURCE), (event, ran)
    return ran


def seen(upcaster: Upcaster, value: str | bytes, **event: Any) -> bool:
    """The same for the third of three events, which may run natively."""
    one = Event(value if isinstance(value, bytes) else value.encode(), **event)
    teach(upcaster, one)
    return compared(upcaster, one)


@native
def test_every_version_of_a_chain_runs_natively() -> None:
    upcaster = load_chain("upcasters.devteam_runner:chain").upcaster(Policy(**NEVER))
    events = [Event(one.value) for one in pool(350, "mix")]
    for event in events[:100]:
        upcaster.upcast(event)
    assert all(compared(upcaster, event) for event in events[100:])


@native
def test_a_long_history_runs_natively() -> None:
    upcaster = history(42, by_signal).upcaster(Policy(validate_source="never", validate_target="never"))
    assert seen(upcaster, json.dumps(signal("metric")))


@native
def test_the_models_are_asked_all_the_same() -> None:
    upcaster = load_chain("upcasters.devteam_runner:chain").upcaster(Policy(validate_target="always"))
    good = '{"metadata":{"taskId":"1","projectId":"p"},"nodes":{}}'
    assert seen(upcaster, good)
    bad = good.replace('"p"', "17").replace('"nodes"', '"n":0,"nodes"')
    teach(upcaster, Event(bad.encode()))
    assert isinstance(upcaster.upcast(Event(bad.encode())), DeadLettered)
    assert compared(upcaster, Event(good.encode()))
    compared(upcaster, Event(bad.encode()))


@native
def test_fields_of_a_shorter_list_stand_in_any_order() -> None:
    """The last ones that are there decide how long it is, and not those that come last in the document."""
    upcaster = one_step(fields_to_list(["x", "y", "z"], "row", short="keep"))
    assert seen(upcaster, '{"y":2,"x":1}')


class Ordered(BaseModel):
    old: int
    note: str = ""


class Renamed(BaseModel):
    new: int
    note: str = ""


def validating(target: Any, source: Any, told: list[Any], **policy: Any) -> Upcaster:
    """A route with a model before and after, by a header that says the version or by none."""
    chain = Chain(
        [Step("order", "1", "2", [rename("old", "new")], model=Renamed)],
        [Baseline("order", "1", model=Ordered)],
        detection=Detection((Always("order"),), (FromHeader("v"), Always("1"))),
    )
    policy = {"validate_target": target, "validate_source": source, "sample_every": 3, **policy}
    return chain.upcaster(Policy(**policy), told.append)


VALUES = [
    b'{"old":1}',
    b'{"old":"1"}',
    b'{"old":1,"note":2}',
    b'{"old":1,"note":"%s"}' % (b"x" * 100),
    b'{"old":12345678901234567890}',
    b'{"new":1}',
    b'{"new":"1"}',
]
CHOICES = ["always", "observe", "sampled", "never"]


@native
@pytest.mark.parametrize("target", CHOICES)
@pytest.mark.parametrize("source", CHOICES)
def test_whatever_the_policy_asks_of_models_is_asked(target: str, source: str) -> None:
    told: list[Any] = []
    fast = validating(target, source, told)
    with pure():
        plain = validating(target, source, told)
    events = [
        Event(value, None, headers, offset=offset)
        for value in VALUES
        for headers in ([], [("v", b"1")], [("v", b"2")], [("x", b"")])
        for offset in (None, 3, 4)
    ]
    for event in events[::-1]:
        fast.upcast(event)
        teach(fast, event)
    before = hits(fast)
    for event in events:
        told.clear()
        outcome = fast.upcast(event)
        said = list(told)
        told.clear()
        assert plain.upcast(event) == outcome, event
        assert told == said, event
    assert hits(fast) - before > 20


@native
def test_models_that_json_shows_are_asked_by_nobody() -> None:
    upcaster = validating("always", "always", [])
    for value in VALUES[:4:3]:
        assert seen(upcaster, value)
        with patch.object(Validator, "check", side_effect=AssertionError):
            assert isinstance(upcaster.upcast(Event(value)), Upcast)
    (plan,) = plans_of(upcaster)
    assert plan.counts[2] == 0


@native
def test_a_panic_of_a_shape_costs_the_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upcasters.validation.validator.shape_of", lambda _: EXTENSION.Shape([("map", 99)], 0))
    upcaster = validating("always", "never", [])
    for value in VALUES[:3]:
        compared(upcaster, Event(value))
    assert seen(upcaster, VALUES[0])
    assert compared(upcaster, Event(VALUES[0]))
    (plan,) = plans_of(upcaster)
    assert plan.counts[2] <= 2


def twice(value: Any) -> Any:
    return value * 2


NESTED = '{"c":{"old":1,"x":null},"items":[{"sku":"a","n":1},{"sku":"b","n":2}],"z":[1, 2],"y":{ "k":1.10}}'
CHANGES: list[Callable[[], Operation]] = [
    lambda: rename("c.old", "new"),
    lambda: default("c.x", {"a": [1]}, null="replace"),
    lambda: default("c.fresh", 1),
    lambda: drop("c.old"),
    lambda: drop("c.gone", missing="skip"),
    lambda: fields_to_list(["x", "old"], "c.row"),
    lambda: at("c", nest(["x"], "deep"), fields_to_list(["deep", "old"], "row"), fields_to_list(["row", "n"], "row")),
    lambda: fields_to_list(["c", "z", "y", "gone"], "all", short="keep"),
    lambda: derive("c.made", ["c.old"], twice),
    lambda: derive("c.x", ["c.old"], str, exists="keep", null="replace"),
    lambda: derive("made", ["c.old"], twice),
    lambda: derive("made", ["c.x"], lambda given: {"given": given, "é": [True, 1.5, "\n"]}),
    lambda: template("c.t", "x-{z}", numbers="text", missing="skip"),
    lambda: first_of(["c.one", "c.old"], "c.two"),
    lambda: rename("items.*.sku", "id"),
    lambda: convert("items.*.n", twice),
    lambda: map_values("items.*.sku", {"a": "A", "b": "B"}),
    lambda: scale("items.*.n", 1000),
    lambda: convert_time("c.old", "s", "rfc3339"),
    lambda: rename_keys("items.*", SNAKE_CASE),
    lambda: nest(["z", "y"], "inside"),
    lambda: nest(["old"], "inside", at="c"),
    lambda: rename("c", "d"),
]


@native
@pytest.mark.parametrize("change", CHANGES)
def test_what_an_operation_does_is_done_natively(change: Callable[[], Operation]) -> None:
    for value in (NESTED, json.dumps(json.loads(NESTED)), '{"b":0,' + NESTED[1:], NESTED[:-1] + ',"b":"\\u00e9é"}'):
        upcaster = one_step(change())
        compared(upcaster, Event(value.encode()))
        if plans_of(upcaster) and not isinstance(upcaster.upcast(Event(value.encode())), DeadLettered):
            assert seen(upcaster, value), value


def refusing(value: Any) -> Any:
    if value == "boom":
        raise ValueError
    return value


REFUSED_AND_GONE = {
    "converted and dropped": lambda: [convert("c.old", refusing), drop("c.old")],
    "derived and dropped": lambda: [derive("made", ["c.old"], refusing), drop("made")],
    "derived, then another": lambda: [
        derive("made", ["c.old"], refusing),
        derive("made", ["z"], twice, exists="replace"),
    ],
    "inside of what is dropped": lambda: [at("c", convert("old", refusing)), drop("c")],
    "inside of what is replaced": lambda: [
        at("c", convert("old", refusing)),
        derive("c", ["z"], twice, exists="replace"),
    ],
    "nested and dropped": lambda: [at("c", convert("old", refusing)), nest(["c"], "n"), drop("n")],
    "null alone, and replaced": lambda: [
        derive("y", ["none"], twice, missing="skip", null="replace"),
        derive("y", ["z"], twice, exists="replace"),
    ],
}


@native
@pytest.mark.parametrize("make", REFUSED_AND_GONE.values(), ids=REFUSED_AND_GONE)
def test_what_is_thrown_away_may_refuse_the_event_all_the_same(make: Callable[[], list[Operation]]) -> None:
    upcaster = one_step(*make())
    good, bad = (
        Event(f'{{"z":1,"y":{y},"c":{{"old":"{old}"}}}}'.encode()) for old, y in (("x", "null"), ("boom", "{}"))
    )
    teach(upcaster, good)
    compared(upcaster, bad)


@native
def test_programs_are_told_to_people() -> None:
    operations = [
        default("c.x", {"a": [1]}, null="replace"),
        derive("c.none", ["c.gone"], str, missing="none"),
        convert("items.*.n", twice, null="error"),
        map_values("items.*.sku", {"a": "A"}),
        nest(["z", "y"], "inside"),
        derive("made", ["c.old"], twice),
    ]
    upcaster = one_step(*operations)
    upcaster.upcast(Event(b"{}"))
    told = upcaster.programs_of(("order", "1"), b'{"b":0,' + NESTED.encode()[1:])
    assert told == [
        'the document: {<others>,"c":<c>,"items":<items>,"inside":{"z":<z>,"y":<y>},"made":twice(<c.old>)}',
        'c: {"old":<old>,"x":<{"a":[1]} if x is null, else <x>>,"none":str(<nothing>)}',
        'items.*: {"sku":changed(<sku>),"n":<<left to Python> if n is null, else twice(<n>)>}',
    ]
    assert upcaster.programs_of(("order", "1"), b'{"c":{}}')[0] == "the document: left to Python"
    assert upcaster.programs_of(("order", "1"), b'{"c":') == []
    assert upcaster.programs_of(("order", "2"), NESTED.encode()) == []
    assert one_step(move("a", "b")).programs_of(("order", "1"), b"{}") == []


@native
def test_it_learns_what_it_sees_again_and_nothing_of_values() -> None:
    upcaster = one_step(rename("old", "new"))
    values = [f'{{"old":"secret {number}","k{number}":0}}'.encode() for number in range(10)]
    assert sum(compared(upcaster, Event(value)) for value in values) >= 6
    (plan,) = plans_of(upcaster)
    assert "secret" not in repr(vars(plan))


@native
@pytest.mark.parametrize(
    "value",
    [
        b'{"old":1,"old":1}',
        b'{"old":1,"a":1,"a":1}',
        b'{"old":1,"a":1,"\\u0061":1}',
        b'{"\\u006fld":1}',
        b'{"old":"\xff"}',
        b'{"old":"\xed\xa0\x80"}',
        b'{"old":"\\ud800"}',
        b'{"old":1,}',
        b'{"old":01}',
        b'{"old":1} ',
        b' {"old":1}',
        b'{"old": 1,"a":2}',
        b'{"old":1, "a":2}',
        b'{"old" :1}',
        b'{"old":1,"a":"\x00"}',
        b'{"old":' + b"[" * 390 + b"]" * 390 + b"}",
        b'{"old":' + b"[" * 399 + b"]" * 399 + b"}",
        b'{"old":' + b"[" * 400 + b"]" * 400 + b"}",
        b'{"a":' * 100_000,
        b"[" * 100_000,
        b"",
        b"null",
        b"{}",
    ],
)
def test_what_is_unusual_is_as_the_reference_says(value: bytes) -> None:
    upcaster = one_step(rename("old", "new"))
    for known in (b'{"old":1}', b'{"old":1,"a":1}', b'{"old": 1}', b'{"old": 1, "a": 1}', b'{"a":1,"old":1}'):
        assert seen(upcaster, known)
    teach(upcaster, Event(value))
    compared(upcaster, Event(value))


@native
def test_a_field_states_the_version() -> None:
    operations = [default("fresh", 1)]
    chain = Chain(
        [Step("order", 1, 2, operations), Step("order", 2, 3, operations[:0], lossy="x")],
        [Baseline("order", 1)],
        detection=Detection((Always("order"),), (FromField("v"), FromHeader("version"), Always("1"))),
    )
    upcaster = chain.upcaster(Policy(**NEVER))
    for value in ('{"v":1}', '{"v":"1"}', '{"v":2,"a":0}', '{"v":null}', '{"a":0}', '{"v":"3"}'):
        assert seen(upcaster, value), value
    assert seen(upcaster, '{"v":1}', headers=[("version", b"1")])
    assert seen(upcaster, '{"a":0}', headers=[("version", b"2"), ("x", None), ("version", b"2")])
    for value in ('{"v":"9"}', '{"v":""}', '{"v":[]}', '{"v":1.0}', '{"v":"01"}'):
        assert not seen(upcaster, value), value
    assert not seen(upcaster, '{"v":1}', headers=[("version", b"2")])


@native
def test_a_field_further_down_states_the_version() -> None:
    chain = Chain(
        [Step("order", 1, 2, [default("fresh", 1)]), Step("order", 2, 3, [rename("meta.a", "b", missing="skip")])],
        [Baseline("order", 1)],
        detection=Detection((Always("order"),), (FromField("meta.v"), Always("1"))),
    )
    upcaster = chain.upcaster(Policy(**NEVER))
    for value in (
        '{"meta":{"v":1,"a":0}}',
        '{"meta":{"a":0,"v":"2"},"x":[]}',
        '{"meta":{}}',
        '{"meta": {"v": 1, "x": 1}}',
        '{"a":0}',
        '{"meta":{"v":null}}',
    ):
        assert seen(upcaster, value), value
    for value in ('{"meta":{"v":"9"}}', '{"meta":1}', '{"meta":null}', '{"meta":[]}', '{"meta":{"v":{}}}'):
        assert not seen(upcaster, value), value


KINDS: dict[Any, list[Operation]] = {
    "car": [rename("data.wheels", "tyres"), default("kind_of", "c")],
    "é\n": [default("odd", 1)],
    1: [rename("kind", "number")],
    None: [drop("kind")],
}
CHOICES_OF_OPERATIONS: dict[str, Callable[[], list[Operation]]] = {
    "switch": lambda: [switch("kind", KINDS, otherwise=[default("rest", 0)])],
    "switch without a rest": lambda: [switch("kind", KINDS)],
    "further down": lambda: [switch("data.wheels", {4: default("four", True)}, otherwise=[])],
    "present": lambda: [when(present("data.wheels"), default("rolls", True), otherwise=[default("rolls", False)])],
    "equals": lambda: [when(equals("kind", "car") & ~equals("data.wheels", 3), rename("kind", "k"))],
    "type": lambda: [when(has_type("kind", "number", "null"), default("odd", True))],
    "one of": lambda: [when(one_of("kind", ["car", "bus", True]), drop("kind"))],
    "inside each other": lambda: [
        when(present("kind"), switch("kind", {"car": [], 1: drop("data")}, otherwise=[drop("kind")]))
    ],
    "two on a field": lambda: [when(equals("kind", 1), default("a", 1)), when(equals("kind", "car"), default("b", 1))],
}
KINDS_OF_EVENTS = [
    *('"car"', '"c\\u0061r"', '"bus"', '"\u00e9\\n"', '"\\u00e9\\n"', "1", "1.0", "10e-1", "1e0", "-0", "0"),
    *("null", "true", "false", "[1]", '{"a": 1}', "[]", '"1"', '""'),
]


@native
@pytest.mark.parametrize("make", CHOICES_OF_OPERATIONS.values(), ids=CHOICES_OF_OPERATIONS)
def test_operations_that_run_for_some_values(make: Callable[[], list[Operation]]) -> None:
    upcaster = one_step(*make())
    values = [
        f'{{"kind":{kind},"data":{data},"x":1}}'
        for kind in KINDS_OF_EVENTS
        for data in ('{"wheels":4,"n":0}', '{"wheels":3}', "{}", '{"wheels":"4"}', '{"wheels":4.0}')
    ]
    values += [value.replace('"kind":', '"kind_":') for value in values[:5]]
    values += [json.dumps(json.loads(value)) for value in values[:5]]
    ran = 0
    for value in values:
        upcaster.upcast(Event(value.encode()))
        teach(upcaster, Event(value.encode()))
    for value in values:
        ran += compared(upcaster, Event(value.encode()))
    assert ran >= 20, ran


@native
def test_answers_that_a_step_changes_beforehand_are_left_to_python() -> None:
    for operations in (
        [rename("kind", "k"), when(present("k"), default("a", 1))],
        [when(present("kind"), drop("kind")), when(present("kind"), default("a", 1))],
        [when(matches("kind", "c"), default("a", 1))],
        [when(equals("kind", 1.5), default("a", 1))],
        [when(equals("kind", {"a": 1}), default("a", 1))],
        [when(present("kind"), move("kind", "data.kind"))],
    ):
        upcaster = one_step(*operations)
        assert not seen(upcaster, '{"kind":"car","data":{}}')
        assert upcaster.programs_of(("order", "1"), b'{"kind":"car","data":{}}') in ([], [LEFT_TO_PYTHON])


LEFT_TO_PYTHON = "none: these operations are left to Python"


@native
def test_programs_of_a_choice_are_told_to_people() -> None:
    upcaster = one_step(switch("kind", {"car": rename("a", "b")}), default("c", 1))
    upcaster.upcast(Event(b"{}"))
    told = upcaster.programs_of(("order", "1"), b'{"kind":"car","a":1}')
    assert told == ['the document: {"kind":<kind>,"b":<a>,"c":1}']
    assert upcaster.programs_of(("order", "1"), b'{"kind":1}') == []


@native
def test_variants_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "MOST_VARIANTS", 2)
    upcaster = one_step(switch("kind", {number: default(f"n{number}", 1) for number in range(5)}))
    ran = [seen(upcaster, f'{{"kind":{number}}}') for number in range(5)]
    assert ran == [True, True, False, False, False]


@native
def test_shapes_and_headers_must_not_speak_against_each_other() -> None:
    steps = [
        Step("a", "1", "2", [default("c.two", 0)], shape=present("c.two")),
        Step("a", "2", "3", [default("c.three", 0)], shape=present("c.three") & present("c.two")),
    ]
    rules = Detection((FromHeader("type"), Always("a")), (FromHeader("v"), FromShape()))
    upcaster = Chain(steps, [Baseline("a", "1", shape=anything())], detection=rules).upcaster(Policy(**NEVER))
    values = ['{"c":{}}', '{"c":{"two":1}}', '{"c":{"three":1,"two":1}}', '{"d":{"two":1}}', '{"c":null}']
    upcaster.upcast(Event(b"{}"))
    ran = [
        seen(upcaster, value, headers=headers)
        for value in values
        for headers in (
            [],
            [("v", b"1")],
            [("v", b"2")],
            [("v", b"3")],
            [("v", b"7")],
            [("type", b"a")],
            [("type", b"b")],
        )
    ]
    assert sum(ran) >= 9


@native
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(made(choosing), st.integers(0, 2**32))
def test_generated_chains_and_broken_events(tried: Made, number: int) -> None:
    chance = random.Random(number)
    upcaster = tried.chain.upcaster(chance.choice([Policy(), Policy(duplicate_keys="last-wins")]))
    for event in tried.events:
        upcaster.upcast(event, SOURCE)
        teach(upcaster, event)
    for event in tried.events:
        compared(upcaster, event)
        for _ in range(5 if event.value else 0):
            value = broken(event.value or b"", chance)
            compared(upcaster, Event(value, event.key, event.headers, event.timestamp, event.offset))


@native
def test_white_space_of_any_style_is_read_natively() -> None:
    upcaster = one_step(rename("a.b", "c"), default("z", 1), at("l.*", rename("x", "y", missing="skip")))
    for value in (
        '{\n  "a": {\n    "b": 1,\n    "o": [ 1, {} ]\n  },\n  "l": [\n    {\n      "x": 1\n    },\n    {}\n  ]\n}',
        '{"a":{"b":1, "o":2 },"l":[{"x":1} ,{ }]}',
        '{ "a": {\t"b":\r\n1 }, "l":[ ],"n": [1, 2]\n}',
    ):
        assert seen(upcaster, value), value
    assert not seen(upcaster, '{"a" :{"b":1},"l":[]}')
    assert not seen(upcaster, '{"a":{"b":1},"l":[]} ')
    assert not seen(upcaster, '{"a":{"b":1},\v"l":[]}')


@native
def test_layouts_broken_by_a_byte_anywhere() -> None:
    upcaster = load_chain("upcasters.devteam_runner:chain").upcaster(Policy(**NEVER))
    values = [pool(350, "mix")[number].value for number in (0, 3, 30)]
    spaced = [json.dumps(json.loads(value), indent=indent).encode() for value in values for indent in (None, 2, "\t")]
    chance = random.Random(19)
    for value in (*values, *spaced):
        assert seen(upcaster, value)
    ran = sum(compared(upcaster, Event(broken(value, chance))) for value in (*values, *spaced) for _ in range(200))
    assert ran > 100


def raising(value: Any) -> Any:
    if value == "stop":
        raise KeyboardInterrupt
    raise ValueError(value)


@native
def test_a_function_that_raises_is_the_references() -> None:
    upcaster = one_step(derive("made", ["old"], raising))
    assert not seen(upcaster, '{"old":"a"}')
    assert isinstance(upcaster.upcast(Event(b'{"old":"a"}')), DeadLettered)
    with pytest.raises(KeyboardInterrupt):
        plans_of(upcaster)[0].run(b'{"old":"stop"}', -1)


@native
def test_a_function_may_upcast_itself() -> None:
    routes: list[Upcaster] = []

    def inner(old: Any) -> Any:
        made = routes[0].upcast(Event(b'{"old":%d}' % (old - 1))) if old else None
        return json.loads(made.value)["made"] + 1 if isinstance(made, Upcast) else 0

    upcaster = one_step(derive("made", ["old"], inner))
    routes.append(upcaster)
    assert seen(upcaster, '{"old":5}')
    assert compared(upcaster, Event(b'{"old":9}'))


@native
def test_a_panic_costs_one_program(capfd: pytest.CaptureFixture[str]) -> None:
    upcaster = one_step(rename("old", "new"))
    assert seen(upcaster, '{"old":1}')
    assert seen(upcaster, '{"old":1,"a":1}')
    (plan,) = plans_of(upcaster)
    wrong: tuple[Any, ...] = (True, False, [("span", 99)], [])
    plan._native.add_program(0, 0, 0, wrong)
    assert not compared(upcaster, Event(b'{"old":"secret"}'))
    assert not compared(upcaster, Event(b'{"old":"secret"}'))
    assert plan.counts[2] == 1
    assert compared(upcaster, Event(b'{"old":1,"a":1}'))
    assert "secret" not in capfd.readouterr().err


class PanicException(BaseException):  # its name in PyO3
    """What a panic is in Python where Rust does not catch it: no Exception."""


class Panicking:
    """An extension's plan that panics wherever something is learned."""

    def __init__(self, inner: Any) -> None:
        self.run = inner.run
        self.counts = inner.counts
        self.rest = inner.rest
        self.asked: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.asked.add(name)
        raise PanicException(name)


@native
def test_a_panic_while_learning_costs_nothing_but_that() -> None:
    upcaster = one_step(rename("old", "new"))
    upcaster.upcast(Event(b"{}"))
    (plan,) = plans_of(upcaster)
    plan._native = Panicking(plan._native)
    for _ in range(30):
        assert isinstance(upcaster.upcast(Event(b'{"old":1}')), Upcast)
    assert plan._native.asked == {"add_layout"}
    assert plan.counts[0] == 0


@native
def test_a_panic_when_a_plan_is_made_costs_the_plan() -> None:
    with patch.object(plans, "EXTENSION") as extension:
        extension.Plan.side_effect = PanicException
        upcaster = one_step(rename("old", "new"), detection=Detection((FromHeader("type"),), (Always("1"),)))
        for _ in range(3):
            assert isinstance(upcaster.upcast(Event(b'{"old":1}', headers=[("type", b"order")])), Upcast)
    assert plans_of(upcaster) == []
    assert extension.Plan.call_count == 1


@native
def test_layouts_that_are_new_for_ever_find_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "ROUND", 400)
    upcaster = one_step(rename_keys("", SNAKE_CASE))
    for number in range(5_000):
        event = Event(b'{"k%d":0}' % (number // 3))
        outcome = upcaster.upcast(event)
        assert isinstance(outcome, Upcast)
    (plan,) = plans_of(upcaster)
    assert len(plan._layouts) <= 256
    assert plan.counts[1] < 2_500, "it does not rest"


@native
def test_it_comes_back_when_events_are_alike_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "ROUND", 100)
    monkeypatch.setattr(plans, "MOST_REST", 300)
    upcaster = one_step(rename_keys("", SNAKE_CASE))
    for number in range(300):
        upcaster.upcast(Event(b'{"k%d":0}' % number))
    assert sum(compared(upcaster, Event(b'{"aB":0}')) for _ in range(700)) > 200


@pytest.mark.long
@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is missing")
def test_what_the_reader_says_of_itself(tmp_path: Path) -> None:
    manifest = Path(__file__).parents[3] / "native" / "reading" / "Cargo.toml"
    command = ["cargo", "test", "--quiet", "--offline", "--manifest-path", str(manifest)]
    done = subprocess.run(
        command, env={**os.environ, "CARGO_TARGET_DIR": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@native
def test_the_process_counts_what_all_plans_did(capfd: pytest.CaptureFixture[str]) -> None:
    before = counts()
    upcaster = one_step(rename("old", "new"))
    assert seen(upcaster, '{"old":1}')
    (plan,) = plans_of(upcaster)
    plan._native.add_program(0, 0, 0, (True, False, [("span", 99)], []))
    upcaster.upcast(Event(b'{"old":1}'))
    shape = EXTENSION.Shape([("map", 99)], 0)
    assert not shape.fits(b'{"a":1}')
    done, left, panics = (after - one for after, one in zip(counts(), before, strict=True))
    assert (done, left) == plan.counts[:2]
    assert panics == 2
    capfd.readouterr()


def test_without_the_extension_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upcasters.native.extension.EXTENSION", None)
    assert counts() == (0, 0, 0)


def test_why_the_pure_path_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load({"UPCAST_NATIVE": "0"}) == (None, "UPCAST_NATIVE=0 turns it off")
    monkeypatch.setitem(sys.modules, "upcast_native", None)
    assert "not installed" in load({})[1]
    other: Any = types.ModuleType("upcast_native")
    other.INTERFACE = INTERFACE + 1
    monkeypatch.setitem(sys.modules, "upcast_native", other)
    assert "of another version" in load({})[1]
    other.INTERFACE = INTERFACE
    assert load({"UPCAST_NATIVE": "1"}) == (other, "")


BROKEN = {
    "raise ImportError('undefined symbol')": "cannot be loaded (ImportError)",
    "class PanicException(BaseException): pass\nraise PanicException": "cannot be loaded (PanicException)",
    "INTERFACE = 0": "is of another version",
    "": "is of another version",
}


@pytest.mark.parametrize("source", BROKEN)
def test_a_broken_wheel_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str) -> None:
    (tmp_path / "upcast_native.py").write_text(source)
    monkeypatch.delitem(sys.modules, "upcast_native", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert BROKEN[source] in load({})[1]


def other_processor(extension: bytes) -> bytes:
    """The same, said to be for a processor that this is not: the field e_machine of an ELF file."""
    return extension[:18] + (b"\xf3\0" if extension[18:20] != b"\xf3\0" else b"\x3e\0") + extension[20:]


@native
@pytest.mark.skipif(sys.platform != "linux", reason="its libraries are ELF files")
@pytest.mark.parametrize("change", [other_processor, lambda _: b"no library", lambda _: b""])
def test_a_wheel_for_another_platform_is_one_line(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    """In a process of its own: what cannot be loaded is seen by the system's loader."""
    library = Path(EXTENSION.__file__)
    (tmp_path / library.name).write_bytes(change(library.read_bytes()))
    program = """
from upcasters import Event, load_chain
from upcasters.native.extension import engine
event = Event(b'{"metadata":{"taskId":"1","projectId":"p"},"nodes":{}}')
outcome = load_chain("upcasters.devteam_runner:chain").upcaster().upcast(event)
print(engine(), type(outcome).__name__)
"""
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[3]}"}
    environment.pop("UPCAST_NATIVE", None)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    why = "pure (the package upcast-native cannot be loaded (ImportError): install it again)"
    assert (done.stdout, done.stderr) == (f"{why} Upcast\n", "")


@native
def test_what_was_done_natively_is_counted() -> None:
    upcaster = one_step(rename("a", "b"))
    assert upcaster.natively() == (0, 0, 0)
    for _ in range(5):
        upcaster.upcast(Event(b'{"v":1,"a":1}'))
    done, left, dropped = upcaster.natively()
    assert (done + left, dropped) == (5, 0)
    assert done > 1
    without = Chain([Step("t", 1, 2, [rename("a", "b")])], detection=Detection((Always("t"),), (Always("1"),)))
    refusing = without.upcaster(Policy(duplicate_keys="refuse"))
    assert refusing.natively() == (0, 0, 0)


def deep(_: Any) -> Any:
    found: Any = 1
    for _level in range(100):
        found = [found]
    return found


NINE = [f"f{number}" for number in range(9)]
LEFT: dict[str, tuple[list[Operation], str]] = {
    "a default for a new name": ([rename("a", "b", default=1)], '{"x":1}'),
    "a name that is taken": ([rename("a", "b")], '{"a":1,"b":2}'),
    "a field that may not be there": ([add("a", 1)], '{"a":1}'),
    "a null that was put there": ([default("a", None), default("a", 2, null="replace")], "{}"),
    "a value that was put there": ([default("a", 1), default("a", 2, null="replace")], "{}"),
    "a null that was replaced": ([default("a", 1, null="replace"), default("a", 2, null="replace")], '{"a":null}'),
    "a null for a null": ([default("a", None, null="replace"), default("a", 2, null="replace")], '{"a":null}'),
    "a null that is an object": ([nest(["x"], "a"), default("a", 2, null="replace")], '{"x":1}'),
    "a null that is derived": (
        [default("a", 1, null="replace"), derive("a", ["b"], str, null="replace")],
        '{"a":null,"b":1}',
    ),
    "nothing to drop": ([drop("a")], '{"b":1}'),
    "a derived field that is there": ([derive("a", ["b"], str)], '{"a":1,"b":1}'),
    "nothing to derive from": ([derive("a", ["b"], str, missing="skip")], '{"x":1}'),
    "a source that may be missing further down": ([derive("a", ["b.c"], str, missing="skip")], '{"b":{"c":1}}'),
    "a source further down of no object": ([default("b", 1), derive("a", ["b.c"], str)], '{"x":1}'),
    "many arguments": ([derive("a", NINE, lambda *given: len(given))], json.dumps(dict.fromkeys(NINE, 1))),
    "what a function made": ([convert("b", str), derive("a", ["b"], str)], '{"b":1}'),
    "a place that is taken": ([nest(["x"], "a")], '{"a":1,"x":2}'),
    "an object that was just made": ([nest(["x"], "a"), convert("a", len)], '{"x":1}'),
    "a deep result": ([convert("a", deep)], '{"a":1}'),
    "very many keys": ([rename_keys("o", SNAKE_CASE)], json.dumps({"o": {f"keyNumber{n}": n for n in range(70)}})),
    "operations far inside": ([rename(".".join("abcdefghijklmnopqrstuvwxyz") + ".k", "l", missing="skip")], '{"a":1}'),
    "a list and its items by name": (
        [rename("l.*.a", "b", missing="skip"), rename("l.x.a", "c", missing="skip")],
        '{"l":{"x":{"a":1}}}',
    ),
}


@native
@pytest.mark.parametrize(("operations", "value"), LEFT.values(), ids=LEFT)
def test_what_is_left_to_python_is_as_the_reference_says(operations: list[Operation], value: str) -> None:
    upcaster = one_step(*operations)
    event = Event(value.encode())
    for _ in range(5):
        compared(upcaster, event)
    stamped = one_step(*operations, detection=Detection((Always("order"),), (FromField("v"), Always("1"))))
    for stamp in ("1", '"1"', '"' + "1" * 100 + '"'):
        for _ in range(4):
            compared(stamped, Event(f'{{"v":{stamp},{value[1:]}'.replace(",}", "}").encode()))


@native
def test_versions_that_a_step_writes_itself_or_that_ask_for_much() -> None:
    by_field = Detection((Always("order"),), (FromField("v"), Always("1")))
    upcaster = one_step(drop("v"), default("v", 5), detection=by_field)
    for _ in range(5):
        compared(upcaster, Event(b'{"v":1}'))
    for shape in (present(*[f"f{number}" for number in range(80)]), present("l.a.b")):
        chain = Chain(
            [Step("order", "1", "2", [rename("l.*.a", "b", missing="skip")], shape=shape)],
            [Baseline("order", "1", shape=anything())],
            detection=Detection((Always("order"),), (FromShape(),)),
        )
        shaped = chain.upcaster(Policy(**NEVER))
        for _ in range(5):
            compared(shaped, Event(b'{"l":[{"a":1}]}'))


@native
def test_a_plan_that_is_worth_its_while_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "ROUND", 16)
    upcaster = one_step(rename("a", "b"))
    for number in range(400):
        odd = f'{{"a":1,"k{number}":[],"b":{number}}}'
        compared(upcaster, Event(odd.encode() if number % 10 == 0 else b'{"a":1}'))
    assert upcaster.natively()[0] > 300


@native
def test_shapes_and_keys_that_are_new_for_ever_take_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "MOST_SHAPES", 1)
    monkeypatch.setattr(plans, "MOST_LAYOUTS", 2)
    chain = Chain(
        [Step("order", "1", "2", [rename_keys("o", SNAKE_CASE)], shape=present("a", "b"))],
        [Baseline("order", "1", shape=anything())],
        detection=Detection((Always("order"),), (FromShape(),)),
    )
    upcaster = chain.upcaster(Policy(**NEVER))
    for number in range(30):
        shape = ['"a":1', '"b":1', '"c":1'][number % 3]
        compared(upcaster, Event(f'{{{shape},"o":{{"k{number}":1}}}}'.encode()))


@native
def test_what_a_plan_cannot_hold_is_left_to_python(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not seen(one_step(default("a.x.y", 1), default("a.*.z", 1)), '{"a":{"x":{}}}')
    assert not seen(one_step(default("a.x.*.y", 1), default("a.*.z", 1)), '{"a":{"x":{}}}')
    chosen = one_step(switch("kind", {"car": [rename("data", "d"), default("d.x", 1)]}, otherwise=[]))
    assert not seen(chosen, '{"kind":"car","data":{}}')
    assert chosen.programs_of(("order", "1"), b'{"kind":"car","data":{}}') == [LEFT_TO_PYTHON]
    steps = [Step("order", "1", "2", [move("a", "b.c", parents="create")]), Step("order", "2", "3", [rename("d", "e")])]
    chain = Chain(steps, [Baseline("order", "1")], detection=Detection((Always("order"),), (FromField("v"),)))
    mixed = chain.upcaster(Policy(**NEVER))
    assert seen(mixed, '{"v":"2","d":1}')
    assert LEFT_TO_PYTHON in mixed.programs_of(("order", "1"), b'{"v":"1","a":1}')
    monkeypatch.setattr("upcasters.native.choices.MOST_QUESTIONS", 0)
    assert not seen(one_step(switch("kind", {"car": rename("a", "b")}, otherwise=[])), '{"kind":"car","a":1}')
    monkeypatch.setattr(plans, "MOST_TEXTS", 0)
    assert not seen(chain.upcaster(Policy(**NEVER)), '{"v":"2","d":1}')


@native
@pytest.mark.parametrize("always", [anything(), ~~anything(), anything() | anything()], ids=str)
def test_operations_behind_a_condition_that_asks_nothing_run_too(always: Condition) -> None:
    for operations in (
        [when(always, default("a.b", 1))],
        [when(always, rename("x", "y", missing="skip"), otherwise=[drop("a")])],
        [when(~always, drop("a"), otherwise=[default("z", 1)])],
        [when(always, switch("kind", {"car": default("c", 1)}, otherwise=[]))],
        [when(always, when(~always, drop("a")), default("z", 1))],
    ):
        upcaster = one_step(default("first", 0), *operations)
        for value in ('{"a":{}}', '{"a":{},"x":1,"kind":"car"}'):
            assert seen(upcaster, value), (operations, value)
        seen(upcaster, "{}")


@native
def test_a_condition_that_always_holds_asks_nothing() -> None:
    assert seen(one_step(when(anything() & present("a"), default("b", 1))), '{"a":1}')


def as_deep_as(levels: int) -> Any:
    made: Any = levels
    for _ in range(levels):
        made = [made]
    return made


ON_THEIR_FIELDS: dict[str, tuple[Callable[[], Operation], list[str], list[str]]] = {
    "assign": (lambda: assign("a", 1), ['{"a":2}', "{}"], []),
    "rename with a default": (lambda: rename("a", "b", default=1), ['{"a":2}', '{"c":2}'], ['{"a":1,"b":2}']),
    "derive anew, or not": (
        lambda: derive("made", ["old"], str, exists="replace", missing="skip"),
        ['{"made":1}', '{"made":1,"old":2}', '{"old":2}'],
        [],
    ),
    "nest": (lambda: nest(["a", "b"], "n"), ['{"a":1,"b":2}'], ['{"a":1}', '{"a":1,"b":1,"n":1}']),
    "fields to list": (
        lambda: fields_to_list(["a", "b"], "l", missing="skip"),
        ['{"a":1,"b":2}', '{"c":1}'],
        ['{"a":1}', '{"a":1,"b":2,"l":3}'],
    ),
    "what becomes deep": (lambda: convert("a", as_deep_as, null="keep"), ['{"a":60}'], ['{"a":70}']),
}


@native
@pytest.mark.parametrize(("make", "natively", "left"), ON_THEIR_FIELDS.values(), ids=ON_THEIR_FIELDS)
def test_operations_on_the_fields_that_are_there(
    make: Callable[[], Operation], natively: list[str], left: list[str]
) -> None:
    for values, ran in ((natively, True), (left, False)):
        for value in values:
            assert seen(one_step(make()), value) is ran, value


@native
def test_a_key_that_is_one_of_many_names_never_counts_as_another() -> None:
    names = {f"k{number}": f"n{number}" for number in range(20)}
    upcaster = one_step(rename_many("", names, missing="skip"))
    for value in ('{"k1":1,"x":2,"y":3}', '{"x":1,"k2":2,"k19":3,"z":4}'):
        assert seen(upcaster, value), value
    for value in ('{"k1":1,"x":2,"k1":3}', '{"x":1,"k2":2,"k19":3,"k2":4}', '{"x":1,"k3":2,"x":3}'):
        assert not compared(upcaster, Event(value.encode())), value


@native
def test_who_ends_the_process_is_not_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    upcaster = one_step(rename("a", "b"))
    upcaster.upcast(Event(b'{"a":1}'))
    monkeypatch.setattr(Plan, "_learn", stop)
    (plan,) = plans_of(upcaster)
    plan._next = 0
    with pytest.raises(KeyboardInterrupt):
        plan.missed(b'{"a":1,"b":2}', -1)
    monkeypatch.setattr("upcasters.short_cut.Plan", stop)
    with pytest.raises(KeyboardInterrupt):
        one_step(rename("a", "b")).upcast(Event(b'{"a":1}'))
    monkeypatch.setattr("builtins.__import__", stop)
    with pytest.raises(KeyboardInterrupt):
        load({})


class Odd(BaseModel):
    a: int

    @model_validator(mode="before")
    @classmethod
    def _as_it_is(cls, given: Any) -> Any:
        return given


@native
def test_a_model_of_which_nothing_is_known_is_asked_by_python() -> None:
    step = Step("order", "1", "2", [rename("b", "a")], model=Odd)
    chain = Chain([step], [Baseline("order", "1")], detection=Detection((Always("order"),), (Always("1"),)))
    upcaster = chain.upcaster(Policy(validate_source="never", validate_target="always"))
    for value in ('{"b":1}', '{"b":"x"}'):
        seen(upcaster, value)
