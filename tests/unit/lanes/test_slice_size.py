"""How many records a lane works on before others get their turn."""

from __future__ import annotations

from worker.lanes.fetch_buffer import FIRST, LONGEST, SLICE, SliceSize


def test_begins_carefully_and_speeds_up_where_it_can() -> None:
    pace = SliceSize()
    assert pace.records == FIRST
    for _ in range(10):
        pace.note(pace.records, 0.001)
    assert pace.records == SLICE


def test_a_chain_of_a_second_a_record_works_on_one_at_a_time() -> None:
    pace = SliceSize()
    pace.note(FIRST, float(FIRST))
    assert pace.records == 1


def test_slows_down_to_what_takes_as_long_as_it_may() -> None:
    pace = SliceSize()
    pace.note(100, 4 * LONGEST)
    assert pace.records == 25


def test_a_few_quick_records_say_nothing() -> None:
    pace = SliceSize()
    pace.note(FIRST - 1, 0.0)
    assert pace.records == FIRST
