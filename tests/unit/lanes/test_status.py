"""A thousand partitions in the same trouble are one reason."""

from __future__ import annotations

import pytest

from worker.lanes.state import MOST_REASONS, LaneStatus, ranges, reasons


def lane(topic: str, partition: int, state: str = "starting", reason: str = "") -> LaneStatus:
    return LaneStatus(topic=topic, partition=partition, state=state, reason=reason)


def test_partitions_with_the_same_problem_are_one_reason() -> None:
    lanes = [lane("a", each) for each in range(50)]
    lanes[7] = lane("a", 7, "blocked", "too large")
    assert reasons([*lanes, lane("b", 0)]) == ["a:0-6,8-49: starting", "a:7: blocked (too large)", "b:0: starting"]


def test_one_partition_reads_as_it_always_did() -> None:
    assert reasons([lane("a", 3, "rebuilding", "TimeoutError")]) == ["a:3: rebuilding (TimeoutError)"]


def test_no_more_than_a_person_reads() -> None:
    found = reasons([lane(f"topic-{each}", 0) for each in range(MOST_REASONS + 5)])
    assert len(found) == MOST_REASONS + 1
    assert found[-1] == "and 5 more: see /v2/status"


@pytest.mark.parametrize(
    ("partitions", "shown"),
    [
        ([4], "4"),
        ([0, 1], "0-1"),
        ([0, 2, 3, 4, 9], "0,2-4,9"),
        (range(0, 20, 2), "0,2,4,6,8,10,12,14,... (10 partitions)"),
    ],
)
def test_ranges(partitions: list[int], shown: str) -> None:
    assert ranges(partitions) == shown
