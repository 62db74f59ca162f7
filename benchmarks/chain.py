"""`make bench WHAT=chain`: the pure middle against hand-written functions with orjson, in CPU time, as ratios.

The hand-written functions do what the steps do and no more: no UTF-8 check of what they do not look at, no error
that names a path, no byte kept.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar
from unittest.mock import patch

import orjson

from benchmarks import varied
from benchmarks.drain.events import pool as events_of_a_drain
from benchmarks.timing import ROUNDS, measure
from benchmarks.typical import CASES
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
    Upcaster,
    anything,
    default,
    load_chain,
    present,
    rename,
    switch,
)
from upcasters.native.extension import EXTENSION

T = TypeVar("T")

NEVER: dict[str, Any] = {"validate_target": "never", "validate_source": "never"}


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, against what, and what was asked for."""

    case: str
    microseconds: float
    against: str
    ratio: float
    at_most: float | None

    @property
    def met(self) -> bool:
        return self.at_most is None or self.ratio <= self.at_most


def document(extra_bytes: int) -> dict[str, Any]:
    """A ``task_context`` 1.1 of about 280 bytes and ``extra_bytes`` of fields that no step touches."""
    body: dict[str, Any] = {
        "metadata": {"taskId": "1.1.1", "projectId": "customer-123/project-abc", "branch": "main"},
        "nodes": {
            "select": {"status": "completed", "attempt": 1},
            "plan": {"status": "running", "attempt": 2},
        },
        "priority": 5,
        "owner": "someone@example.com",
        "tags": ["nightly", "a", "b"],
    }
    history: list[Any] = []
    while len(orjson.dumps(body)) < 280 + extra_bytes:
        number = len(history)
        step = {"status": "completed", "attempt": number, "duration_ms": 1234, "ok": True, "exit": {"code": 0}}
        history.append({**step, "artifacts": ["log.txt", "report.json"]})
        body["history"] = history
    return body


def hand_written(value: bytes) -> bytes:
    """``task_context`` 1.1 -> 2.0 as one would write it in an afternoon."""
    body = orjson.loads(value)
    metadata = body["metadata"]
    for old, new in (("taskId", "task_id"), ("projectId", "project_id"), ("repoPath", "repo_path")):
        if old in metadata:
            metadata[new] = metadata.pop(old)
    if metadata.get("branch") is None:
        metadata["branch"] = "main"
    if metadata.get("repo_path") is None:
        metadata["repo_path"] = "/workspace/repos/" + metadata["project_id"]
    nodes = body["nodes"]
    for name, node in nodes.items():
        nodes[name] = {SNAKE.get(key, key): child for key, child in node.items()}
    if "prep" not in nodes:
        select = nodes.get("select", {}).get("status")
        nodes["prep"] = {"status": "running" if select == "completed" else "pending"}
    return orjson.dumps(body)


SNAKE = {"startedAt": "started_at", "durationMs": "duration_ms"}


def three_fields(value: bytes) -> bytes:
    """Two renames and a default, by hand."""
    body = orjson.loads(value)
    metadata = body["metadata"]
    metadata["task_id"] = metadata.pop("taskId")
    metadata["project_id"] = metadata.pop("projectId")
    metadata.setdefault("repo_path", "/workspace")
    return orjson.dumps(body)


def three_fields_chain() -> Chain:
    operations = [
        rename("metadata.taskId", "task_id"),
        rename("metadata.projectId", "project_id"),
        default("metadata.repo_path", "/workspace"),
    ]
    shape = present("metadata.task_id")
    return Chain([Step("t", "1", "2", operations, shape=shape)], [Baseline("t", "1", shape=anything())])


def history(length: int, operations: Callable[[int], list[Operation]]) -> Chain:
    """One type with ``length`` hops; the version stands in a header."""
    steps = [Step("t", number, number + 1, operations(number)) for number in range(length)]
    return Chain(steps, detection=Detection((Always("t"),), (FromHeader("v"), Always("0"))))


def two_renames(number: int) -> list[Operation]:
    names = ("taskId", "task_id") if number % 2 == 0 else ("task_id", "taskId")
    return [rename(f"metadata.{names[0]}", names[1]), default(f"metadata.field_{number}", number)]


def by_signal(number: int) -> list[Operation]:
    """A switch on the same field in each hop, as in histories of telemetry."""
    cases = {
        kind: [rename(f"attributes.{kind}_{number}", f"new_{number}", missing="skip")]
        for kind in ("span", "metric", "log")
    }
    return [switch("signal", cases)]


def signal(kind: str) -> dict[str, Any]:
    attributes = {f"{kind}_{number}": "v" for number in (0, 7, 20, 41)}
    others = {f"other.{number}": number for number in range(30)}
    return {"signal": kind, "attributes": {**attributes, **others}, "resource": {"service": "s" * 150}}


def events(extra_bytes: int) -> tuple[Event, Event]:
    """A legacy event and the same at the target."""
    legacy = Event(orjson.dumps(document(extra_bytes)), offset=7)
    assert legacy.value is not None
    return legacy, Event(hand_written(legacy.value), offset=7)


def upcaster(**policy: Any) -> Upcaster:
    return load_chain("upcasters.devteam_runner:chain").upcaster(Policy(**{**NEVER, **policy}))


@contextmanager
def pure() -> Iterator[None]:
    """Routes that are made inside do without the native extension."""
    with patch("upcasters.short_cut.EXTENSION", None), patch("upcasters.validation.shapes.EXTENSION", None):
        yield


def natively(rounds: int = ROUNDS) -> list[Row]:
    """The native extension beside the pure path and functions by hand, on events that are alike and that are not."""
    if EXTENSION is None:
        return []
    rows: list[Row] = []
    values = {
        "alike": [made.value for made in events_of_a_drain(350, "legacy")],
        "varied": varied.pool(),
        "7 KB": [made.value for made in events_of_a_drain(7_000, "legacy")],
    }
    for name, most in (("alike", 0.35), ("varied", 0.35), ("7 KB", 0.48)):
        events = [Event(value) for value in values[name]]
        fast = upcaster()
        with pure():
            plain = upcaster()
        for event in (*events, *events):
            assert fast.upcast(event) == plain.upcast(event)
        share = _missed(fast, events)
        times = measure(
            {
                "native": _in_turn(events, fast.upcast),
                "pure": _in_turn(events, plain.upcast),
                "hand": _in_turn(values[name], hand_written),
            },
            rounds,
        )
        rows += [
            Row(f"natively, {name}", times["native"], "hand-written", times["native"] / times["hand"], most),
            Row(f"without the extension, {name}", times["pure"], "hand-written", times["pure"] / times["hand"], None),
            Row(f"natively, {name}", times["native"], "without", times["native"] / times["pure"], None),
            Row(f"left to Python, {name}", times["native"], "of all", share, 0.05),
        ]
    return rows


def _in_turn(given: Iterable[T], work: Callable[[T], object]) -> Callable[[], object]:
    """Does the work with the next of what is given, over and over."""
    turn = itertools.cycle(given)
    return lambda: work(next(turn))


def _missed(upcaster: Upcaster, events: list[Event]) -> float:
    """The share of events that the extension leaves to Python when it has seen them before."""
    before, _, _ = upcaster.natively()
    for event in events:
        upcaster.upcast(event)
    return 1 - (upcaster.natively()[0] - before) / len(events)


def sizes(rounds: int = ROUNDS) -> list[Row]:
    """Small and large events, changed and unchanged."""
    plain = upcaster()
    by_header = upcaster(detection=Detection(version=(FromHeader("v"),)))
    always, sampled = upcaster(validate_target="always"), upcaster(validate_target="sampled")
    three = three_fields_chain().upcaster(Policy(**NEVER))
    small, small_current = events(110)
    large, large_current = events(6_700)
    stamped = Event(small_current.value, headers=[("v", b"2.0")], offset=7)
    values = [event.value or b"" for event in (small, large, small_current, large_current)]
    for event, function, tried in (
        (small, hand_written, plain),
        (small, three_fields, three),
        (large, three_fields, three),
    ):
        made = tried.upcast(event)
        assert json.loads(made.value or b"") == json.loads(function(event.value or b"")), made  # type: ignore[union-attr]  # all are upcast
    times = measure(
        {
            "hand 400": lambda: three_fields(values[0]),
            "hand 7k": lambda: three_fields(values[1]),
            "hand devteam": lambda: hand_written(values[0]),
            "hop 400": lambda: three.upcast(small),
            "hop 7k": lambda: three.upcast(large),
            "devteam": lambda: plain.upcast(small),
            "devteam 7k": lambda: plain.upcast(large),
            "hand devteam 7k": lambda: hand_written(values[1]),
            "always": lambda: always.upcast(small),
            "sampled": lambda: sampled.upcast(small),
            "header": lambda: by_header.upcast(stamped),
            "shape 400": lambda: plain.upcast(small_current),
            "shape 7k": lambda: plain.upcast(large_current),
            "orjson 400": lambda: orjson.dumps(orjson.loads(values[2])),
            "orjson 7k": lambda: orjson.dumps(orjson.loads(values[3])),
        },
        rounds,
    )

    def ratio(case: str, mine: str, theirs: str, at_most: float, against: str) -> Row:
        return Row(case, times[mine], against, times[mine] / times[theirs], at_most)

    def added(case: str, mine: str, at_most: float) -> Row:
        return Row(case, times[mine], "adds, us", times[mine] - times["devteam"], at_most)

    hand = "hand-written"
    return [
        ratio(f"one hop, three fields, {len(values[0])} B", "hop 400", "hand 400", 1.1, hand),
        ratio(f"task_context 1.1 -> 2.0, {len(values[0])} B", "devteam", "hand devteam", 1.1, hand),
        ratio(f"one hop, three fields, {len(values[1])} B", "hop 7k", "hand 7k", 0.25, hand),
        ratio(f"task_context 1.1 -> 2.0, {len(values[1])} B", "devteam 7k", "hand devteam 7k", 0.25, hand),
        Row("at the target by its header", times["header"], "us", times["header"], 0.3),
        ratio(f"at the target by its shape, {len(values[2])} B", "shape 400", "orjson 400", 0.8, "loads + dumps"),
        ratio(f"at the target by its shape, {len(values[3])} B", "shape 7k", "orjson 7k", 0.25, "loads + dumps"),
        added("target validation always", "always", 3.0),
        added("target validation sampled, 1 %", "sampled", 0.1),
    ]


def typical() -> list[Row]:
    """Other people's chains; the issue asks for no figure of them, except of the plainest."""
    actions: dict[str, Callable[[], object]] = {}
    for case in CASES:
        value = case.event.value or b""
        actions[case.name] = case.upcast()
        actions[f"{case.name}, by hand"] = partial(case.hand_written, value)
    times = measure(actions)
    return [
        Row(case.name, times[case.name], "hand-written", times[case.name] / times[f"{case.name}, by hand"], None)
        for case in CASES
    ]


def depth(rounds: int = ROUNDS) -> list[Row]:
    """Ten hops against one, and against ten separate passes."""
    event = Event(orjson.dumps(document(110)), offset=7)
    one = history(1, two_renames).upcaster(Policy(**NEVER))
    ten = history(10, two_renames).upcaster(Policy(**NEVER))
    singles = [
        Chain(
            [Step("t", number, number + 1, two_renames(number))],
            detection=Detection((Always("t"),), (Always(str(number)),)),
        ).upcaster(Policy(**NEVER))
        for number in range(10)
    ]

    def separate() -> object:
        value = event.value
        for single in singles:
            value = single.upcast(Event(value)).new_value  # type: ignore[union-attr]  # all are upcast
        return value

    assert json.loads(separate()) == json.loads(ten.upcast(event).value)  # type: ignore[union-attr,arg-type]  # as above
    signals = [Event(orjson.dumps(signal(kind)), offset=7) for kind in ("span", "metric", "log")]
    switching = {f"{hops} switches": history(hops, by_signal).upcaster(Policy(**NEVER)) for hops in (1, 42)}
    actions = {name: _in_turn(signals, route.upcast) for name, route in switching.items()}
    actions |= {"one": lambda: one.upcast(event), "ten": lambda: ten.upcast(event), "separate": separate}
    times = measure(actions, rounds)
    switched = times["42 switches"] / times["1 switches"]
    return [
        Row("42 hops, a switch on one field in each", times["42 switches"], "one hop", switched, 1.5),
        Row("ten hops of two operations", times["ten"], "one hop", times["ten"] / times["one"], 2.0),
        Row("ten hops of two operations", times["ten"], "ten passes", times["ten"] / times["separate"], 1 / 3),
    ]


def length() -> list[Row]:
    """A history of a thousand steps: building, checking, and an event that is nearly current."""
    from upcasters.checks import model_problems, structure_problems

    began = time.process_time()
    chain = history(1_000, two_renames)
    long = chain.upcaster(Policy(**NEVER))
    built = time.process_time() - began
    began = time.process_time()
    assert structure_problems(chain) + model_problems(chain) == []
    checked = time.process_time() - began
    short = history(10, two_renames).upcaster(Policy(**NEVER))
    body = orjson.dumps({"metadata": {"taskId": "1"}})
    late, last = Event(body, headers=[("v", b"998")]), Event(body, headers=[("v", b"8")])
    times = measure({"long": lambda: long.upcast(late), "short": lambda: short.upcast(last)})
    return [
        Row("1,000 steps: build", built * 1e6, "s", built, 2.0),
        Row("1,000 steps: check", checked * 1e6, "s", checked, 10.0),
        Row("last two of 1,000 hops", times["long"], "last two of ten", times["long"] / times["short"], 1.1),
    ]


def smoke() -> list[Row]:
    """The ratios alone, in a second or two and with twice the room: for tests on a machine that is busy."""
    with pure():
        rows = [*sizes(rounds=3), *depth(rounds=3)]
    return [replace(row, at_most=2 * row.at_most) for row in rows if row.at_most and not row.against.endswith("us")]


def show(rows: list[Row]) -> None:
    print(f"{'case':44} {'us':>12}  {'against':16} {'ratio':>8} {'asked':>8}")
    for row in rows:
        asked = "" if row.at_most is None else f"{row.at_most:8.2f}{'' if row.met else '  not met'}"
        print(f"{row.case:44} {row.microseconds:12.2f}  {row.against:16} {row.ratio:8.2f} {asked}".rstrip())


def main() -> int:
    with pure():
        rows = [*sizes(), *typical(), *depth(), *length()]
    rows += natively()
    if EXTENSION is not None:
        rows += [replace(row, case=f"natively, {row.case}") for row in depth()]
    show(rows)
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
