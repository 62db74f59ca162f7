"""Running digests: the same however they were cut, and another one for every change."""

from __future__ import annotations

from itertools import permutations

import pytest

from upcasters.event import Event
from worker.replay.digest import RunningDigest

RECORDS = [
    Event(b"value", b"key", [("a", b"1"), ("a", None)], 1_700, 0),
    Event(None, None, (), None, 1),
    Event(b"", b"", [("a\udcff", b"not utf-8")], -1, 5),
]


def digest(*records: Event) -> str:
    made = RunningDigest()
    made.add_read(records)
    return made.text


def test_it_does_not_depend_on_where_transactions_were_cut() -> None:
    once = RunningDigest()
    once.add_read(RECORDS)
    again = RunningDigest()
    for record in RECORDS:
        again = RunningDigest.taken_up(again.count, again.text)
        again.add_read([record])
    assert (again.count, again.text) == (once.count, once.text) == (3, digest(*RECORDS))


def test_order_counts_and_so_does_every_record() -> None:
    orders = [digest(*each) for size in range(4) for each in permutations(RECORDS, size)]
    assert len(set(orders)) == len(orders) == 16


@pytest.mark.parametrize(
    "event",
    [
        Event(b"valu", b"ekey", [("a", b"1"), ("a", None)], 1_700, 0),
        Event(b"value", None, [("a", b"1"), ("a", None)], 1_700, 0),
        Event(b"value", b"key", [("a", None), ("a", b"1")], 1_700, 0),
        Event(b"value", b"key", [("a", b"1")], 1_700, 0),
        Event(b"value", b"key", [("a", b"1"), ("a", b"")], 1_700, 0),
        Event(b"value", b"key", [("a", b"1"), ("a", None)], 1_701, 0),
        Event(b"value", b"key", [("a", b"1"), ("a", None)], 1_700, 1),
    ],
)
def test_every_part_of_a_record_counts(event: Event) -> None:
    assert digest(event) != digest(RECORDS[0])


def test_no_timestamp_is_no_timestamp_and_headers_may_come_in_any_sequence() -> None:
    assert digest(Event(None, None, (), None, 1)) == digest(Event(None, None, [], -1, 1))


def test_a_copy_goes_its_own_way() -> None:
    made = RunningDigest()
    copy = made.copy()
    copy.add_written(0, 1, b"k", b"v", [("a", b"1")])
    assert (made.count, copy.count) == (0, 1)
    assert made.text != copy.text
