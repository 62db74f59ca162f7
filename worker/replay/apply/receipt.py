"""The receipt file: what a replay did in each partition. `upcast verify` and the hand-over read it.

Like the plan it holds coordinates, counts and digests, and never a value of an event.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from upcast_authoring.counted import counted
from worker.ledger import Ledger
from worker.replay.plan.file import Filters, OutcomeCounts, PlannedRoute, Redrive
from worker.replay.sealed_file import FileKind, FilePart, SealedFile


class PartitionReceipt(FilePart):
    """``[start, end)`` was read, all of it. ``stretches`` are the offsets where both digests began a new stretch after
    an interruption: see ``worker.replay.digest``.

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
    def activity(self) -> str:
        return "replay" if self.redrive is None else "redrive"

    def not_allowed(self, allowed: int) -> str:
        """The message about dead letters beyond the number that a plan ``allowed``; empty where there are none."""
        dead = sum(each.counts.dead_lettered for each in self.partitions)
        if dead <= allowed:
            return ""
        more = counted(dead - allowed, "dead letter")
        return (
            f"{self.activity} {self.replay_id}: {more} in {self.route.dead_letter} that the plan does not have and "
            "nobody has allowed: see `upcast dlq list`"
        )


RECEIPT_FILE = FileKind(
    Receipt,
    name="receipt",
    written_by="`upcast replay`",
    fix_content="give the file that `upcast replay` wrote",
    fix_unwritable="give another file with --receipt; the ledger has it already",
    fix_missing="a replay writes its receipt when it is finished, so run `upcast replay` to its end",
    wrong_kinds={"upcast-plan": "is a plan: give the receipt that `upcast replay` writes when it is finished"},
)
read_receipt, write_receipt = RECEIPT_FILE.read, RECEIPT_FILE.write


def kept_receipt(ledger: Ledger, replay_id: str) -> Receipt | None:
    """The receipt of a finished replay from the ledger; None where the ledger has none that can be read."""
    kept = ledger.receipt(replay_id)
    if kept is None or kept.get("kind") != "upcast-receipt":  # that of an archive
        return None
    return Receipt.model_validate({name: value for name, value in kept.items() if name != "digest"})
