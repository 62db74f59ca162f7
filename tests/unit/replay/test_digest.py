"""Running digests: the same however they were cut, and another one for every change."""

from __future__ import annotations

from itertools import permutations

import pytest

from upcasters.event import Event
from worker.replay.digest import RunningDigest, contents

RECORDS = [
    Event(b"value", b"key", [("a", b"1"), ("a", None)], 1_700, 0),
    Event(None, None, (), None, 1),
    Event(b"", b"", [("a\udcff", b"not utf-8")], -1, 5),
]


def digest(*records: Event) -> str:
    made = RunningDigest()
    made.add(contents(records))
    return made.text


def test_it_does_not_depend_on_where_transactions_were_cut() -> None:
    many = [Event(b"value-%d" % number, offset=number) for number in range(70_000)]
    for records, size in ((RECORDS, 1), (many[:40], 17), (many, 17)):
        once, again = RunningDigest(), RunningDigest()
        once.add(contents(records))
        for start in range(0, len(records), size):
            again = again.copy()
            again.add(contents(records[start : start + size]))
        assert (again.count, again.text) == (once.count, once.text) == (len(records), digest(*records))


def test_what_was_written_down_goes_on_as_a_new_stretch() -> None:
    through, killed = RunningDigest(), RunningDigest()
    for digests in (through, killed):
        digests.add(contents(RECORDS[:2]))
    killed = RunningDigest(killed.count, killed.text)
    assert killed.text == through.text
    through.begin_stretch()
    for digests in (through, killed):
        digests.add(contents(RECORDS[2:]))
    assert killed.text == through.text != digest(*RECORDS)
    assert killed.count == through.count == 3


def test_a_stretch_without_records_is_none() -> None:
    made = RunningDigest()
    made.add([])
    made.begin_stretch()
    assert made.text == RunningDigest().text


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


def test_headers_may_come_in_any_sequence() -> None:
    assert digest(Event(None, None, (), -1, 1)) == digest(Event(None, None, [], -1, 1))


def test_a_copy_goes_its_own_way() -> None:
    made = RunningDigest()
    copy = made.copy()
    copy.add([(0, 1, b"k", b"v", [("a", b"1")])])
    assert (made.count, copy.count) == (0, 1)
    assert made.text != copy.text
