"""Lag: what is committed against what can be read, and the age of what is not."""

from __future__ import annotations

from worker.lanes.lag import Lag


def test_nothing_is_claimed_before_it_is_known() -> None:
    lag = Lag()
    assert (lag.records, lag.seconds(10, ())) == (None, None)
    lag.note_end(5, now=1)
    assert lag.records is None


def test_the_oldest_known_timestamp_counts() -> None:
    lag = Lag()
    lag.note_committed(3, now=0)
    lag.note_end(5, now=1)
    assert lag.records == 2
    assert lag.seconds(10, (-1, 4_000, 9_000)) == 6
    assert lag.seconds(3, (4_000,)) == 0, "clocks differ"


def test_a_record_that_was_not_seen_is_as_old_as_our_knowledge_of_it() -> None:
    lag = Lag()
    lag.note_committed(3, now=0)
    lag.note_end(5, now=7)
    lag.note_end(6, now=9)
    assert lag.seconds(10, (-1,)) == 3
    lag.note_committed(6, now=10)
    assert (lag.records, lag.seconds(11, (4_000,))) == (0, 0)
    lag.note_end(7, now=12)
    assert lag.seconds(13, ()) == 1
