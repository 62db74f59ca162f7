"""Reads and writes a replay's entries in the ledger: its run, its progress, its receipt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from worker.errors import WorkerError
from worker.ledger import DeadLetterSummary, Ledger, PartitionProgress, Run, RunState, open_existing_ledger
from worker.replay.apply.receipt import Receipt, kept_receipt, read_receipt, write_receipt
from worker.replay.apply.resume import PartitionState
from worker.replay.plan.file import FaultGroup, Plan, kept_plan
from worker.replay.topics import Reached
from worker.settings import Settings


@dataclass
class Books:
    """Synchronous, as the ledger is."""

    ledger: Ledger
    plan: Plan
    worker_version: str

    def begin(self, reason: str) -> Run:
        """Record that the replay runs: a new run, or an interrupted one that continues."""
        known = self.ledger.run(self.plan.replay_id)
        if known is not None:
            self.ledger.end_run(known.replay_id, "running")
            self.ledger.report(known.replay_id, datetime.now(UTC))
            return known
        run = Run(
            replay_id=self.plan.replay_id,
            plan_digest=self.plan.digest(),
            cluster_id=self.plan.cluster_id,
            route=self.plan.route.source,
            started=datetime.now(UTC),
            worker_version=self.worker_version,
            kind=self.plan.activity,
            reason=reason,
        )
        self.ledger.start_run(run)
        return run

    def reached(self) -> dict[int, Reached]:
        return {
            each.partition: Reached(each.committed, each.digest) for each in self.ledger.progress(self.plan.replay_id)
        }

    def note(self, states: Iterable[PartitionState]) -> None:
        """Write into the ledger that this process works, and the progress that Kafka has committed."""
        self.ledger.report(self.plan.replay_id, datetime.now(UTC))
        for state in list(states):
            if state.account is not None:
                self.ledger.note_progress(self._progress(state))

    def _progress(self, state: PartitionState) -> PartitionProgress:
        planned = state.planned
        return PartitionProgress(
            replay_id=self.plan.replay_id,
            topic=self.plan.topic,
            partition=planned.partition,
            start=planned.start,
            end=planned.end,
            committed=state.offset,
            digest=state.account.note if state.account else "",
        )

    def receipt(self) -> Receipt | None:
        return kept_receipt(self.ledger, self.plan.replay_id)

    def finish(self, receipt: Receipt) -> None:
        self.ledger.save_dead_letters(receipt.replay_id, list(map(self._summary, self.plan.dead_letters)))
        self.ledger.save_receipt(receipt.replay_id, receipt.sealed())
        self.ledger.end_run(receipt.replay_id, "finished", receipt.ended)

    def _summary(self, group: FaultGroup) -> DeadLetterSummary:
        """The dead letters as planned: the same chain makes the same ones of the same records."""
        told = group.model_dump(exclude={"path", "samples"})
        return DeadLetterSummary(replay_id=self.plan.replay_id, **told)

    def interrupt(self, state: RunState) -> None:
        """Record that the run is ``state``, unless another process has finished it meanwhile."""
        known = self.ledger.run(self.plan.replay_id)
        if known is None or known.state != "finished":
            self.ledger.end_run(self.plan.replay_id, state, datetime.now(UTC))


def refuse_finished(books: Books, file: Path | None) -> None:
    """Raises WorkerError where the replay is finished. A receipt that only the ledger has is then written to its
    file. Without a file nobody can apply a plan a second time."""
    if file is None:
        return
    kept = books.receipt()
    if kept is not None and not file.exists():
        write_receipt(kept, file)
    if kept is not None or _is_receipt_of(file, books.plan):
        raise WorkerError(
            f"{books.plan.activity} {books.plan.replay_id}: {books.plan.route.destination} holds all of its output, "
            "the "
            f"run is finished; its receipt is {file}: check it with `upcast verify {file}`",
            code="UPC1616",
        )


def keep_begun(settings: Settings, file: Path) -> None:
    """Raises WorkerError where writing a plan to ``file`` would overwrite that of an unfinished replay, which needs it
    to go on."""
    replay_id = kept_plan(file)
    ledger = open_existing_ledger(settings) if replay_id else None
    if ledger is None:
        return
    run = ledger.run(replay_id)
    ledger.close()
    if run is not None:
        raise WorkerError(
            f"{file}: holds the plan of replay {replay_id}, which is {run.as_of(datetime.now(UTC)).told} and needs it: "
            "give another file with --out",
            code="UPC1617",
        )


def _is_receipt_of(file: Path, plan: Plan) -> bool:
    if not file.exists():
        return False
    found = read_receipt(file)
    if found.replay_id != plan.replay_id:
        raise WorkerError(
            f"{file}: holds the receipt of replay {found.replay_id}: give another file with --receipt", code="UPC1617"
        )
    return True
