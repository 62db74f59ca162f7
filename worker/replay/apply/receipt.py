"""The receipt: what a replay did, partition by partition, for `upcast verify`, the hand-over and whoever asks later.

Like the plan it holds coordinates, counts and digests, and never a value of an event.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from worker.ledger import Ledger
from worker.replay.plan.file import Filters, OutcomeCounts, PlannedRoute, Redrive
from worker.replay.sealed_file import FileKind, FilePart, SealedFile


class PartitionReceipt(FilePart):
    """``[start, end)`` of what was read, all of it done. ``stretches`` are the offsets where both digests began anew
    after an interruption, each with what was before in front: see ``worker.replay.digest``.

    All that was written stands behind ``destination_start`` and ``dead_letter_start``.
    """

    partition: int
    start: int
    end: int
    destination_start: int
    dead_letter_start: int
    counts: OutcomeCounts
    stretches: tuple[int, ...] = ()
    read_digest: str
    written_digest: str


class Receipt(SealedFile):
    """The whole file. ``started`` is when the replay first began, ``ended`` when its last partition did."""

    kind: Literal["upcast-receipt"] = "upcast-receipt"
    format: Literal[1] = 1
    replay_id: str
    plan_digest: str
    cluster_id: str
    group: str
    worker_version: str
    reason: str = ""
    started: datetime
    ended: datetime
    route: PlannedRoute
    filters: Filters = Filters()
    redrive: Redrive | None = None
    """Only in a receipt of `upcast dlq redrive`; the partitions are then those of the dead-letter topic."""
    partitions: tuple[PartitionReceipt, ...]

    @property
    def topic(self) -> str:
        """What was read."""
        return self.route.source if self.redrive is None else self.route.dead_letter

    @property
    def word(self) -> str:
        return "replay" if self.redrive is None else "redrive"

    def not_allowed(self, allowed: int) -> str:
        """What to say of more dead letters than a plan ``allowed``; empty where there are no more."""
        dead = sum(each.counts.dead_lettered for each in self.partitions)
        if dead <= allowed:
            return ""
        return (
            f"{self.word} {self.replay_id}: {dead - allowed:,} dead letters that its plan does not have and nobody has "
            f"allowed are in {self.route.dead_letter}: see `upcast dlq list`"
        )


RECEIPT_FILE = FileKind(
    Receipt,
    name="receipt",
    source="`upcast replay`",
    again="take it as `upcast replay` wrote it",
    elsewhere="name another file with --receipt; the ledger has it already",
    missing="a replay writes its receipt when it is finished, so run `upcast replay` to its end",
    mistaken={"upcast-plan": "is a plan: name the receipt that `upcast replay` writes when it is finished"},
)
read_receipt, write_receipt = RECEIPT_FILE.read, RECEIPT_FILE.write


def kept_receipt(ledger: Ledger, replay_id: str) -> Receipt | None:
    """The receipt that the ledger has of a replay that is finished, where it keeps it as it is sealed."""
    kept = ledger.receipt(replay_id)
    return Receipt.model_validate({name: value for name, value in kept.items() if name != "digest"}) if kept else None
