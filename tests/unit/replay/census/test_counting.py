"""Counting, and what may be retired."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import astuple

import pytest

from upcasters import (
    Always,
    Baseline,
    Chain,
    Detection,
    Event,
    FromField,
    FromHeader,
    Policy,
    Step,
    default,
    rename_type,
)
from upcasters.devteam_runner import chain as devteam
from worker.replay.census import counting
from worker.replay.census.counting import OTHERS, Census, EventKind, Identifier, Seen
from worker.replay.census.retiring import Retiring, retiring

OLD = json.dumps({"metadata": {"taskId": "1", "projectId": "p"}, "nodes": {}}).encode()
SNAKE = {"task_id": "1", "project_id": "p", "branch": "main", "repo_path": "/r"}
NEW = json.dumps({"metadata": SNAKE, "nodes": {"prep": {"status": "running"}}}).encode()
VERSION = "schema-version"


def counted(chain: Chain, *events: Event, header: str | None = None) -> Census:
    made = Census(Identifier(chain, Policy()), "topic", header)
    for partition, event in enumerate(events):
        made.add(partition % 2, [event])
    return made


def test_types_versions_and_shapes() -> None:
    found = counted(
        devteam,
        Event(OLD, b"k", [], 5_000),
        Event(OLD, b"k", [(VERSION, b"1.0")], 3_000),
        Event(OLD, None, [], 4_000),
        Event(NEW, b"k", [], -1),
        Event(None, b"k", []),
        Event(b"{", b"k", []),
        Event(NEW, b"k", [(VERSION, b"1.0")]),
    )
    line = found.lines[EventKind("task_context", "1.0", "1.0")]
    assert astuple(line.seen) == (3, 3 * len(OLD) + 2, 3_000, 5_000)
    assert line.by_partition == {0: 2, 1: 1}
    assert found.lines[EventKind("task_context", "2.0", "2.0")].seen.first == -1
    problems = {kind.problem: line.seen.records for kind, line in found.lines.items() if kind.problem}
    assert problems == {"tombstone": 1, "decode DecodeError": 1, "detect DetectionError": 1}
    assert found.records == 7


def numbered(*versions: str, current: str = "") -> Chain:
    """A chain whose events say their version in a header alone, so that values need not be read."""
    steps = [Step("thing", before, after, [default(f"v{after}", 1)]) for before, after in itertools.pairwise(versions)]
    detection = Detection((Always("thing"),), (FromHeader("v"),))
    pinned = {"thing": current} if current else None
    return Chain(steps, [Baseline("thing", versions[0])], current=pinned, detection=detection)


def version(number: str, timestamp: int = 1_000, producer: bytes | None = None) -> Event:
    headers = [("v", number.encode()), *([("app", producer)] if producer is not None else [])]
    return Event(b"never read", b"k", headers, timestamp)


def test_values_are_not_read_where_headers_tell() -> None:
    found = counted(numbered("1.0", "2.0"), version("1.0"), version("9.9"))
    assert set(found.lines) == {EventKind("thing", "1.0"), EventKind("thing", "9.9")}


def test_a_field_that_is_no_version_is_a_problem_and_never_an_error() -> None:
    chain = Chain(
        [Step("thing", "1", "2", [default("a", 1)])],
        [Baseline("thing", "1")],
        detection=Detection((Always("thing"),), (FromField("v"),)),
    )
    found = counted(chain, Event(b'{"v": {}}'), Event(b'{"v": 1}'), Event(b'{"v": "' + b"9" * 500 + b'"}'))
    assert {kind.version[:5] for kind in found.lines} == {"", "1", "99999"}
    assert all(len(kind.version) <= 100 for kind in found.lines)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_KINDS", 3)
    monkeypatch.setattr(counting, "MOST_PRODUCERS", 4)
    events = [version(f"{number}.0", producer=b"p%d" % number) for number in range(50)]
    found = counted(numbered("1.0", "2.0"), *events, header="app")
    assert len(found.lines) == 4
    assert found.lines[EventKind(OTHERS, "", "", OTHERS)].seen.records == 47
    assert sum(len(line.by_producer) for line in found.lines.values()) <= 5
    assert found.records == 50


def test_what_was_seen_adds_up() -> None:
    one, other = Seen(2, 10, 5, 9), Seen(1, 1, -1, -1)
    one.merge(other)
    assert astuple(one) == (3, 11, 5, 9)
    other.merge(Seen(1, 1, 7, 8))
    assert astuple(other) == (2, 2, 7, 8)


def verdicts(chain: Chain, *events: Event, whole: bool = True) -> dict[str, tuple[str, str]]:
    lines = retiring(chain, counted(chain, *events), whole_range=whole)
    return {line.version: (line.may_go, line.why) for line in lines}


HISTORY = ("1.0", "1.1", "2.0", "2.1", "3.0")


def test_nothing_is_left_and_the_time_is_over() -> None:
    found = verdicts(numbered(*HISTORY), version("3.0"), version("2.1"))
    assert {number: verdict for number, (verdict, _) in found.items()} == {
        "1.0": "yes",
        "1.1": "yes",
        "2.0": "yes",
        "2.1": "no",
    }
    assert found["2.1"] == ("no", "the topic still holds it")


def test_the_policy_promises_two_minor_versions() -> None:
    assert verdicts(numbered("1.0", "1.1"))["1.0"] == (
        "no",
        "the policy promises 2 minor versions of support, 1 came after it",
    )
    assert verdicts(numbered("1.0.0", "1.0.1", "1.0.2", "1.1.0"))["1.0.0"][0] == "no"
    assert verdicts(numbered("1.0.0", "1.1.0", "1.2.0"))["1.0.0"][0] == "yes"
    assert verdicts(numbered("1.0", "1.1", "2.0", current="1.1"))["1.0"][0] == "no"


@pytest.mark.parametrize("target", ["1.1", "1.0"])
def test_a_type_that_events_leave_is_old_in_all_its_versions(target: str) -> None:
    steps = [Step("thing", "1.0", target, [rename_type("other")])]
    chain = Chain(steps, [Baseline("thing", "1.0")], detection=numbered("1.0", "1.1").detection)
    assert verdicts(chain, version("1.0")) == {"1.0": ("no", "the topic still holds it")}
    assert verdicts(chain)["1.0"][0] == "no"


def test_older_events_go_by_newer_steps() -> None:
    found = verdicts(numbered(*HISTORY), version("1.0"))
    assert found["1.0"] == ("no", "the topic still holds it")
    assert found["1.1"] == ("no", "the topic still holds 1.0, which needs this step")


def renamed(*newer: str) -> Chain:
    """`placed` 1.0 became `created` 2.0, and that one the newer versions."""
    versions = ["2.0", *newer]
    later = [Step("created", one, two, []) for one, two in itertools.pairwise(versions)]
    rules = Detection((FromHeader("type"),), (FromHeader("v"),))
    first = Step("placed", "1.0", "2.0", [rename_type("created")])
    return Chain([first, *later], [Baseline("placed", "1.0")], detection=rules)


def typed(event_type: str, number: str) -> Event:
    return Event(b"{}", b"k", [("type", event_type.encode()), ("v", number.encode())], 0)


def by_type(chain: Chain, *events: Event) -> dict[tuple[str, str], tuple[str, str]]:
    lines = retiring(chain, counted(chain, *events), whole_range=True)
    return {(line.event_type, line.version): (line.may_go, line.why) for line in lines}


def test_events_of_the_older_type_go_by_the_newer_types_steps() -> None:
    found = by_type(renamed("2.1", "2.2", "3.0"), typed("placed", "1.0"))
    assert found["placed", "1.0"] == ("no", "the topic still holds it")
    for version_ in ("2.0", "2.1", "2.2"):
        assert found["created", version_] == ("no", "the topic still holds placed 1.0, which needs this step")


def test_versions_of_the_newer_type_came_after_those_of_the_older() -> None:
    assert by_type(renamed("2.1"))["placed", "1.0"] == ("yes", "no record of it is left, and its support has ended")
    assert by_type(renamed())["placed", "1.0"][0] == "no"


def test_yes_only_after_the_whole_range() -> None:
    found = verdicts(numbered(*HISTORY), version("1.1"), whole=False)
    assert found["1.0"] == ("unknown", "only a part of the topic was read: leave out --from and --to")
    assert found["1.1"][0] == "no"


def test_records_of_no_known_version_leave_a_doubt() -> None:
    headless = Event(b"{}", b"k", [])
    assert verdicts(numbered(*HISTORY), headless)["1.0"] == (
        "unknown",
        "1 record without a version that could be detected",
    )
    assert verdicts(numbered(*HISTORY), Event(None, b"k"))["1.0"][0] == "yes"


def by_producer(lines: Sequence[Retiring]) -> list[tuple[str, str, int, int, str]]:
    return [(line.version, line.producer, line.records, line.last_seen, line.may_go) for line in lines]


def test_producers_of_old_versions() -> None:
    chain = numbered("1.0", "1.1", "2.0")
    events = [
        version("1.0", 1_000, b"billing"),
        version("1.0", 9_000, b"shop"),
        version("1.0", 5_000, b"shop"),
        version("1.0", 2_000),
        version("2.0", 3_000, b"shop"),
    ]
    lines = retiring(chain, counted(chain, *events, header="app"), whole_range=True)
    assert by_producer(lines) == [
        ("1.0", "shop", 2, 9_000, "no"),
        ("1.0", "billing", 1, 1_000, "no"),
        ("1.0", "", 1, 2_000, "no"),
        ("1.1", "", 0, -1, "no"),
    ]
    assert lines[0].step == "thing:1.0->1.1"
