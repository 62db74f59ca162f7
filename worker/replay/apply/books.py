"""A replay's entries in the ledger: that it runs, how far it is, and its receipt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from worker.ledger import DeadLetterSummary, Ledger, PartitionProgress, Run, RunState
from worker.replay.apply.bounds import PartitionState
from worker.replay.apply.receipt import Receipt
from worker.replay.plan.file import Plan
from worker.replay.plan.parts import FaultGroup
from worker.replay.topics import Reached


@dataclass
class Books:
    """Synchronous, as the ledger is."""

    ledger: Ledger
    plan: Plan
    worker_version: str

    def begin(self, reason: str) -> Run:
        """The run of this replay, new or gone on with."""
        known = self.ledger.run(self.plan.replay_id)
        if known is not None:
            self.ledger.end_run(known.replay_id, "running")
            return known
        run = Run(
            replay_id=self.plan.replay_id,
            plan_digest=self.plan.digest(),
            cluster_id=self.plan.cluster_id,
            route=self.plan.route.source,
            started=datetime.now(UTC),
            worker_version=self.worker_version,
            kind=self.plan.word,
            reason=reason,
        )
        self.ledger.start_run(run)
        return run

    def reached(self) -> dict[int, Reached]:
        return {
            each.partition: Reached(each.committed, each.digest) for each in self.ledger.progress(self.plan.replay_id)
        }

    def note(self, states: Iterable[PartitionState]) -> None:
        """Bring the ledger up to what Kafka has committed."""
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

    def receipt(self) -> dict[str, Any] | None:
        return self.ledger.receipt(self.plan.replay_id)

    def finish(self, receipt: Receipt) -> None:
        self.ledger.save_dead_letters(receipt.replay_id, list(map(self._summary, self.plan.dead_letters)))
        self.ledger.save_receipt(receipt.replay_id, {**receipt.content(), "digest": receipt.digest()})
        self.ledger.end_run(receipt.replay_id, "finished", receipt.ended)

    def _summary(self, group: FaultGroup) -> DeadLetterSummary:
        """As planned: the same chain over the same records makes the same dead letters."""
        told = group.model_dump(exclude={"path", "samples"})
        return DeadLetterSummary(replay_id=self.plan.replay_id, **told)

    def interrupt(self, state: RunState) -> None:
        """Not where somebody else has finished the same run meanwhile."""
        known = self.ledger.run(self.plan.replay_id)
        if known is None or known.state != "finished":
            self.ledger.end_run(self.plan.replay_id, state, datetime.now(UTC))
