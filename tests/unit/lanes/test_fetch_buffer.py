"""What a lane was given: in order, without a gap, bounded."""

from __future__ import annotations

import pytest

from tests.fetched import FetchedRecords
from upcasters.event import Event
from worker.lanes.faults import GapError
from worker.lanes.fetch_buffer import SLICE, FetchBuffer


def fetched(start: int, count: int, end: int | None = None) -> FetchedRecords:
    records = [Event(b"v" * 9, b"k", timestamp=n, offset=n) for n in range(start, start + count)]
    return FetchedRecords(records, start, start + count if end is None else end)


def drained(fetch_buffer: FetchBuffer, limit: int = 10_000) -> list[tuple[list[int | None], int]]:
    taken = []
    while piece := fetch_buffer.take(limit):
        taken.append(([record.offset for record in piece.records], piece.next_offset))
    return taken


def test_records_come_out_in_slices_and_the_last_one_steps_over_what_nobody_reads() -> None:
    fetch_buffer = FetchBuffer(1_000_000, 1_000)
    fetch_buffer.open_at(5)
    fetch_buffer.put(fetched(5, SLICE + 2, end=SLICE + 20))
    fetch_buffer.put(fetched(SLICE + 20, 1))
    first = list(range(5, SLICE + 5))
    assert drained(fetch_buffer) == [
        (first, SLICE + 5),
        ([SLICE + 5, SLICE + 6], SLICE + 20),
        ([SLICE + 20], SLICE + 21),
    ]
    assert (fetch_buffer.bytes, fetch_buffer.records, bool(fetch_buffer)) == (0, 0, False)


def test_a_fetch_of_markers_alone_moves_the_position() -> None:
    fetch_buffer = FetchBuffer(100, 1_000)
    fetch_buffer.open_at(0)
    fetch_buffer.put(fetched(0, 0, end=3))
    assert drained(fetch_buffer) == [([], 3)]


def test_small_takes_lose_nothing() -> None:
    fetch_buffer = FetchBuffer(1_000_000, 1_000)
    fetch_buffer.open_at(0)
    fetch_buffer.put(fetched(0, 7, end=9))
    assert drained(fetch_buffer, limit=3) == [([0, 1, 2], 3), ([3, 4, 5], 6), ([6], 9)]
    assert fetch_buffer.bytes == 0


def test_a_gap_is_an_error_and_a_closed_intake_takes_nothing() -> None:
    fetch_buffer = FetchBuffer(100, 1_000)
    fetch_buffer.put(fetched(0, 3))
    assert not fetch_buffer
    assert not fetch_buffer.has_room
    fetch_buffer.open_at(0)
    fetch_buffer.put(fetched(0, 3))
    with pytest.raises(GapError, match="from offset 4, expected 3"):
        fetch_buffer.put(fetched(4, 1))


def test_it_has_room_until_its_bytes_are_in() -> None:
    fetch_buffer = FetchBuffer(25, 1_000)
    fetch_buffer.open_at(0)
    fetch_buffer.put(fetched(0, 2))
    assert (fetch_buffer.bytes, fetch_buffer.has_room) == (20, True)
    fetch_buffer.put(fetched(2, 1))
    assert (fetch_buffer.bytes, fetch_buffer.has_room, fetch_buffer.oldest()) == (30, False, 0)
    fetch_buffer.close()
    assert (fetch_buffer.bytes, fetch_buffer.records, fetch_buffer.oldest()) == (0, 0, -1)


@pytest.mark.parametrize(("bound", "offsets"), [(3, [0, 1, 2]), (5, [0, 1, 2, 3, 4]), (8, [0, 1, 2, 3, 4])])
def test_a_bound_ends_it_by_position(bound: int, offsets: list[int]) -> None:
    """Also where the last offsets before it hold nothing that can be read."""
    fetch_buffer = FetchBuffer(1_000_000, 1_000)
    fetch_buffer.bound = bound
    fetch_buffer.open_at(0)
    fetch_buffer.put(fetched(0, 5, end=10))
    fetch_buffer.put(fetched(10, 3))
    assert not fetch_buffer.has_room
    assert drained(fetch_buffer) == [(offsets, bound)]
    assert (fetch_buffer.bytes, fetch_buffer.records, bool(fetch_buffer)) == (0, 0, False)


def test_a_bound_in_a_gap_is_reached_without_a_record() -> None:
    fetch_buffer = FetchBuffer(1_000_000, 1_000)
    fetch_buffer.bound = 4
    fetch_buffer.open_at(3)
    piece = fetched(9, 2)
    piece.offset = 3
    fetch_buffer.put(piece)
    assert drained(fetch_buffer, limit=1) == [([], 4)]


def test_small_takes_stop_at_the_bound() -> None:
    fetch_buffer = FetchBuffer(1_000_000, 1_000)
    fetch_buffer.bound = 4
    fetch_buffer.open_at(0)
    fetch_buffer.put(fetched(0, 7))
    assert drained(fetch_buffer, limit=3) == [([0, 1, 2], 3), ([3], 4)]


def test_room_is_bounded_by_count_too() -> None:
    fetch_buffer = FetchBuffer(1_000_000, 5)
    fetch_buffer.open_at(0)
    fetch_buffer.put(fetched(0, 4))
    fetch_buffer.put(fetched(4, 1))
    assert not fetch_buffer.has_room


def test_what_is_worked_on_makes_room() -> None:
    fetch_buffer = FetchBuffer(1_000_000, 5)
    fetch_buffer.open_at(0)
    fetch_buffer.put(fetched(0, 5))
    drained(fetch_buffer)
    assert fetch_buffer.has_room


def test_the_oldest_that_waits_is_known_at_every_step() -> None:
    """Timestamps are the offsets here. What a fetch says of its first record counts only until that is taken."""
    fetch_buffer = FetchBuffer(1_000_000, 1_000)
    fetch_buffer.open_at(0)
    fetch_buffer.put(fetched(0, SLICE + 5))
    fetch_buffer.put(fetched(SLICE + 5, 3))
    assert fetch_buffer.oldest() == 0
    for limit, oldest in ((10, 10), (SLICE, SLICE), (SLICE, SLICE + 5), (SLICE, -1)):
        assert fetch_buffer.take(limit) is not None
        assert fetch_buffer.oldest() == oldest


def test_a_fetch_that_begins_inside_a_batch_is_decoded_to_know_its_oldest() -> None:
    fetch_buffer = FetchBuffer(1_000_000, 1_000)
    fetch_buffer.open_at(0)
    inside = fetched(0, 3)
    inside.oldest = -1
    fetch_buffer.put(inside)
    assert fetch_buffer.oldest() == 0
    assert drained(fetch_buffer) == [([0, 1, 2], 3)]
    assert (fetch_buffer.oldest(), bool(fetch_buffer)) == (-1, False)


def test_a_record_without_a_timestamp_has_no_age_not_that_of_another() -> None:
    fetch_buffer = FetchBuffer(1_000_000, 1_000)
    fetch_buffer.open_at(0)
    records = [Event(b"v", b"k", timestamp=7 if n < SLICE else None, offset=n) for n in range(SLICE + 3)]
    made = FetchedRecords(records, 0, SLICE + 3)
    fetch_buffer.put(made)
    assert fetch_buffer.oldest() == 7
    fetch_buffer.take(SLICE)
    assert fetch_buffer.oldest() == -1
    assert len((fetch_buffer.take(SLICE) or pytest.fail("the rest is lost")).records) == 3
