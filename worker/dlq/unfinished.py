"""Whether a redrive's plan is there already and still to be done, by its file and by what the ledger knows."""

from __future__ import annotations

from pathlib import Path

from worker.dlq.selection import takes
from worker.errors import WorkerError
from worker.ledger import Ledger
from worker.replay.plan.file import Plan, read_plan


def unfinished(path: Path, chosen: tuple[str, ...], source: str, ledger: Ledger, *, anew: bool) -> Plan | None:
    """The plan in the file, if it is to be applied or gone on with. ``anew``: only one that has begun counts, and then
    a new one is refused. Raises WorkerError where the file is something else."""
    if not path.exists():
        return None
    plan = read_plan(path)
    run = ledger.run(plan.replay_id)
    if ledger.receipt(plan.replay_id) is not None:
        return None
    asked = (source, tuple(sorted(chosen)))
    if plan.redrive is None or (plan.route.source, plan.redrive.fingerprints) != asked:
        raise WorkerError(f"{path}: is the plan of something else: name another file with --file")
    if run is None:
        return None if anew or plan.objections() or not takes(plan) else plan
    if anew:
        raise WorkerError(
            f"{path}: redrive {plan.replay_id} has begun and is not finished: run without --plan to its end"
        )
    return plan
