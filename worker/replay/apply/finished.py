"""Whether a replay is finished already, by what the ledger and the receipt's file say."""

from __future__ import annotations

from pathlib import Path

from worker.app import open_existing_ledger
from worker.errors import WorkerError
from worker.replay.apply.books import Books
from worker.replay.apply.receipt import Receipt, read_receipt, write_receipt
from worker.replay.plan.file import Plan, kept_plan
from worker.settings import Settings


def refuse_finished(books: Books, file: Path) -> None:
    """A receipt in the ledger alone was not written to its file in time: that is made up for."""
    kept = books.receipt()
    if kept is not None and not file.exists():
        write_receipt(Receipt.model_validate({name: value for name, value in kept.items() if name != "digest"}), file)
    if kept is not None or _is_receipt_of(file, books.plan):
        raise WorkerError(
            f"{books.plan.word} {books.plan.replay_id}: {books.plan.route.destination} holds it already, finished; its "
            f"receipt is {file}: prove it with `upcast verify {file}`"
        )


def keep_begun(settings: Settings, file: Path) -> None:
    """Before a plan is written: without its plan a replay can neither go on nor be looked at. Raises WorkerError."""
    replay_id = kept_plan(file)
    ledger = open_existing_ledger(settings) if replay_id else None
    if ledger is None:
        return
    run = ledger.run(replay_id)
    ledger.close()
    if run is not None:
        raise WorkerError(
            f"{file}: is the plan of replay {replay_id}, which is {run.state}: keep it, name another file with --out"
        )


def _is_receipt_of(file: Path, plan: Plan) -> bool:
    if not file.exists():
        return False
    found = read_receipt(file)
    if found.replay_id != plan.replay_id:
        raise WorkerError(f"{file}: is the receipt of replay {found.replay_id}: name another file with --receipt")
    return True
