"""What the notes beside a replay's offsets tell to others."""

from __future__ import annotations

from worker.replay.apply.account import PartitionAccount
from worker.replay.known_replays import KnownReplay, Share, of_shares
from worker.replay.ranges import Range


def note(start: int, end: int) -> str:
    return PartitionAccount("a1", share=Share("new", start, end)).note


def test_a_note_tells_what_its_replay_is_to_do() -> None:
    found = of_shares("a1", [(1, 40, note(10, 40)), (0, 5, note(5, 50))])
    assert found == KnownReplay("a1", "new", (Range(0, 5, 50), Range(1, 10, 40)), (Range(0, 5, 5), Range(1, 10, 40)))
    assert not found.finished
    assert of_shares("a1", [(0, 50, note(5, 50))]).finished


def test_without_a_share_all_before_the_offset_counts_and_nobody_knows_where_it_went() -> None:
    for strange in (PartitionAccount("a1").note, "", "somebody else's", "{}"):
        assert of_shares("a1", [(0, 70, strange)]) == KnownReplay("a1", "", (Range(0, 0, 70),), (Range(0, 0, 70),))


def test_two_witnesses_know_more_than_one() -> None:
    group = KnownReplay("a1", "", (Range(0, 0, 20),), (Range(0, 0, 20),))
    ledger = KnownReplay("a1", "new", (Range(0, 10, 90), Range(1, 0, 30)), (Range(0, 10, 15), Range(1, 0, 30)))
    both = KnownReplay("a1", "new", (Range(0, 10, 90), Range(1, 0, 30)), (Range(0, 10, 20), Range(1, 0, 30)))
    assert group.united(ledger) == ledger.united(group) == both
