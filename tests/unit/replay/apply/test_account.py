"""The account of a partition: what an offset commit carries, and takes up again."""

from __future__ import annotations

import json

import pytest

from upcasters.event import Event
from upcasters.outcome import Fault, Passage
from worker.lanes.counters import Counters
from worker.replay.apply.account import NotOurNote, PartitionAccount, TooOftenInterrupted
from worker.replay.plan.file import OutcomeCounts


def worked() -> PartitionAccount:
    account = PartitionAccount("0123456789ab", 17, 4)
    account.read([Event(b"v", offset=n) for n in range(5)])
    account.wrote([(offset, 1, b"k", b"v", [("h", b"1")]) for offset in range(2)])
    counters = Counters()
    counters.add_upcast([Passage("thing", "1", "2")])
    counters.passed = 1
    counters.skipped["filtered"] = 2
    counters.add_dead_letter(Fault("decode", "DecodeError", "no JSON"), 7, trimmed=False)
    account.close(counters)
    return account


def test_the_note_holds_all_of_it() -> None:
    account = worked()
    again = PartitionAccount.of_note(account.note, "0123456789ab")
    assert again.note == account.note
    assert (again.destination_start, again.dead_letter_start) == (17, 4)
    assert again.counts.model_dump() == {
        "read": 5,
        "upcast": 1,
        "passed": 1,
        "skipped": {"filtered": 2},
        "dead_lettered": 1,
        "produced": 2,
    }


def test_the_note_fits_an_offset_commit() -> None:
    account = worked()
    account.source.count = account.output.count = account.upcast = account.passed = 2**63
    account.skipped.update(dict.fromkeys(("dropped", "policy", "in-place"), 2**63))
    with pytest.raises(TooOftenInterrupted):
        interrupt(account, 300)
    assert len(account.stretches) > 150
    assert len(account.note) < 4_000


def interrupt(account: PartitionAccount, times: int) -> None:
    for offset in range(times):
        account.begin_stretch(10**12 + offset)


def test_a_stretch_begins_only_where_something_was_read_since() -> None:
    account = PartitionAccount("0123456789ab")
    account.begin_stretch(3)
    account.read([Event(b"v", offset=3)])
    account.begin_stretch(4)
    account.begin_stretch(4)
    assert account.stretches == [4]


def test_a_copy_counts_only_when_it_is_kept() -> None:
    account = worked()
    before = account.note
    copy = account.copy()
    copy.read([Event(b"v", offset=9)])
    copy.wrote([(9, 1, None, None, [])])
    counters = Counters()
    counters.skipped["filtered"] = 1
    assert copy.close(counters) == copy.note != before
    assert account.note == before


@pytest.mark.parametrize("text", ["", "{}", "no JSON", '{"replay": 1}', json.dumps({"replay": "x" * 12})])
def test_what_is_no_note_is_reported(text: str) -> None:
    with pytest.raises(NotOurNote):
        PartitionAccount.of_note(text, "0123456789ab")


def test_the_note_of_another_replay_is_not_ours() -> None:
    with pytest.raises(NotOurNote):
        PartitionAccount.of_note(worked().note, "another")


def test_tombstones_are_reported_where_there_are_any() -> None:
    counters = Counters()
    counters.tombstones = 2
    account = worked()
    account.close(counters)
    again = PartitionAccount.of_note(account.note, "0123456789ab")
    assert again.counts.model_dump()["tombstones"] == 2
    assert "tombstones" not in worked().note
    assert OutcomeCounts.model_validate(worked().counts.model_dump()).tombstones == 0
