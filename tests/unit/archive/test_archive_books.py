"""The ledger knows the runs of a route's archives, and the checklist asks it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.unit.archive.archives import CHAIN, Dying, planned, silent, verified, work_of, write_archive
from worker.archive.files import ArchivePlan
from worker.archive.runners import Runner, here
from worker.archive.running import RunOptions, run
from worker.archive.verifying import record_proof
from worker.checklist.archives import archives_proved
from worker.checklist.evidence import Facts
from worker.errors import WorkerError
from worker.ledger import MemoryLedger, RunState
from worker.replay.apply.receipt import kept_receipt


def of_route(plan: ArchivePlan, route: str = "orders.legacy") -> ArchivePlan:
    return plan.model_copy(update={"work": plan.work.model_copy(update={"route": route})})


def run_with(ledger: MemoryLedger, plan: ArchivePlan, tmp_path: Path, runner: Runner = here) -> Any:
    work = work_of(plan.model_copy(update={"work": plan.work.model_copy(update={"route": ""})}))
    return run(plan, work, RunOptions(tmp_path / "receipt.json", "upgrade", ledger), runner, silent)


async def evidence(ledger: MemoryLedger) -> list[tuple[str, str]]:
    facts = cast("Facts", SimpleNamespace(ledger=ledger, chains={"orders.legacy": CHAIN}))
    return [(each.status, each.text) for each in await archives_proved(facts)]


async def test_from_nothing_to_a_proof(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    plan = of_route(planned(write_archive(tmp_path), tmp_path / "current"))
    assert await evidence(ledger) == []
    with pytest.raises(WorkerError, match="killed"):
        run_with(ledger, plan, tmp_path, Dying(1))
    [(status, text)] = await evidence(ledger)
    assert (status, f"run {plan.run_id} is stopped: run `upcast archive run` to its end" in text) == ("fail", True)
    receipt = run_with(ledger, plan, tmp_path)
    [known] = ledger.runs()
    assert (known.kind, known.state, known.reason) == ("archive", "finished", "upgrade")
    [(status, text)] = await evidence(ledger)
    assert (status, "not verified" in text) == ("not checked", True)
    verdict = verified(receipt.model_copy(update={"work": receipt.work.model_copy(update={"route": ""})}))
    record_proof(ledger, receipt, verdict)
    [(status, text)] = await evidence(ledger)
    assert (status, "81 rows" in text) == ("pass", True)
    assert kept_receipt(ledger, plan.run_id) is None, "it is no receipt of a topic"


def test_a_ledger_that_is_gone_does_not_hide_why_a_run_ended(tmp_path: Path) -> None:
    class Gone(MemoryLedger):
        def end_run(self, replay_id: str, state: RunState, ended: datetime | None = None) -> None:
            raise WorkerError("the ledger does not answer")

    plan = of_route(planned(write_archive(tmp_path), tmp_path / "current"))
    with pytest.raises(WorkerError, match="killed"):
        run_with(Gone(), plan, tmp_path, Dying(1))


async def test_an_archive_of_a_route_that_is_not_configured_is_left_out(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    run_with(ledger, of_route(planned(write_archive(tmp_path), tmp_path / "current"), "payments"), tmp_path)
    assert await evidence(ledger) == []
