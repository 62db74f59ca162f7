"""What a ledger can do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from worker.ledger.records import AllowedOverlap, DeadLetterSummary, PartitionProgress, Proof, Run, RunState


class Ledger(Protocol):
    """Every method is one transaction, and raises WorkerError where the database does not do it."""

    def start_run(self, run: Run) -> None:
        """Write down a new run. Raises WorkerError where there is one of this id."""

    def end_run(self, replay_id: str, state: RunState, ended: datetime | None = None) -> None:
        """Change a run's state; ``running`` again, without a time, for one that goes on. Raises WorkerError."""

    def run(self, replay_id: str) -> Run | None: ...

    def runs(self) -> list[Run]:
        """Newest first."""

    def note_progress(self, progress: PartitionProgress) -> None:
        """Bring a partition up to date. Raises WorkerError where it would go back, and where there is no such run."""

    def progress(self, replay_id: str) -> list[PartitionProgress]:
        """By topic and partition."""

    def save_receipt(self, replay_id: str, receipt: dict[str, Any]) -> None:
        """Keep a receipt (plain JSON values). Written once: raises WorkerError where another one is there already."""

    def receipt(self, replay_id: str) -> dict[str, Any] | None: ...

    def save_proof(self, proof: Proof) -> None:
        """Replace what an earlier verification found. Raises WorkerError where there is no such run."""

    def proof(self, replay_id: str) -> Proof | None: ...

    def note_beside(self, beside: AllowedOverlap) -> None:
        """Keep that a live worker was let in beside a run. Raises WorkerError where there is no such run."""

    def besides(self, replay_id: str) -> list[AllowedOverlap]:
        """Oldest first."""

    def save_dead_letters(self, replay_id: str, summaries: Sequence[DeadLetterSummary]) -> None:
        """Replace what was known of the run's dead letters."""

    def dead_letters(self, replay_id: str) -> list[DeadLetterSummary]:
        """Most first."""

    def close(self) -> None: ...
