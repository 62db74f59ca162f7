"""What stands beside a replay's records: counted by offset, and only where the replay wrote something, too."""

from __future__ import annotations

from worker.verifying.destination import SOURCE, OtherWriters
from worker.verifying.findings import Findings


def told(others: OtherWriters) -> list[str]:
    findings = Findings()
    others.add_findings(findings, "new")
    return findings.lines()


def headers(offset: bytes | None, partition: bytes = b"1", writer: bytes | None = None) -> dict[str, bytes | None]:
    found = dict(zip(SOURCE, (b"old", partition, offset), strict=True))
    return found if writer is None else found | {"upcaster.replay.id": writer}


def test_another_replay_and_the_live_worker_are_told_apart() -> None:
    others = OtherWriters("mine", ("old", 1), range(10, 5000), 4)
    for offset in (b"9", b"10", b"10", b"12", b"4999", b"5000"):
        others.look(headers(offset, writer=b"theirs"))
    others.look(headers(b"20"))
    others.silent.add(10)
    theirs, live = told(others)
    assert theirs.startswith(
        "doubled by another pass: partition 1, source offset 12: replay theirs also wrote 2 of these"
    )
    assert "source offset 20: the live worker also wrote 1 of these" in live


def test_what_another_one_wrote_where_the_replay_wrote_nothing_is_there_once() -> None:
    others = OtherWriters("mine", ("old", 1), range(100), 4)
    others.look(headers(b"7", writer=b"redrive"))
    others.silent.add(7)
    assert told(others) == []


def test_ours_in_a_partition_of_another_one() -> None:
    others = OtherWriters("mine", ("old", 1), range(100), 4)
    others.look(headers(b"7", b"5", writer=b"mine"))  # the destination has fewer partitions: this is its home, too
    assert told(others) == []
    others.look(headers(b"7", b"2", writer=b"mine"))
    assert told(others) == ["in another partition: new partition 1 holds 1 record meant for another partition"]


def test_records_that_tell_nothing_are_nobody_s() -> None:
    others = OtherWriters("mine", ("old", 1), range(100), 4)
    for each in ({}, headers(None), headers(b"x"), headers(b"1", b"2"), {**headers(b"1"), SOURCE[0]: b"another"}):
        others.look(each)
    assert told(others) == []
