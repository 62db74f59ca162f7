"""Which plan in a file is gone on with: never one that is done, or that has nothing to do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from worker.dlq.redrive_plan import unfinished
from worker.errors import WorkerError
from worker.ledger import MemoryLedger, Run
from worker.replay.plan.file import OutcomeCounts, Plan, PlannedRoute, Redrive, write_plan

ROUTE = PlannedRoute(
    source="old", destination="new", dead_letter="dlt", chain="c", chain_fingerprint="f", config_fingerprint="g"
)
CHOSEN = ("a" * 16,)


def plan(counts: OutcomeCounts) -> Plan:
    return Plan(
        created=datetime(2026, 1, 2, tzinfo=UTC),
        worker_version="0.1.0",
        cluster_id="c",
        asked_from="earliest",
        asked_to="now",
        route=ROUTE,
        redrive=Redrive(fingerprints=CHOSEN, rounds=5, aligned=True),
        ranges=(),
        counts=counts,
    )


SOME = plan(OutcomeCounts(read=3, upcast=2, skipped={"filtered": 1}))
NONE = plan(OutcomeCounts(read=3, skipped={"filtered": 1, "redriven": 2}))
DROPPED = plan(OutcomeCounts(read=3, skipped={"filtered": 1, "dropped": 2}))


@pytest.mark.parametrize(("there", "found"), [(SOME, SOME), (NONE, None), (DROPPED, DROPPED)])
def test_a_plan_that_takes_something_is_applied(there: Plan, found: Plan | None, tmp_path: Path) -> None:
    file = tmp_path / "redrive.json"
    assert unfinished(file, CHOSEN, "old", MemoryLedger(), anew=False) is None
    write_plan(there, file)
    assert unfinished(file, CHOSEN, "old", MemoryLedger(), anew=False) == found
    assert unfinished(file, CHOSEN, "old", MemoryLedger(), anew=True) is None


def test_what_has_begun_is_finished_first(tmp_path: Path) -> None:
    file, ledger = tmp_path / "redrive.json", MemoryLedger()
    write_plan(SOME, file)
    ledger.start_run(Run(SOME.replay_id, SOME.digest(), "c", "old", SOME.created, "0.1.0", kind="redrive"))
    assert unfinished(file, CHOSEN, "old", ledger, anew=False) == SOME
    with pytest.raises(WorkerError, match="which is not finished"):
        unfinished(file, CHOSEN, "old", ledger, anew=True)
    ledger.save_receipt(SOME.replay_id, {})
    assert unfinished(file, CHOSEN, "old", ledger, anew=False) is None


def test_the_plan_of_something_else_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "redrive.json"
    write_plan(SOME, file)
    for chosen, source in ((("b" * 16,), "old"), (CHOSEN, "other")):
        with pytest.raises(WorkerError, match="holds the plan of another pass"):
            unfinished(file, chosen, source, MemoryLedger(), anew=False)
