"""Each law holds for sound chains and can be broken by a wrong one, and says so in words."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from upcasters import (
    Always,
    Baseline,
    Chain,
    Detection,
    Event,
    FromCloudEvents,
    FromField,
    FromHeader,
    FromShape,
    Operation,
    Passage,
    Step,
    Upcast,
    Upcaster,
    absent,
    add,
    anything,
    at,
    between,
    convert,
    default,
    derive,
    drop,
    drop_event,
    equals,
    everywhere,
    first_of,
    header,
    header_to_field,
    load_chain,
    map_values,
    matches,
    one_of,
    present,
    rename,
    rename_header,
    rename_many,
    rename_type,
    split_each,
    split_event,
    starts_with,
    subdocument,
    switch,
    when,
)
from upcasters.document import write
from upcasters.operations.base import Inverse, Reversibility
from upcasters.operations.events import DropHeader
from upcasters.operations.values import Convert
from upcasters.outcome import DeadLettered, Passed
from upcasters.testing import Law, LawBroken, LawNotTried, golden_folder, laws, trials
from upcasters.testing.documents import documents_like, documents_of
from upcasters.testing.draws import of_no_module
from upcasters.testing.events import MOST_PATHS, Inputs
from upcasters.testing.hints import hints_of
from upcasters.testing.routes import attributes_of, headers_of, routes, stamp
from upcasters.testing.trials import _Trial
from upcasters.validation import Validator

ROOT = Path(__file__).parents[3]


class One(BaseModel):
    name: str
    size: int = 0


class Two(BaseModel):
    name: str
    size: int
    kind: Literal["small", "large"]


def chain_of(*operations: Operation, lossy: str = "", model: type[BaseModel] | None = None) -> Chain:
    """Operations as the one step of a chain."""
    step = Step("thing", 1, 2, operations, model=model, shape=present("made"), lossy=lossy)
    return Chain([step], [Baseline("thing", 1, model=One, shape=anything())])


def complaints(chain: Chain, only: str = "", **options: Any) -> dict[str, str]:
    """The laws that do not hold, by their name, with what they say; ``only`` tries no law but this one."""
    said = {}
    for law in laws(chain, **{"examples": 25, **options}):
        if only not in ("", law.name):
            continue
        try:
            law.check()
        except LawBroken as error:
            said[law.name] = str(error)
    return said


@pytest.mark.long
def test_the_shipped_chain_keeps_all_laws() -> None:
    chain = load_chain("upcasters.devteam_runner:chain")
    listed = laws(chain, golden=golden_folder("devteam-runner", chain), examples=20)
    for law in listed:
        law.check()
    assert {law.name for law in listed} == {
        *("golden", "tombstones", "deterministic", "no-shared-state", "fused", "stamped", "valid-output", "round-trip")
    }


@pytest.mark.long
def test_a_sound_chain_keeps_all_laws() -> None:
    chain = chain_of(
        rename("name", "title"),
        default("size", 1),
        when(equals("size", 1), add("made", True), otherwise=[add("made", False)]),
    )
    assert complaints(chain) == {}


@pytest.mark.parametrize("named", [False, True], ids=["no models", "models"])
@pytest.mark.parametrize("version", ["1", "3"])
def test_types_that_lead_into_one_version_keep_all_laws(version: str, named: bool) -> None:
    model = One if named else None
    chain = Chain(
        [
            Step("old", "0", "1", [], model=model),
            Step("old", "1", version, [rename_type("shared")]),
            Step("other", "1", version, [rename_type("shared")], model=model),
            Step("shared", version, "4", [default("size", 1)], model=model),
        ],
        [Baseline("old", "0", model), Baseline("other", "1", model)],
        detection=Detection((FromHeader("type"),), (FromHeader("version"),)),
    )
    listed = laws(chain, examples=5)
    for law in listed:
        law.check()
    subjects = {law.subject for law in listed if law.name == "tombstones"}
    assert subjects == {f"old to {version}", f"other to {version}", "shared to 4", f"shared to {version}"}


# One wrong chain for each law.


def test_types_that_no_header_names_and_that_others_become_are_tried() -> None:
    steps = [Step("placed", 1, 2, [rename_type("created"), rename("a", "b")], shape=absent("a") & present("b"))]
    chain = Chain(steps, [Baseline("placed", 1, shape=present("a") | present("z"))])
    assert {law.check() > 0 for law in laws(chain, examples=10)} == {True}


@pytest.mark.long
def test_what_is_read_beside_a_whole_document_is_made_up_too() -> None:
    split = split_event(lambda document, _: [("part", document)], ["part"], version="1")
    steps = [
        Step("offered", 1, 1, [rename_type("part")]),
        Step("listed", 1, 1, [split], lossy="split"),
        Step("part", 1, 2, [rename("a", "b")]),
    ]
    bases = [Baseline(name, 1) for name in ("offered", "listed", "part")]
    chain = Chain(steps, bases, detection=Detection((FromHeader("type"),), (FromHeader("version"),)))
    assert {law.check() > 0 for law in laws(chain, examples=10)} == {True}


def test_deterministic_can_fail() -> None:
    counter = itertools.count()
    said = complaints(chain_of(derive("made", [], lambda: next(counter)), lossy="a test"), "deterministic")
    head, event, first, second = said["deterministic"].splitlines()[:4]
    # The counter shows on the way down, too: which of the two is found first is up to the events that are drawn.
    assert head in [f"deterministic: thing to {end}: the same event has two outcomes" for end in (1, 2)]
    assert event.startswith("  event:  {")
    assert first.startswith("  first:  ")
    assert first.removeprefix("  first:  ") != second.removeprefix("  second: ")


def test_no_shared_state_can_fail() -> None:
    seen = ["", ""]

    def name_before(name: str) -> str:
        if name != seen[-1]:
            seen.append(name)
        return seen[-2]

    said = complaints(chain_of(derive("made", ["name"], name_before)))
    assert "deterministic" not in said
    assert "another event changed its outcome; the other is {" in said["no-shared-state"]


def test_fused_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """No chain is known that does it, so the fast path itself is made to go wrong."""
    monkeypatch.setattr(Upcaster, "upcast", lambda *_: Upcast(Passage("thing", "1", "2", 1), b'{"made":2}'))
    said = complaints(chain_of(add("made", 1)), "fused")
    assert "the compiled path and the way hop by hop differ" in said["fused"]
    assert 'compiled:   upcast to 2: {"made":2}' in said["fused"]


def test_valid_output_can_fail() -> None:
    said = complaints(
        chain_of(default("size", 1), map_values("size", {1: 2}, otherwise="keep"), lossy="x", model=Two), "valid-output"
    )
    assert said["valid-output"].startswith(
        "valid-output: thing 1 to 2: step thing:1->2 made an event that its model refuses"
    )
    assert "kind: missing" in said["valid-output"]


def test_round_trip_can_fail_where_it_is_said_to_be_exact() -> None:
    said = complaints(chain_of(convert("name", lambda name: name + "!", lambda name: name)), "round-trip")
    assert said["round-trip"].splitlines() == [
        "round-trip: thing 1 to 2: step thing:1->2 says that it can be undone exactly",
        '  event: {"name":""}',
        '  up:    {"name":"!"}',
        '  down:  {"name":"!"}',
    ]


def test_round_trip_can_fail_where_the_way_down_is_refused() -> None:
    def refuse(_name: str) -> str:
        raise ValueError

    said = complaints(chain_of(convert("name", lambda name: name, refuse)), "round-trip")
    assert "down:  FunctionFailed: test_round_trip" in said["round-trip"]


def only_short(name: str) -> str:
    if len(name) > 1:
        raise ValueError
    return name


def test_round_trip_leaves_out_events_of_which_only_the_meaning_would_come_back_and_that_are_refused() -> None:
    chain = chain_of(convert("name", lambda name: name, only_short, exact=False))
    (law,) = [law for law in laws(chain, examples=25) if law.name == "round-trip"]
    assert 0 < law.check() < 25


@pytest.mark.parametrize("back", [lambda name: name, only_short], ids=["another value", "refused"])
def test_round_trip_can_fail_where_one_part_is_said_to_be_exact(back: Any) -> None:
    rounded = convert("size", lambda size: size, lambda size: size, exact=False)
    said = complaints(
        chain_of(default("size", 1), rounded, convert("name", lambda name: name + "!!", back)), "round-trip"
    )
    assert "says of one part that it can be undone exactly: convert name with" in said["round-trip"]


def test_stamped_can_fail() -> None:
    """The shape of what comes out speaks against the version in its header."""
    rules = Detection(version=(FromHeader("v"), FromShape()))
    step = Step("thing", 1, 2, [add("made", 1)], shape=present("other"))
    chain = Chain([step], [Baseline("thing", 1, shape=anything())], detection=rules)
    said = complaints(chain, "stamped", examples=200)
    assert "stamped: thing to 2: what comes out is not taken for what it is now" in said["stamped"]


def test_drawn_events_are_the_same_each_time() -> None:
    chain = chain_of(add("made", 1))
    first, again = (Inputs(chain, []).drawn("thing", "1", chain.detection, 20) for _ in range(2))
    assert first == again
    assert len({event.value for event in first}) > 5


@dataclass(frozen=True)
class Growing(Convert):
    """Says that its way back keeps the meaning, which it does not."""

    def inverse(self) -> Inverse:
        return Inverse((), Reversibility.EQUIVALENT, "so it says")


def test_round_trip_can_fail_where_only_the_meaning_comes_back() -> None:
    said = complaints(chain_of(Growing(("name",), lambda name: name + "!")), "round-trip")
    assert "step thing:1->2 gives another event the second time up" in said["round-trip"]


def test_round_trip_can_fail_where_what_comes_back_fits_no_older_model() -> None:
    said = complaints(chain_of(drop("name", restore=None)), "round-trip")
    assert "step thing:1->2 goes back to an event that the older model refuses" in said["round-trip"]


def test_tombstones_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    passage = Passage("thing", "1", "2", 1)
    chain = chain_of(add("made", 1))

    def kept(_: Upcaster, event: Event, source: object = None) -> Any:
        return Passed(passage, "tombstone") if event.value is None else Upcast(passage, None)

    monkeypatch.setattr(Upcaster, "upcast", lambda *_: Upcast(passage, b"{}"))
    assert "a tombstone does not pass as it is" in complaints(chain, "tombstones")["tombstones"]
    monkeypatch.setattr(Upcaster, "upcast", kept)
    assert "a value became a tombstone" in complaints(chain, "tombstones")["tombstones"]


def test_golden_can_fail(tmp_path: Path) -> None:
    folder = tmp_path / "thing" / "1-to-2"
    folder.mkdir(parents=True)
    (folder / "a.before.json").write_text('{"name":"a"}')
    (folder / "a.after.json").write_text("{}")
    assert "not what a.after.json says" in complaints(chain_of(add("made", 1)), "golden", golden=tmp_path)["golden"]
    (folder / "b.json").write_text("{}")
    assert "the name does not end in" in complaints(chain_of(add("made", 1)), "golden", golden=tmp_path)["golden"]


@pytest.mark.long
def test_a_law_that_could_be_tried_on_nothing_does_not_pass(tmp_path: Path) -> None:
    def only_this(name: str) -> str:
        return {"one in a million": "yes"}[name]

    chain = chain_of(convert("name", only_this, lambda _: "one in a million"), model=One)
    said = complaints(chain)
    assert sorted(said) == ["deterministic", "no-shared-state", "round-trip", "valid-output"]
    assert "it could not be tried on any event, so it says nothing; add a golden pair" in said["round-trip"]
    assert "FunctionFailed" in said["valid-output"]
    folder = tmp_path / "thing" / "1-to-2"
    folder.mkdir(parents=True)
    (folder / "a.before.json").write_text('{"name":"one in a million"}')
    (folder / "a.after.json").write_text('{"name":"yes"}')
    assert complaints(chain, golden=tmp_path) == {}


def test_a_flaky_law_is_reported_like_any_other() -> None:
    turns = itertools.count()

    def moody(name: str) -> str:
        return name if next(turns) % 7 else name + "?"

    assert "two outcomes" in complaints(chain_of(derive("made", ["name"], moody)), "deterministic")["deterministic"]


def test_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise KeyError

    monkeypatch.setattr(Upcaster, "upcast", crash)
    with pytest.raises(KeyError):
        laws(chain_of(add("made", 1)))[0].check()


# Events are made to get through: operations, conditions and rules say what they look for.

RULES = {
    "header": Detection((Always("thing"),), (FromHeader("v"),)),
    "field": Detection((FromField("type"),), (FromField("meta.v"),)),
    "CloudEvents": Detection((FromCloudEvents("type"),), (FromCloudEvents("dataschema", r"^https://a\.b/v([^/]+)$"),)),
    "none": Detection(),
}


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES.keys())
def test_chains_with_all_kinds_of_rules_keep_the_laws(rules: Detection) -> None:
    steps = [
        Step("thing", 1, 2, [rename("name", "title"), header_to_field("trace", "trace", missing="skip")]),
        Step("thing", 2, 3, [rename_type("object"), rename_header("a", "b", missing="skip")]),
        Step("object", 3, 4, [split_each("parts", "part", item="part")], lossy="a test", preview=True),
    ]
    bases = [Baseline("thing", 1, model=One), Baseline("part", 4)]
    assert complaints(Chain(steps, bases, detection=rules), examples=10) == {}


def test_events_of_every_version_get_through() -> None:
    """A law that only ever sees dead letters would hold of anything."""
    chain = Chain(
        [Step("thing", 1, 2, [rename("name", "title")]), Step("thing", 2, 3, [rename("title", "name")])],
        [Baseline("thing", 1, model=One)],
        detection=RULES["CloudEvents"],
    )
    seen = set()
    true_upcast = Upcaster.upcast

    def watched(self: Upcaster, event: Event, source: Any = None) -> Any:
        outcome = true_upcast(self, event, source)
        if not isinstance(outcome, DeadLettered):
            seen.add((outcome.passage.from_version, b'"specversion"' in (event.value or b"")))
        return outcome

    Upcaster.upcast = watched  # type: ignore[method-assign, assignment]  # watched, and given back below
    try:
        for law in laws(chain, examples=25):
            law.check()
    finally:
        Upcaster.upcast = true_upcast  # type: ignore[method-assign]  # watched, and given back below
    assert {("1", True), ("1", False), ("2", True), ("2", False)} <= seen


def renaming(many: int) -> Chain:
    """As many steps that rename five fields each."""
    steps = [
        Step("t", at, at + 1, [rename_many("a", {f"x{at}_{k}": f"y{at}_{k}" for k in range(5)}, missing="skip")])
        for at in range(many)
    ]
    return Chain(steps, [Baseline("t", 0)], detection=Detection((Always("t"),), (FromField("v"),)))


@pytest.mark.long
def test_laws_have_a_budget_however_long_the_chain_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def draw(_: Any, examples: int) -> list[Event]:
        asked.append(examples)
        return []

    monkeypatch.setattr(trials, "drawn", draw)
    monkeypatch.setattr(_Trial, "_run", lambda _trial, _inputs, _check, examples: asked.append(examples))
    for many in (2, 40, 200):
        budget = 0
        for law in laws(renaming(many)):
            asked.clear()
            with pytest.raises(LawNotTried):
                law.check()
            assert asked
            assert max(asked) <= 200
            budget += sum(asked)
        assert budget <= 2 * 5 * 200 + max(1_000, many * 15)  # routes up and down with five laws each, and hops


def test_made_up_documents_hold_no_more_where_a_chain_reads_more() -> None:
    chain = renaming(60)
    made = Inputs(chain, []).valid("t", "0", chain.detection)
    sizes: list[int] = []

    @settings(max_examples=30, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(made)
    def draw(event: Event) -> None:
        sizes.append(len(json.loads(event.value or b"").get("a") or ()))

    draw()
    assert 0 < max(sizes) <= MOST_PATHS + 2  # and a few unknown ones


def test_a_field_that_cannot_be_set_is_left_alone() -> None:
    document = {"meta": 1}
    stamp(RULES["field"], "thing", "2", document)
    assert document == {"meta": 1, "type": "thing"}


def test_a_model_that_no_event_fits_is_reported() -> None:
    class Never(BaseModel):
        name: Annotated[str, AfterValidator(lambda _: 1 // 0)]

    chain = Chain([Step("thing", 1, 2, [add("made", 1)])], [Baseline("thing", 1, model=Never, shape=anything())])
    assert "no event could be made up that fits the model" in complaints(chain, "round-trip")["round-trip"]


def test_a_pattern_that_is_hard_to_fill_in_is_left_alone() -> None:
    rules = Detection((Always("thing"),), (FromCloudEvents("v", r"(?:a|b)+(\d)"),))
    assert attributes_of(rules, "thing", "1") == {"v": "1"}
    assert headers_of(rules, "thing", "1") == [("ce_v", b"1")]


def test_a_law_that_no_event_gets_through_is_not_tried_also_of_one_version() -> None:
    told_by = Detection((FromField("kind", "^([xy])-[0-9]{7}$"),), (FromField("v"),))
    chain = Chain([Step("x", 1, 2, [add("made", 1)])], [Baseline("x", 1), Baseline("y", 1)], detection=told_by)
    of_one_version = {law.name: law for law in laws(chain, examples=5) if law.subject == "y to 1"}
    assert of_one_version.keys() == {"tombstones", "deterministic", "no-shared-state", "fused", "stamped"}
    assert of_one_version.pop("tombstones").check() == 5  # a null needs no type
    for law in of_one_version.values():
        with pytest.raises(LawNotTried, match=r"it could not be tried on any event.*\n *last event: the type or ver"):
            law.check()


def test_a_type_that_stands_inside_of_others_is_tried_as_what_it_is() -> None:
    steps = [
        Step("outer", 1, 2, [subdocument("part", "inner", version="2")], lossy="x"),
        Step("inner", 2, 3, [add("made", 1)]),
    ]
    chain = Chain(steps, [Baseline("outer", 1), Baseline("inner", 2)], detection=INSIDE)
    assert {law.check() > 0 for law in laws(chain, examples=10) if law.subject == "inner to 3"} == {True}


INSIDE = Detection((Always("outer"),), (FromField("v"),))


class Described(BaseModel):
    """Its type and version stand in one address."""

    model_config = ConfigDict(extra="allow")

    address: Annotated[str, Field(alias="schema", pattern="^iglu:a[.]b/thing/jsonschema/[0-9-]+$")]


IN_ONE_PLACE = {
    "a field": Detection((FromField("schema", r"^iglu:[^/]+/([^/]+)/"),), (FromField("schema", r"/jsonschema/(.+)$"),)),
    "a header": Detection((FromHeader("v", r"/vnd\.([a-z]+)\."),), (FromHeader("v", r"\.(.-.-.)\+json$"),)),
}


@pytest.mark.long
@pytest.mark.parametrize("rules", IN_ONE_PLACE.values(), ids=IN_ONE_PLACE.keys())
def test_a_type_and_a_version_in_one_text(rules: Detection) -> None:
    bases = [Baseline("thing", "1-0-0", model=Described), Baseline("other", "1-0-0")]
    steps = [Step("thing", "1-0-0", "1-0-1", [add("made", 1)], model=Described)]
    chain = Chain(steps, bases, detection=rules)
    for law in laws(chain, examples=20):
        if law.subject.startswith("thing"):
            law.check()
    document = {"schema": "iglu:a.b/thing/jsonschema/0-0-0"}
    stamp(IN_ONE_PLACE["a field"], "thing", "1-0-1", document)
    assert document == {"schema": "iglu:a.b/thing/jsonschema/1-0-1"}
    assert headers_of(IN_ONE_PLACE["a header"], "thing", "1-0-1") == [("v", b"/vnd.thing..1-0-1+json")]


@pytest.mark.long
def test_a_law_that_saw_no_event_of_any_version_says_nothing(tmp_path: Path) -> None:
    rules = Detection((Always("thing"),), (FromHeader("v", r"^(?:a|b)+(\d)$"),))
    chain = Chain([Step("thing", 1, 2, [add("made", 1)])], detection=rules)
    said = complaints(chain, "fused", examples=20)["fused"]
    assert "could not be tried on any event" in said
    assert "the type or version of no event could be told" in said
    folder = tmp_path / "thing" / "1-to-2"
    folder.mkdir(parents=True)
    (folder / "a.before.json").write_text("{}")
    (folder / "a.after.json").write_text('{"made":1}')
    (folder / "a.headers.json").write_text('{"v":"ab1"}')
    assert complaints(chain, "fused", golden=tmp_path, examples=20) == {}


def test_what_the_steps_compare_with_is_made_up_too() -> None:
    operations: Sequence[Operation] = [
        switch("kind", {"a": rename("x", "y"), 7: []}, otherwise=[]),
        at("items.*", when(~equals("state", "open") & (present("q") | equals("n", 1)), drop("n", missing="skip"))),
        everywhere(equals("deep", True), drop("deep")),
        map_values("colour", {"red": "rouge"}),
        rename_type(field="type", types={"t": "thing"}),
        derive("d", [header("h"), "name"], lambda *_: 1),
        DropHeader("gone", "skip"),
        first_of(["a", "b"], "b"),
        when(equals("name", "heartbeat"), drop_event()),
    ]
    hints = hints_of(chain_of(*operations, lossy="a test"))
    assert {name: values for name, values in hints.values.items() if values} == {
        "kind": ["a", 7],
        "state": ["open"],
        "n": [1],
        "deep": [True],
        "colour": ["red"],
        "type": ["t"],
        "name": ["heartbeat"],
    }
    assert hints.headers == {"h", "gone"}
    assert {"items", "n", "q"} <= hints.names


@pytest.mark.long
def test_texts_of_a_pattern_are_made_up_for_the_field_that_has_to_match_it() -> None:
    pattern = "^ord_[0-9]{4}$"
    hints = hints_of(chain_of(at("items.*", when(matches("id", pattern), add("order", 1))), lossy="a test"))
    assert hints.patterns == {"id": [pattern]}
    schema = {"type": "object", "properties": {"id": {}}, "required": ["id"]}
    found = find(documents_like(schema, hints), lambda made: re.search(pattern, str(made["id"])) is not None)
    assert found["id"].startswith("ord_")


def test_versions_without_a_model_are_made_up_from_what_is_read() -> None:
    step = Step("thing", 1, 2, [rename("a", "b"), at("list.*", rename("c", "d"))])
    assert complaints(Chain([step], [Baseline("thing", 1, shape=anything())])) == {}


class Inner(BaseModel):
    children: list[Inner] = []
    at: Annotated[str, Field(pattern="^[a-c]{2}$")]


class Every(BaseModel, extra="forbid"):
    text: Annotated[str, Field(min_length=2, max_length=3)]
    whole: Annotated[int, Field(ge=3, lt=9, multiple_of=3)]
    more: Annotated[int, Field(gt=100)]
    part: Annotated[float, Field(gt=0, le=1)]
    choice: Literal["a", "b"]
    constant: Literal["c"]
    inner: Inner | None
    table: dict[str, Inner]
    pair: tuple[int, str]
    some: Annotated[list[bool], Field(min_length=1, max_length=2)]
    either: int | str
    when: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    nothing: None
    anything: Any
    mixed: Annotated[Any, Field(json_schema_extra={"type": ["integer", "string"]})]
    unique: Annotated[list[int], Field(json_schema_extra={"uniqueItems": True})]


def test_documents_fit_the_model_that_they_are_made_from() -> None:
    validator = Validator(Every)

    @settings(max_examples=100, database=None, derandomize=True)
    @given(documents_of(Every, hints_of(chain_of(add("made", 1)))))
    def fits(document: Any) -> None:
        validator.check(write(document))

    fits()


# The pytest plugin.


BAD = """
from upcasters import *

chain = Chain(
    [Step("thing", 1, 2, [convert("name", lambda name: name + "!", lambda name: name)])],
    [Baseline("thing", 1, shape=anything())],
)
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "upcast_pytest",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore",
        *arguments,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.long
def test_pytest_collects_a_test_for_each_law(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(textwrap.dedent(BAD))
    result = run_pytest(tmp_path, "--upcast-chain", "bad:chain", "-v")
    assert result.returncode == 1
    assert "bad:chain::fused[thing to 2] PASSED" in result.stdout
    assert "bad:chain::round-trip[thing 1 to 2] FAILED" in result.stdout
    assert "round-trip: thing 1 to 2: step thing:1->2 says that it can be undone exactly" in result.stdout
    assert "Traceback" not in result.stdout
    assert "bad:chain::check[chain] PASSED" in result.stdout
    assert "2 passed, 8 deselected" in run_pytest(tmp_path, "--upcast-chain", "bad:chain", "-k", "fused", "-q").stdout


UNSOUND = """
from pydantic import BaseModel
from upcasters import *

class New(BaseModel):
    b: int

chain = Chain([Step("thing", 1, 2, [rename("a", "c")], model=New)], [Baseline("thing", 1)])
"""


@pytest.mark.long
def test_pytest_checks_the_chain_as_upcast_check_does(tmp_path: Path) -> None:
    (tmp_path / "unsound.py").write_text(UNSOUND)
    result = run_pytest(tmp_path, "--upcast-chain", "unsound:chain", "-k", "check[")
    assert result.returncode == 1
    assert "step thing:1->2: c comes out of the step" in result.stdout
    assert "Traceback" not in result.stdout


@pytest.mark.long
def test_pytest_refuses_a_chain_that_is_not_there(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, "--upcast-chain", "no_such:chain")
    assert result.returncode == 4
    assert "ERROR: chain no_such:chain cannot be imported" in result.stderr


@pytest.mark.long
def test_pytest_without_the_option_does_not_import_the_engine(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text(
        "import sys\n\ndef test_it(): assert not [name for name in sys.modules if name.startswith('upcasters')]\n"
    )
    assert "1 passed" in run_pytest(tmp_path, "-q").stdout


@pytest.mark.long
def test_what_goes_wrong_inside_a_law_is_shown_in_full(tmp_path: Path) -> None:
    text = BAD + "\nfrom upcasters import Upcaster\ndef crash(*_): raise KeyError('crashed')\nUpcaster.upcast = crash\n"
    (tmp_path / "bad.py").write_text(text)
    assert "KeyError: 'crashed'" in run_pytest(tmp_path, "--upcast-chain", "bad:chain").stdout


def test_a_law_has_an_id() -> None:
    assert Law("fused", "thing to 2", lambda: 1).id == "fused[thing to 2]"


def test_events_are_made_up_of_what_conditions_name() -> None:
    asked = [
        when(one_of("a", ["x", 1]), drop("p", missing="skip")),
        when(starts_with("b", "cus_"), drop("p", missing="skip")),
        when(between("c", at_least=3, below=9), drop("p", missing="skip")),
        everywhere(present("d"), drop("p", missing="skip"), stop_where=equals("e", "end")),
    ]
    values = hints_of(chain_of(*asked, lossy="a test")).values
    assert {name: set(values[name]) for name in "abce"} == {
        "a": {"x", 1},
        "b": {"cus_1"},
        "c": {3, 9},
        "e": {"end"},
    }


def test_what_is_drawn_does_not_depend_on_what_was_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> list[str]:
        found: list[str] = []

        @settings(derandomize=True, database=None, max_examples=500)
        @given(st.text())
        def draw(text: str) -> None:
            found.append(text)

        with of_no_module():
            draw()
        return found

    before = drawn()
    constants = "\n".join(f"C{number} = 'constant {number}'" for number in range(300))
    (tmp_path / "module_with_constants.py").write_text(constants)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("module_with_constants")
    after = drawn()
    assert after == before
    assert not any(text.startswith("constant") for text in after)


@pytest.mark.parametrize(("law", "module"), [("fused", "draws"), ("round-trip", "trials")])
def test_laws_draw_nothing_of_modules(law: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[bool] = []

    @contextlib.contextmanager
    def recorded() -> Iterator[None]:
        entered.append(True)
        with of_no_module():
            yield

    monkeypatch.setattr(f"upcasters.testing.{module}.of_no_module", recorded)
    next(one for one in laws(chain_of(rename("name", "title"))) if one.name == law).check()
    assert entered


def test_what_breaks_a_law_is_looked_for_once_more_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    right = _Trial._run

    def run(trial: _Trial, inputs: Any, check: Any, examples: int) -> None:
        tried.append(examples)
        right(trial, inputs, check, examples)

    monkeypatch.setattr(_Trial, "_run", run)
    monkeypatch.setattr(Upcaster, "upcast", lambda *_: Upcast(Passage("thing", "1", "2", 1), b'{"made":2}'))
    complaints(chain_of(add("made", 1)), "fused")
    assert tried == [50, 50], "for each of the two ways, as many as were drawn"


def test_constants_of_modules_are_drawn_where_hypothesis_has_no_place_to_turn_them_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(providers, "CONSTANTS_CACHE")
    with of_no_module():
        assert not providers._get_local_constants().integers
    monkeypatch.delattr(providers, "_get_local_constants")
    with of_no_module():
        pass


def test_a_chain_that_says_nowhere_of_which_version_an_event_is_is_tried_as_its_oldest() -> None:
    shapes = Detection((Always("t"),), (FromShape(),))
    chain = Chain([Step("t", 1, 2, [rename("a", "b")])], [Baseline("t", 1)], detection=shapes)
    assert {route.target for route in routes(chain)} == {"1", "2"}


def test_a_law_that_a_golden_pair_alone_breaks_is_told_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Trial, "_run", lambda *_: None)
    monkeypatch.setattr(Upcaster, "upcast", lambda *_: Upcast(Passage("thing", "1", "2", 1), b'{"made":2}'))
    assert complaints(chain_of(add("made", 1)), "fused")
