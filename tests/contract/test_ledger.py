"""One contract for every ledger: in memory, in SQLite and, where there is one, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from worker.errors import WorkerError
from worker.ledger import (
    AllowedOverlap,
    DeadLetterSummary,
    Ledger,
    MemoryLedger,
    PartitionProgress,
    Proof,
    Run,
    open_ledger,
)
from worker.ledger.records import SILENT

STARTED = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
RUN = Run("a1b2", "d" * 64, "cluster", "legacy", STARTED, "0.1.0", reason="upgrade \N{SNOWMAN}")
PROGRESS = PartitionProgress("a1b2", "legacy", 1, start=5, end=90, committed=40, digest="ff" * 32)
DEAD = DeadLetterSummary("a1b2", "0" * 16, 7, "decode", "DecodeError", first_seen=1, last_seen=2)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    made = _make(request, tmp_path)
    yield made
    made.close()


def _make(request: pytest.FixtureRequest, folder: Path) -> Ledger:
    if request.param == "memory":
        return MemoryLedger()
    if request.param == "sqlite":
        return open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    return open_ledger(request.getfixturevalue("postgresql_url"))


def test_a_run_comes_back_as_it_was(ledger: Ledger) -> None:
    ledger.start_run(RUN)
    assert ledger.run("a1b2") == RUN
    assert ledger.run("none") is None


def test_a_run_starts_once(ledger: Ledger) -> None:
    ledger.start_run(RUN)
    with pytest.raises(WorkerError, match="a1b2 is recorded already"):
        ledger.start_run(replace(RUN, reason="again"))
    assert ledger.runs() == [RUN]


def test_a_run_ends_and_goes_on(ledger: Ledger) -> None:
    ledger.start_run(RUN)
    ended = STARTED + timedelta(hours=1)
    ledger.end_run("a1b2", "finished", ended)
    assert ledger.run("a1b2") == replace(RUN, state="finished", ended=ended)
    ledger.end_run("a1b2", "running")
    assert ledger.run("a1b2") == RUN


def test_a_run_that_nobody_works_on_is_interrupted(ledger: Ledger) -> None:
    ledger.start_run(RUN)
    ledger.report("a1b2", STARTED + timedelta(hours=1))
    found = ledger.run("a1b2")
    assert found == replace(RUN, reported=STARTED + timedelta(hours=1))
    assert found.as_of(STARTED + timedelta(hours=1) + SILENT) == found
    later = found.as_of(STARTED + timedelta(hours=1, seconds=1) + SILENT)
    assert (later.state, later.told) == ("interrupted", "interrupted since 2026-01-02T04:04:05Z")
    ledger.end_run("a1b2", "finished")
    assert ledger.runs()[0].as_of(STARTED + timedelta(days=1)).told == "finished"


def test_a_run_that_never_reported_was_last_seen_at_its_start(ledger: Ledger) -> None:
    ledger.start_run(RUN)
    assert ledger.runs()[0].as_of(STARTED + SILENT).state == "running"
    assert ledger.runs()[0].as_of(STARTED + 2 * SILENT).told == "interrupted since 2026-01-02T03:04:05Z"


def test_runs_are_newest_first_in_whatever_time_zone(ledger: Ledger) -> None:
    east = timezone(timedelta(hours=9))
    later = replace(RUN, replay_id="later", started=(STARTED + timedelta(seconds=1)).astimezone(east))
    ledger.start_run(later)
    ledger.start_run(RUN)
    assert [run.replay_id for run in ledger.runs()] == ["later", "a1b2"]
    assert ledger.runs()[0].started == later.started


def test_progress_is_kept_by_partition(ledger: Ledger) -> None:
    ledger.start_run(RUN)
    ledger.note_progress(PROGRESS)
    other = replace(PROGRESS, partition=0, committed=5, digest="")
    ledger.note_progress(other)
    onward = replace(PROGRESS, committed=2**40, end=2**41, digest="ee")
    ledger.note_progress(onward)
    ledger.note_progress(onward)
    assert ledger.progress("a1b2") == [other, onward]
    assert ledger.progress("none") == []


def test_progress_never_goes_back(ledger: Ledger) -> None:
    ledger.start_run(RUN)
    ledger.note_progress(PROGRESS)
    with pytest.raises(WorkerError, match="legacy partition 1 up to offset 40, not 39: another process"):
        ledger.note_progress(replace(PROGRESS, committed=39))
    assert ledger.progress("a1b2") == [PROGRESS]


def test_a_receipt_is_written_once(ledger: Ledger) -> None:
    ledger.start_run(RUN)
    receipt = {"counts": {"read": 3}, "ranges": [{"partition": 0, "end": 2**50}], "reason": None}
    ledger.save_receipt("a1b2", receipt)
    ledger.save_receipt("a1b2", receipt)
    with pytest.raises(WorkerError, match="another receipt"):
        ledger.save_receipt("a1b2", {"counts": {"read": 4}})
    assert ledger.receipt("a1b2") == receipt
    assert ledger.receipt("none") is None


def test_dead_letters_are_replaced_and_come_most_first(ledger: Ledger) -> None:
    ledger.start_run(RUN)
    ledger.save_dead_letters("a1b2", [replace(DEAD, fingerprint="1" * 16)])
    more = replace(DEAD, fingerprint="2" * 16, count=8)
    ledger.save_dead_letters("a1b2", [DEAD, more])
    assert ledger.dead_letters("a1b2") == [more, DEAD]
    ledger.save_dead_letters("a1b2", [])
    assert ledger.dead_letters("a1b2") == []


def test_what_belongs_to_no_run_is_refused(ledger: Ledger) -> None:
    refused: list[Callable[[], None]] = [
        lambda: ledger.note_progress(PROGRESS),
        lambda: ledger.report("a1b2", STARTED),
        lambda: ledger.save_receipt("a1b2", {}),
        lambda: ledger.save_dead_letters("a1b2", [DEAD]),
        lambda: ledger.end_run("a1b2", "finished", STARTED),
    ]
    for call in refused:
        with pytest.raises(WorkerError, match="has no replay a1b2"):
            call()


def test_the_last_proof_counts(ledger: Ledger) -> None:
    ledger.start_run(RUN)
    assert ledger.proof("a1b2") is None
    first = Proof("a1b2", STARTED, "0.1.0", records=7, findings=2)
    for proof in (first, replace(first, made=STARTED + timedelta(hours=1), findings=0, undecided=3)):
        ledger.save_proof(proof)
        assert ledger.proof("a1b2") == proof
    with pytest.raises(WorkerError):
        ledger.save_proof(replace(first, replay_id="none"))


def test_a_worker_that_was_let_in_beside_a_replay_stays_written_down(ledger: Ledger) -> None:
    ledger.start_run(RUN)
    later = AllowedOverlap("a1b2", STARTED + timedelta(hours=1), "orders", "0.1.0")
    first = replace(later, noted=STARTED, group="others")
    for each in (later, first):
        ledger.note_beside(each)
    assert ledger.besides("a1b2") == [first, later]
    with pytest.raises(WorkerError):
        ledger.note_beside(replace(first, replay_id="none"))
