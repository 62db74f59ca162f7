"""The interface of a ledger, and the errors that both implementations raise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from worker.errors import MAY_PASS, WorkerError
from worker.ledger.records import AllowedOverlap, DeadLetterSummary, PartitionProgress, Proof, Run, RunState


class Ledger(Protocol):
    """Every method is one transaction, and raises WorkerError where the database does not do it."""

    def start_run(self, run: Run) -> None:
        """Write down a new run. Raises WorkerError where there is one of this id."""

    def end_run(self, replay_id: str, state: RunState, ended: datetime | None = None) -> None:
        """Change a run's state; ``running`` again, without a time, for one that goes on. Raises WorkerError."""

    def report(self, replay_id: str, now: datetime) -> None:
        """Keep that a process works on a run at ``now``. Raises WorkerError where there is no such run."""

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


def known_already(replay_id: str) -> WorkerError:
    return WorkerError(
        f"ledger: replay {replay_id} is recorded already: continue it instead of starting it", code="UPC1506"
    )


def unknown_run(replay_id: str) -> WorkerError:
    return WorkerError(
        f"ledger: it has no replay {replay_id}: check that `ledger.url` is the one that the replay was started with",
        code="UPC1506",
    )


def other_receipt(replay_id: str) -> WorkerError:
    return WorkerError(
        f"ledger: another receipt of replay {replay_id} exists already: a receipt is written only once", code="UPC1506"
    )


def going_back(before: PartitionProgress, now: PartitionProgress) -> WorkerError:
    return WorkerError(
        f"ledger: replay {now.replay_id} has done {now.topic} partition {now.partition} up to offset "
        f"{before.committed}, not {now.committed}: another process works on it at the same time: let that one "
        "finish; if there is none, the ledger is of another cluster: see `ledger.url`",
        code="UPC1506",
    )


def locked(place: str) -> WorkerError:
    return WorkerError(
        f"ledger: {place} is locked by another process: try again when that has ended", MAY_PASS, code="UPC1505"
    )
