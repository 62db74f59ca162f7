"""A run reports while its work runs, and not after it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from tests.limits import HANG
from worker.errors import WorkerError
from worker.ledger import MemoryLedger, Run
from worker.ledger.heartbeat import reporting

RUN = Run("a1b2", "d" * 64, "cluster", "legacy", datetime(2026, 1, 2, tzinfo=UTC), "0.1.0")


class Watched(MemoryLedger):
    """Its second report is refused, as by a database that is locked for a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.start_run(RUN)
        self.reports = 0
        self.third = threading.Event()

    def report(self, replay_id: str, now: datetime) -> None:
        self.reports += 1
        if self.reports == 2:
            raise WorkerError("ledger: locked", code="UPC1505")
        super().report(replay_id, now)
        if self.reports == 3:
            self.third.set()


def test_it_reports_until_the_work_ends_also_after_a_report_that_failed() -> None:
    ledger = Watched()
    with reporting(ledger, "a1b2", every=0.001):
        assert ledger.third.wait(HANG)
    reports = ledger.reports
    assert not [each for each in threading.enumerate() if each.name == "heartbeat"]
    assert ledger.reports == reports
    (run,) = ledger.runs()
    assert run.reported is not None
    assert run.as_of(run.reported).state == "running"


def test_a_ledger_that_does_not_know_the_run_says_so_at_once() -> None:
    with pytest.raises(WorkerError, match="no replay"), reporting(MemoryLedger(), "a1b2"):
        pytest.fail("it began")
