"""Marks: few, spread over the range, and different wherever the record is."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from upcasters import Event
from worker.replay.plan.file import Mark
from worker.replay.plan.identity import Marks, differing, record_digest

RECORD: dict[str, Any] = {"value": b"v", "key": b"k", "headers": [("a", b"1"), ("b", None)], "timestamp": 5}


@pytest.mark.parametrize(
    "change",
    [
        {"value": b"w"},
        {"value": None},
        {"value": b""},
        {"key": None},
        {"key": b"kv", "value": b""},
        {"timestamp": 6},
        {"headers": []},
        {"headers": [("b", None), ("a", b"1")]},
        {"headers": [("a", b"1"), ("b", b"")]},
        {"headers": [("a1", b""), ("b", None)]},
        {"headers": [("a", b"1"), ("b\udcff", None)]},
    ],
)
def test_every_part_of_a_record_counts(change: dict[str, Any]) -> None:
    assert record_digest(Event(**RECORD)) == record_digest(Event(**RECORD, offset=9))
    assert record_digest(Event(**{**RECORD, **change})) != record_digest(Event(**RECORD))


def picked(start: int, end: int, *slices: range) -> list[int]:
    marks = Marks(start, end)
    for each in slices:
        marks.look([Event(b"v", offset=offset) for offset in each])
    return [mark.offset for mark in marks.marks()]


def test_the_first_the_last_and_some_between() -> None:
    slices = [range(start, start + 100) for start in range(1000, 9000, 100)]
    found = picked(1000, 9000, *slices)
    assert (found[0], found[-1]) == (1000, 8999)
    assert 5 < len(found) <= 8
    assert max(b - a for a, b in itertools.pairwise(found)) < 2500


def test_short_and_empty_ranges() -> None:
    assert picked(0, 0) == []
    assert picked(0, 10, range(0)) == []
    assert picked(0, 1, range(1)) == [0]
    assert picked(0, 3, range(3)) == [0, 2]


def test_gaps_are_stepped_over() -> None:
    assert picked(0, 8000, range(5000, 5001), range(7998, 7999)) == [5000, 7998]


def test_what_has_gone_is_not_different() -> None:
    marks = [Mark(offset=1, digest="a"), Mark(offset=2, digest="b"), Mark(offset=3, digest="c")]
    assert differing(marks, {1: "a", 2: None}) == []
    assert differing(marks, {1: "x", 2: "b", 3: "y"}) == [1, 3]
