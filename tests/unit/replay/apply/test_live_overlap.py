"""Which offsets of a replay a live worker would write a second time."""

from __future__ import annotations

from dataclasses import replace

from worker.replay.known_replays import KnownReplay
from worker.replay.plan.overlap import SourceNow, offset_ranges_text, overlapping
from worker.replay.ranges import Range

RANGES = (Range(0, 100, 200), Range(1, 50, 80))
REPLAY = KnownReplay("a1", "new", RANGES, RANGES)
RUNNING = replace(REPLAY, read=(Range(0, 100, 100), RANGES[1]))
NOW = SourceNow({0: 0, 1: 0}, {0: 500, 1: 500}, {0, 1})


def unread_from(first: int, second: int) -> SourceNow:
    return replace(NOW, unread_from={0: first, 1: second})


def test_what_the_group_has_yet_to_read_overlaps() -> None:
    assert overlapping(REPLAY, "new", NOW) == [Range(0, 100, 200), Range(1, 50, 80)]
    assert overlapping(REPLAY, "new", unread_from(199, 80)) == [Range(0, 199, 200)]
    assert overlapping(RUNNING, "new", NOW) == [Range(0, 100, 200), Range(1, 50, 80)]


def test_a_group_behind_the_range_or_another_destination_overlaps_nothing() -> None:
    assert overlapping(REPLAY, "new", unread_from(200, 80)) == []
    assert overlapping(REPLAY, "another", NOW) == []
    assert overlapping(replace(REPLAY, destination=""), "another", unread_from(200, 79)) == [Range(1, 79, 80)]


def test_topics_created_again_hold_nothing_twice() -> None:
    assert overlapping(REPLAY, "new", replace(NOW, ends={0: 199, 1: 500})) == [Range(1, 50, 80)]
    emptied = replace(NOW, filled={0})
    assert overlapping(REPLAY, "new", emptied) == [Range(0, 100, 200)]
    assert len(overlapping(RUNNING, "new", emptied)) == 2, "it goes on to write"
    assert overlapping(KnownReplay("a1", "new", (Range(7, 0, 9),), ()), "new", NOW) == [], (
        "it has no such partition any more"
    )


def test_offsets_are_named_and_not_all_of_them() -> None:
    assert offset_ranges_text("old", [Range(0, 1, 3)]) == "old:0 1-2"
    assert offset_ranges_text("old", [Range(number, 0, 9) for number in range(8)]).endswith(
        "old:4 0-8 and 3 more partitions"
    )
