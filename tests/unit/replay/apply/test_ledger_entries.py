"""A replay's entries in the ledger, where more than one process makes them."""

from __future__ import annotations

from tests.unit.replay.plan.test_file import PLAN
from worker.ledger import MemoryLedger
from worker.replay.apply.ledger_entries import Books


def test_what_somebody_else_has_finished_is_not_called_failed() -> None:
    ledger = MemoryLedger()
    Books(ledger, PLAN, "0.1.0").begin("upgrade")
    Books(ledger, PLAN, "0.1.0").interrupt("stopped")
    assert [run.state for run in ledger.runs()] == ["stopped"]
    ledger.end_run(PLAN.replay_id, "finished")
    Books(ledger, PLAN, "0.1.0").interrupt("failed")
    assert [run.state for run in ledger.runs()] == ["finished"]
