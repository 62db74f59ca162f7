"""Slices of what was fetched: neither too many records in one nor too many bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from upcasters.event import Event, SourceRecord
from worker.kafka.fetched import SMALL_BYTES, cut


def batch(start: int, count: int, value_bytes: int) -> Sequence[SourceRecord]:
    return [Event(b"v" * value_bytes, b"k", timestamp=1, offset=number) for number in range(start, start + count)]


def test_small_batches_are_worked_on_together() -> None:
    pieces = list(cut([batch(0, 10, 9), batch(10, 10, 9), batch(20, 90, 9)], 100, 110))
    assert [len(piece.records) for piece in pieces] == [20, 90]


def test_batches_of_large_records_are_never_put_together() -> None:
    large = SMALL_BYTES // 10
    pieces = list(cut([batch(0, 10, large), batch(10, 10, large), batch(20, 10, large)], 100, 30))
    assert [len(piece.records) for piece in pieces] == [10, 10, 10]


def test_no_more_than_the_next_batch_is_unpacked_ahead() -> None:
    unpacked = 0

    def batches() -> Iterator[Sequence[SourceRecord]]:
        nonlocal unpacked
        for number in range(5):
            unpacked += 1
            yield batch(number, 1, SMALL_BYTES)

    pieces = cut(batches(), 100, 5)
    next(pieces)
    assert unpacked == 2
