"""Lag: what is committed against what can be read, and the age of what is not."""

from __future__ import annotations

from worker.lanes.lag import BELIEVED, Lag


def behind(committed: int = 3, end: int = 5, now: float = 1) -> Lag:
    lag = Lag()
    lag.note_committed(committed)
    lag.note_end(end, now)
    return lag


def test_nothing_is_claimed_before_it_is_known() -> None:
    lag = Lag()
    assert (lag.records, lag.seconds(10, (4_000,))) == (None, None)
    lag.note_end(5, now=1)
    assert (lag.records, lag.place_to_look()) == (None, None)


def test_the_first_known_timestamp_counts() -> None:
    lag = behind()
    assert lag.records == 2
    assert lag.seconds(10, (-1, 4_000, 9_000)) == 6
    assert lag.seconds(3, (4_000,)) == 0, "clocks differ"


def test_the_age_of_a_record_that_nobody_has_seen_is_absent_not_small() -> None:
    assert behind().seconds(10, (-1,)) is None


def test_what_was_dropped_keeps_its_age_until_the_position_moves() -> None:
    lag = behind()
    lag.note_oldest(4_000)
    lag.note_committed(3)
    assert lag.seconds(10, (-1,)) == 6
    lag.note_committed(4)
    assert lag.seconds(10, (-1,)) is None


def test_caught_up_is_said_only_as_long_as_the_end_is_believed() -> None:
    lag = behind(committed=5, now=100)
    assert lag.seconds(100 + BELIEVED, (4_000,)) == 0
    assert lag.seconds(101 + BELIEVED, ()) is None
    lag.note_end(5, now=200)
    assert lag.seconds(201, ()) == 0


def test_retention_that_overtakes_takes_the_deleted_out_of_the_lag() -> None:
    lag = behind(committed=3, end=10)
    lag.note_oldest(4_000)
    lag.note_beginning(2)
    assert (lag.records, lag.seconds(10, ())) == (7, 6)
    lag.note_beginning(8)
    assert (lag.records, lag.next_offset, lag.seconds(10, ())) == (2, 8, None)
    lag.note_oldest(9_000)
    assert lag.seconds(10, ()) == 1
    lag.note_beginning(10)
    assert (lag.records, lag.seconds(10, ())) == (0, 0)


def test_a_look_goes_on_where_the_last_one_ended() -> None:
    lag = behind()
    assert lag.place_to_look() == 3
    lag.note_no_age_before(3)
    assert lag.place_to_look() == 3, "the brokers were slow: nothing was seen"
    lag.note_no_age_before(5)
    assert lag.place_to_look() is None
    lag.note_end(6, now=2)
    assert lag.place_to_look() == 5
    lag.note_oldest(4_000)
    lag.note_end(7, now=3)
    assert lag.place_to_look() is None, "it is known"
    lag.note_committed(4)
    assert lag.place_to_look() == 4
    lag.note_committed(7)
    assert lag.place_to_look() is None, "there is nothing"
