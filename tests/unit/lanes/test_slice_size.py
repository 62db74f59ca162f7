"""How many records a lane works on before others get their turn."""

from __future__ import annotations

from worker.lanes.fetch_buffer import FIRST, LONGEST, SLICE, SliceSize


def test_begins_carefully_and_speeds_up_where_it_can() -> None:
    slice_size = SliceSize()
    assert slice_size.records == FIRST
    for _ in range(10):
        slice_size.note(slice_size.records, 0.001)
    assert slice_size.records == SLICE


def test_a_chain_of_a_second_a_record_works_on_one_at_a_time() -> None:
    slice_size = SliceSize()
    slice_size.note(FIRST, float(FIRST))
    assert slice_size.records == 1


def test_slows_down_to_what_takes_as_long_as_it_may() -> None:
    slice_size = SliceSize()
    slice_size.note(100, 4 * LONGEST)
    assert slice_size.records == 25


def test_a_few_quick_records_say_nothing() -> None:
    slice_size = SliceSize()
    slice_size.note(FIRST - 1, 0.0)
    assert slice_size.records == FIRST
