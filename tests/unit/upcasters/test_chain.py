"""The map: which way leads where, what is current, and how each way is told when it is asked for wrongly."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel, create_model

from upcasters import (
    Always,
    Baseline,
    Chain,
    ChainError,
    DeadLettered,
    Detection,
    Event,
    FromField,
    FromHeader,
    Passed,
    Policy,
    Reversibility,
    Skipped,
    SourcePartition,
    Step,
    Upcast,
    Version,
    add,
    anything,
    default,
    drop,
    drop_event,
    equals,
    present,
    rename,
    rename_type,
    split_each,
    split_event,
    when,
)
from upcasters.checks import model_problems
from upcasters.errors import Irreversible
from upcasters.outcome import Passage
from upcasters.step import Hop
from upcasters.version_graph import order_steps

SOURCE = SourcePartition("topic", 0)
BY_FIELD = Detection((FromField("type"),), (FromField("v"),))


class Model(BaseModel):
    a: int = 0


def steps(event_type: str, *versions: Any, **options: Any) -> list[Step]:
    """Steps from each version to the next; each adds a field named after its target."""
    return [
        Step(event_type, source, target, [add(f"to_{target}", 1)], **options)
        for source, target in itertools.pairwise(versions)
    ]


def way(hops: tuple[Hop, ...]) -> list[str]:
    return [f"{'-' if hop.down else ''}{hop.id}" for hop in hops]


def brought(chain: Chain, value: bytes, targets: Mapping[str, str] | None = None) -> bytes:
    """The value that an event goes to."""
    upcaster = chain.upcaster(Policy(target=targets or {}))
    outcome = upcaster.upcast(Event(value))
    assert outcome == upcaster.reference.upcast(Event(value))
    assert isinstance(outcome, Upcast), outcome
    assert outcome.value is not None
    return outcome.value


PLAIN = Chain(steps("t", 1, 2, 3), [Baseline("t", 1)])


def test_one_way_up_from_each_version() -> None:
    assert way(PLAIN.path(("t", "1"))) == ["t:1->2", "t:2->3"]
    assert way(PLAIN.path(("t", "2"))) == ["t:2->3"]
    assert way(PLAIN.path(("t", "3"))) == []
    assert PLAIN.types == {"t": ("1", "2", "3")}
    assert (PLAIN.newest("t"), PLAIN.current("t")) == ("3", "3")
    with pytest.raises(KeyError):
        PLAIN.path(("t", "4"))


@pytest.mark.parametrize(
    "versions",
    [("1.0", "1.1", "2.0"), (7, 8, 9), ("2024-06-01", "2023-01-01", "b"), (None, "1", "rc-1"), ("é", "", "x")],
)
def test_any_scheme_of_versions(versions: tuple[Any, ...]) -> None:
    chain = Chain(steps("t", *versions), [Baseline("t", versions[0])])
    texts = tuple("" if version is None else str(version) for version in versions)
    assert chain.types == {"t": texts}
    assert len(chain.path(("t", texts[0]))) == 2
    assert chain.path(("t", texts[1]), {"t": texts[0]})[0].down


def test_up_to_a_pin_and_down_to_it() -> None:
    assert way(PLAIN.path(("t", "1"), {"t": "2"})) == ["t:1->2"]
    assert way(PLAIN.path(("t", "2"), {"t": "2"})) == []
    assert way(PLAIN.path(("t", "3"), {"t": "1"})) == ["-t:2->3", "-t:1->2"]
    pinned = Chain(PLAIN.steps, PLAIN.baselines, current={"t": 2})
    assert (pinned.current("t"), pinned.newest("t")) == ("2", "3")
    assert way(pinned.path(("t", "3"))) == ["-t:2->3"]
    assert way(pinned.path(("t", "1"), {"t": "3"})) == ["t:1->2", "t:2->3"]


def test_a_pin_to_no_version_is_a_pin() -> None:
    chain = Chain(steps("t", None, 1), [Baseline("t", None)])
    assert way(chain.path(("t", "1"), {"t": ""})) == ["-t:->1"]
    assert way(Chain(chain.steps, chain.baselines, current={"t": None}).path(("t", "1"))) == ["-t:->1"]


def test_a_preview_is_not_current_but_may_be_asked_for() -> None:
    chain = Chain([*steps("t", 1, 2), *steps("t", 2, 3, 4, preview=True)], [Baseline("t", 1)])
    assert (chain.current("t"), chain.newest("t")) == ("2", "4")
    assert way(chain.path(("t", "1"))) == ["t:1->2"]
    assert way(chain.path(("t", "1"), {"t": "3"})) == ["t:1->2", "t:2->3"]
    assert way(chain.path(("t", "4"))) == ["-t:3->4", "-t:2->3"]
    assert way(chain.path(("t", "4"), {"t": "4"})) == []


def test_what_is_old_where_events_leave_their_type() -> None:
    steps = [
        Step("a", "0", "1", []),
        Step("a", "1", "1", [rename_type("b")]),
        Step("b", "1", "2", []),
        Step("b", "2", "3", [], preview=True),
    ]
    chain = Chain(steps, [Baseline("a", "0")])
    assert (chain.older("a"), chain.older("b")) == (("0", "1"), ("1",))
    assert (chain.older("a", "1"), chain.older("b", "3"), chain.older("b", "9")) == (
        ("0",),
        ("1", "2"),
        ("1", "2", "3"),
    )
    assert Chain(steps, [Baseline("a", "0")], current={"a": "1"}).older("a") == ("0",)


def test_nothing_but_previews_leaves_the_first_current() -> None:
    chain = Chain(steps("t", 1, 2, preview=True), [Baseline("t", 1)])
    assert chain.current("t") == "1"


def test_a_renamed_type_goes_on_under_its_new_name() -> None:
    renamed = Step("old", 2, 3, [rename_type("new")])
    chain = Chain([*steps("old", 1, 2), renamed, *steps("new", 3, 4)], [Baseline("old", 1)])
    assert way(chain.path(("old", "1"))) == ["old:1->2", "old:2->3", "new:3->4"]
    assert way(chain.path(("old", "1"), {"new": "3"})) == ["old:1->2", "old:2->3"]
    assert way(chain.path(("old", "1"), {"old": "2"})) == ["old:1->2"]
    assert (chain.current("old"), chain.current("new")) == ("3", "4")
    with pytest.raises(Irreversible, match=r"no way from new 4 to 1"):
        chain.path(("new", "4"), {"new": "1"})


def test_a_renamed_type_comes_down_under_its_old_name() -> None:
    renamed = Step("old", 2, 3, [rename("a", "b"), rename_type("new")])
    chain = Chain([*steps("old", 1, 2), renamed, *steps("new", 3, 4)], [Baseline("old", 1)], detection=BY_FIELD)
    down = chain.path(("new", "4"), {"old": "1"})
    assert way(down) == ["-new:3->4", "-old:2->3", "-old:1->2"]
    assert [hop.source for hop in down] == [("new", "4"), ("new", "3"), ("old", "2")]
    assert way(chain.path(("new", "3"), {"old": "2"})) == ["-old:2->3"]
    assert way(chain.path(("new", "3"), {"old": "2", "new": "4"})) == ["new:3->4"]
    assert way(Chain(chain.steps, chain.baselines, current={"old": 2}).path(("new", "4")))[-1] == "-old:2->3"
    newer = brought(chain, b'{"type":"old","v":1,"a":1.10}')
    assert newer == b'{"type":"new","v":4,"b":1.10,"to_2":1,"to_4":1}'
    assert brought(chain, newer, {"old": "1"}) == b'{"type":"old","v":1,"a":1.10}'
    assert brought(chain, newer, {"new": "3"}) == b'{"type":"new","v":3,"b":1.10,"to_2":1}'


def test_what_several_types_became_comes_down_to_none_of_them() -> None:
    merged = [Step("a", 1, 9, [rename_type("c")]), Step("b", 1, 9, [rename_type("c")]), *steps("c", 9, 10)]
    chain = Chain(merged, [Baseline("a", 1), Baseline("b", 1)], detection=BY_FIELD)
    assert way(chain.path(("c", "10"), {"a": "1"})) == []
    with pytest.raises(ChainError, match=r"c 9 is above the target a 1.*Name a target for c as well\.") as caught:
        chain.upcaster(Policy(target={"a": "1"}))
    assert {problem.code for problem in caught.value.problems} == {"target"}
    assert brought(chain, b'{"type":"c","v":10,"to_10":1}', {"a": "1", "c": "9"}) == b'{"type":"c","v":9}'
    forked = [
        Step("t", 1, 2, [rename_type(field="kind", types={"x": "x", "y": "y"})]),
        *(Step(name, 2, 3, [rename_type("t")]) for name in "xy"),
    ]
    fork = Chain(forked, [Baseline("t", 1)], detection=BY_FIELD)
    outcome = fork.upcaster(Policy(target={"t": "1", "x": "2", "y": "2"})).upcast(
        Event(b'{"type":"t","v":3,"kind":"x"}')
    )
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.error_type == "Irreversible"
    assert outcome.fault.message == "t 3 comes from x 2 and y 2, and from which is not known afterwards"


def test_two_types_may_become_one() -> None:
    chain = Chain(
        [Step("a", 1, 9, [rename_type("c")]), Step("b", 1, 9, [rename_type("c")]), *steps("c", 9, 10)],
        [Baseline("a", 1), Baseline("b", 1)],
        detection=BY_FIELD,
    )
    assert way(chain.path(("a", "1"))) == ["a:1->9", "c:9->10"]
    assert way(chain.path(("b", "1"))) == ["b:1->9", "c:9->10"]
    for event_type in ("a", "b"):
        outcome = chain.upcaster().upcast(Event(b'{"type":"%s","v":1}' % event_type.encode()))
        assert isinstance(outcome, Upcast)
        assert outcome.value == b'{"type":"c","v":10,"to_10":1}'
        assert outcome.passage == Passage(event_type, "1", "10", 2)


FORK = Chain(
    [
        *steps("t", 1, 2),
        Step("t", 2, 3, [rename_type(field="kind", types={"x": "x", "y": "y", "z": "t"})]),
        *steps("t", 3, 4),
        *steps("x", 3, 4, 5),
    ],
    [Baseline("t", 1), Baseline("y", 3)],
    detection=BY_FIELD,
)


def test_where_the_event_decides_the_way_ends_and_goes_on() -> None:
    assert way(FORK.path(("t", "1"))) == ["t:1->2", "t:2->3"]
    assert FORK.hops["t", "2"].forks
    assert set(FORK.hops["t", "2"].ends) == {("x", "3"), ("y", "3"), ("t", "3")}
    upcaster = FORK.upcaster()
    for kind, event_type, version in (("x", "x", 5), ("y", "y", 3), ("z", "t", 4)):
        event = Event(b'{"type":"t","v":1,"kind":"%s"}' % kind.encode())
        outcome = upcaster.upcast(event)
        assert outcome == upcaster.reference.upcast(event)
        assert isinstance(outcome, Upcast)
        assert outcome.value is not None
        assert outcome.value.startswith(b'{"type":"%s","v":%d,' % (event_type.encode(), version))


def test_a_condition_may_decide_the_type() -> None:
    chain = Chain(
        [Step("t", 1, 2, [when(present("x"), rename_type("x"))]), *steps("x", 2, 3)],
        [Baseline("t", 1)],
        detection=BY_FIELD,
    )
    upcaster = chain.upcaster()
    assert chain.current("t") == "2"
    for value, expected in (
        (b'{"type":"t","v":1}', b'{"type":"t","v":2}'),
        (b'{"type":"t","v":1,"x":1}', b'{"type":"x","v":3,"x":1,"to_3":1}'),
    ):
        outcome = upcaster.upcast(Event(value))
        assert outcome == upcaster.reference.upcast(Event(value))
        assert isinstance(outcome, Upcast)
        assert outcome.value == expected


@pytest.mark.parametrize(("kind", "event_type", "version"), [("x", "x", "5"), ("y", "y", "3"), ("z", "t", "4")])
def test_down_over_a_fork(kind: str, event_type: str, version: str) -> None:
    first = b'{"type":"t","v":1,"kind":"%s"}' % kind.encode()
    newer = brought(FORK, first)
    assert FORK.path((event_type, version), {"t": "1"})[-1].target == ("t", "1")
    assert brought(FORK, newer, {"t": "1"}) == first
    outcome = FORK.upcaster(Policy(target={"t": "1"})).upcast(Event(newer.replace(b'"kind":"', b'"kind":"q')))
    assert isinstance(outcome, DeadLettered)
    assert (outcome.fault.error_type, outcome.fault.path) == ("UnmappedValue", "kind")


def test_children_of_a_split_stay_what_they_are() -> None:
    chain = Chain(
        [Step("t", 1, 2, [split_each("items", "c", item="item")], lossy="split")],
        [Baseline("t", 1)],
        detection=BY_FIELD,
    )
    assert way(chain.path(("c", "2"), {"t": "1"})) == []
    outcome = chain.upcaster(Policy(target={"t": "1"})).upcast(Event(b'{"type":"c","v":2,"item":1}'))
    assert isinstance(outcome, Passed)
    own = Chain(
        [Step("t", 1, 2, [split_each("items", "t", item="item")], lossy="split")],
        [Baseline("t", 1)],
        detection=BY_FIELD,
    )
    outcome = own.upcaster(Policy(target={"t": "1"})).upcast(Event(b'{"type":"t","v":2,"item":1}'))
    assert isinstance(outcome, DeadLettered)
    assert "one event of several cannot be put together again" in outcome.fault.message


def test_down_over_a_lossy_step_there_is_no_way() -> None:
    chain = Chain(
        [*steps("t", 1, 2), Step("t", 2, 3, [drop("a")], lossy="nobody reads it"), *steps("t", 3, 4)],
        [Baseline("t", 1)],
        detection=BY_FIELD,
    )
    path = chain.path(("t", "4"), {"t": "1"})
    lossy = chain.irreversible(path)
    assert lossy is not None
    assert lossy.id == "t:2->3"
    assert chain.irreversible(path[:1]) is None
    assert chain.irreversible(chain.path(("t", "1"))) is None
    assert path[1].ends == (("t", "2"),)
    assert [step.reversibility for step in chain.steps] == [
        Reversibility.EXACT,
        Reversibility.LOSSY,
        Reversibility.EXACT,
    ]
    assert not path[1].forks
    assert not path[1].may_drop
    outcome = chain.upcaster(Policy(target={"t": "1"})).upcast(Event(b'{"type":"t","v":4}'))
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.message == "step t:2->3 cannot be undone: a is dropped"


def after(name: str, before: str = "") -> Step:
    return Step("t", 1, 2, [add(name, 1)], id=name, after=before)


def test_several_steps_make_one_hop_in_their_order() -> None:
    chain = Chain([after("c", "b"), after("a"), after("b", "a")], [Baseline("t", 1)], detection=BY_FIELD)
    (hop,) = chain.path(("t", "1"))
    assert hop.id == "a+b+c"
    event = Event(b'{"type":"t","v":1}')
    up = chain.upcaster().upcast(event)
    assert isinstance(up, Upcast)
    assert up.value == b'{"type":"t","v":2,"a":1,"b":1,"c":1}'
    down = chain.upcaster(Policy(target={"t": "1"})).upcast(Event(up.value))
    assert isinstance(down, Upcast)
    assert down.value == event.value
    assert hop.inverse().operations == hop.reversed().operations
    assert [step.id for step in order_steps([after("b", "a"), after("a", "b")])] == ["b", "a"]


def test_what_is_known_of_a_version() -> None:
    chain = Chain(
        [Step("t", 1, 2, model=Model, looks_like=[1], file="a.py", id="s"), *steps("t", 2, 3)],
        [Baseline("t", 1, shape=anything(), id="b", file="b.py", looks_like=[2])],
    )
    assert chain.versions == {
        ("t", "1"): Version("t", "1", None, anything(), ("2",), "b.py", "b"),
        ("t", "2"): Version("t", "2", Model, None, ("1",), "a.py", "s"),
        ("t", "3"): Version("t", "3", step="t:2->3"),
    }


def test_the_newest_version_is_one_at_which_events_end() -> None:
    leaving = Chain(
        [Step("a", 1, 2, [rename_type("c")]), Step("b", 1, 2, [rename_type("c")]), *steps("c", 2, 3)],
        [Baseline("a", 1), Baseline("b", 1)],
    )
    assert {event_type: leaving.newest(event_type) for event_type in leaving.types} == {"a": None, "b": None, "c": "3"}
    assert (leaving.resting("a"), leaving.current("a"), leaving.resting("c")) == (None, "2", "3")
    assert leaving.is_newer("a", "2")
    previewed = Chain([*steps("t", 1, 2), Step("t", 2, 3, [rename_type("u")], preview=True)], [Baseline("t", 1)])
    assert previewed.newest("t") == previewed.current("t") == "2"
    assert not leaving.is_newer("a", "0.9")


def test_the_newest_version_where_an_older_one_leaves_the_type() -> None:
    forked = Chain(
        [*steps("t", 2, 3), Step("t", 1, 7, [rename_type("other")])],
        [Baseline("t", 2), Baseline("t", 1)],
    )
    assert (forked.newest("t"), forked.current("t"), forked.resting("t")) == ("3", "3", "3")
    assert not forked.is_newer("t", "2.5")


@pytest.mark.parametrize(
    ("newest", "asked", "is_newer"),
    [
        ("2", "10", True),
        ("2", "1", False),
        ("2", "2.0", False),
        ("v2", "v3", True),
        ("2.0", "1.9.9", False),
        ("2024-06-01", "2024-10-01", True),
        ("2024-06-01", "2024-05-31", False),
        ("2", "next", False),
        ("beta", "1", False),
        ("2", "1" * 40, True),
        ("2", "", False),
    ],
)
def test_newer_than_the_newest(newest: str, asked: str, is_newer: bool) -> None:
    chain = Chain(steps("t", 0, newest), [Baseline("t", 0)])
    assert chain.is_newer("t", asked) is is_newer


def test_a_chain_is_equal_to_itself_alone() -> None:
    other = Chain(PLAIN.steps, PLAIN.baselines)
    assert PLAIN == PLAIN  # noqa: PLR0124  # that is the question
    assert other != PLAIN
    assert len({PLAIN, other, PLAIN}) == 2


def test_a_wrong_chain_tells_everything_that_is_wrong() -> None:
    with pytest.raises(ChainError) as caught:
        Chain([*steps("t", 1, 2), *steps("t", 3, 4), Step("u", 1, 2, [drop("a")])], current={"t": 9})
    codes = {problem.code for problem in caught.value.problems}
    assert {"two-newest", "undeclared-loss", "unknown-current"} <= codes
    assert "t:1->2" in str(caught.value)


# Splits

SPLIT = Chain(
    [
        Step("order", 1, 2, [split_each("lines", into="line", item="line", version="1", id="id")], lossy="split"),
        Step("line", 1, 2, [split_each("line", into="part", item="part", version="7", id="id2")], lossy="split"),
        *steps("part", 7, 8),
    ],
    [Baseline("order", 1), Baseline("line", 1), Baseline("part", 7)],
    detection=Detection((FromHeader("type"),), (FromHeader("v"),)),
)


def test_children_go_on_by_themselves_with_ids_from_the_coordinates() -> None:
    event = Event(b'{"lines":[["a","b"],[],["c"]]}', None, [("type", b"order"), ("v", b"1")], offset=5)
    upcaster = SPLIT.upcaster()
    outcome = upcaster.upcast(event, SOURCE)
    assert outcome == upcaster.reference.upcast(event, SOURCE)
    assert isinstance(outcome, Upcast)
    assert [record.value for record in outcome.output(event)] == [
        b'{"id":"topic/0/5/0","id2":"topic/0/5/0/0","part":"a","to_8":1}',
        b'{"id":"topic/0/5/0","id2":"topic/0/5/0/1","part":"b","to_8":1}',
        b'{"id":"topic/0/5/2","id2":"topic/0/5/2/0","part":"c","to_8":1}',
    ]
    assert {tuple(record.headers) for record in outcome.output(event)} == {(("type", b"part"), ("v", b"8"))}
    assert upcaster.upcast(Event(b'{"lines":[]}', None, event.headers, offset=5), SOURCE) == Skipped(
        Passage("order", "1", "2", 1), "dropped"
    )


@pytest.mark.parametrize("source", [SOURCE, None])
def test_without_coordinates_a_split_is_refused(source: SourcePartition | None) -> None:
    event = Event(b'{"lines":[1]}', None, [("type", b"order"), ("v", b"1")], offset=None if source else 5)
    outcome = SPLIT.upcaster().upcast(event, source)
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.error_type == "NoCoordinates"


def test_the_hops_of_one_event_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upcasters.event_flow.MOST_HOPS", 4)
    event = Event(b'{"lines":[["a"],["b"]]}', None, [("type", b"order"), ("v", b"1")], offset=5)
    outcome = SPLIT.upcaster().upcast(event, SOURCE)
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.error_type == "TooManyHops"


def split_fault(lines: int, rest: int) -> str | None:
    value = b'{"lines":[%s],"rest":"%s"}' % (b",".join([b'["a"]'] * lines), b"x" * rest)
    event = Event(value, None, [("type", b"order"), ("v", b"1")], offset=5)
    outcome = SPLIT.upcaster().upcast(event, SOURCE)
    return outcome.fault.error_type if isinstance(outcome, DeadLettered) else None


def test_a_megabyte_does_not_become_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert split_fault(20_000, 20_000) == "TooLarge"
    assert split_fault(200, 20_000) is None
    monkeypatch.setattr("upcasters.event_flow.MOST_BYTES", 2_000)
    assert split_fault(1, 3_000) is None
    assert split_fault(2, 1_000) == "TooLarge"


def test_a_split_that_the_step_does_not_declare() -> None:
    def wrong(document: Any, _origin: str) -> Iterator[tuple[str, Any]]:
        yield "other", document

    chain = Chain(
        [Step("t", 1, 2, [split_event(wrong, ["t2"])], lossy="split")], [Baseline("t", 1)], detection=BY_FIELD
    )
    outcome = chain.upcaster().upcast(Event(b'{"type":"t","v":1}', offset=1), SOURCE)
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.error_type == "UnmappedValue"


def test_a_child_that_cannot_go_where_the_route_wants_it() -> None:
    targets: Mapping[str, str] = {"part": "7"}
    lossy = Chain(
        [
            Step("t", 1, 2, [split_each("parts", into="part", item="part", version="8")], lossy="split"),
            Step("part", 7, 8, [drop("x")], lossy="it is gone"),
        ],
        [Baseline("t", 1), Baseline("part", 7)],
        detection=BY_FIELD,
    )
    outcome = lossy.upcaster(Policy(target=targets)).upcast(Event(b'{"type":"t","v":1,"parts":[1]}', offset=1), SOURCE)
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.error_type == "Irreversible"


def test_a_dropped_event_takes_no_further_step() -> None:
    chain = Chain(
        [
            Step("t", 1, 2, [when(equals("kind", "beat"), drop_event()), add("a", 1)], lossy="beats are not kept"),
            Step("t", 2, 3, [rename("b", "c")]),
        ],
        [Baseline("t", 1)],
        detection=BY_FIELD,
    )
    upcaster = chain.upcaster()
    event = Event(b'{"type":"t","v":1,"kind":"beat"}')
    assert upcaster.upcast(event) == upcaster.reference.upcast(event)
    assert upcaster.upcast(event) == Skipped(Passage("t", "1", "3", 2), "dropped")
    assert len(upcaster.trace(event).hops) == 1


# A long history


def test_a_thousand_steps() -> None:
    chain = long_history(1_000)
    event = Event(b'{"f0":1}', None, [("v", b"0")])
    upcaster = chain.upcaster()
    outcome = upcaster.upcast(event)
    assert outcome == upcaster.reference.upcast(event)
    assert isinstance(outcome, Upcast)
    assert outcome.output(event)[0].value is not None
    assert outcome.passage.hops == 1_000
    assert not model_problems(chain)


def long_history(length: int) -> Chain:
    history = [
        Step("t", number, number + 1, [rename(f"f{number}", f"f{number + 1}"), default(f"d{number}", number)])
        for number in range(length)
    ]
    more = {f"f{length}": (int, ...), "d0": (int, ...), f"d{length - 1}": (int, ...)}
    first, last = create_model("First", f0=(int, ...)), create_model("Last", **more)  # type: ignore[call-overload]  # names are computed
    history[-1] = replace(history[-1], model=last)
    return Chain(history, [Baseline("t", 0, model=first)], detection=Detection((Always("t"),), (FromHeader("v"),)))


def built_again(chain: Chain) -> object:
    return Chain(chain.steps, chain.baselines, detection=chain.detection).upcaster()


@pytest.mark.parametrize("work", [built_again, model_problems], ids=["build", "check"])
def test_ten_times_the_steps_take_some_ten_times_as_long(work: Callable[[Chain], object]) -> None:
    short, long = long_history(80), long_history(800)
    ratios = []
    for _ in range(5):
        ratios.append(cpu_seconds(work, long) / cpu_seconds(work, short))
        if ratios[-1] < 20:
            return
    pytest.fail(f"ten times the steps take {min(ratios):.0f} times as long")


def cpu_seconds(work: Callable[[Chain], object], chain: Chain) -> float:
    started = time.process_time()
    work(chain)
    return time.process_time() - started


def best(chain: Chain, version: int) -> float:
    """CPU seconds for one event of a version, at its best."""
    upcaster = chain.upcaster()
    event = Event(b'{"f%d":1}' % version, None, [("v", b"%d" % version)])
    assert isinstance(upcaster.upcast(event), Upcast)
    times = []
    for _ in range(7):
        started = time.process_time()
        for _ in range(2_000):
            upcaster.upcast(event)
        times.append(time.process_time() - started)
    return min(times) / 2_000


def test_an_event_costs_as_much_as_its_own_hops() -> None:
    def history(length: int) -> Chain:
        made = [Step("t", number, number + 1, [rename(f"f{number}", f"f{number + 1}")]) for number in range(length)]
        return Chain(made, [Baseline("t", 0)], detection=Detection((Always("t"),), (FromHeader("v"),)))

    short, long = history(3), history(1_000)
    ratios = []
    for _ in range(5):
        ratios.append(best(long, 997) / best(short, 0))
        if ratios[-1] < 1.3:
            return
    pytest.fail(f"three hops of a thousand cost {min(ratios):.2f} times as much as three of three")
