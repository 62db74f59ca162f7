"""The receipt: what a replay did, partition by partition, for `upcast verify`, the hand-over and whoever asks later.

Like the plan it holds coordinates, counts and digests, and never a value of an event.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from worker.errors import WorkerError
from worker.replay.plan.file import Filters, OutcomeCounts, PlannedRoute, PlanPart, Redrive
from worker.replay.sealed_file import digest_of, write_sealed

FORMAT: Final = 1
KIND: Final = "upcast-receipt"


class PartitionReceipt(PlanPart):
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


class Receipt(PlanPart):
    """The whole file. ``started`` is when the replay first began, ``ended`` when its last partition did."""

    kind: Literal["upcast-receipt"] = KIND
    format: Literal[1] = FORMAT
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

    def content(self) -> dict[str, Any]:
        """The receipt as plain JSON values."""
        return self.model_dump(mode="json")

    def digest(self) -> str:
        return digest_of(self.content())


def write_receipt(receipt: Receipt, path: Path) -> None:
    """Write the file, whole or not at all. Raises WorkerError where that cannot be."""
    try:
        write_sealed(receipt.content(), path)
    except OSError as error:
        raise WorkerError(
            f"{path}: cannot write the receipt: {error.strerror}: name another file with --receipt; "
            "the ledger has it already"
        ) from None


def read_receipt(path: Path) -> Receipt:
    """Raises WorkerError for a file that is missing, no receipt, of a newer version, or edited since it was written."""
    content = _content(path)
    digest = content.pop("digest", None)
    if content.get("format") != FORMAT:
        raise WorkerError(
            f"{path}: a receipt of format {content.get('format')}, this worker reads {FORMAT}: "
            "use the worker that wrote it"
        )
    try:
        receipt = Receipt.model_validate(content)
    except ValidationError as error:
        place = ".".join(map(str, error.errors(include_input=False)[0]["loc"]))
        raise WorkerError(f"{path}: {place} is wrong: take the receipt as `upcast replay` wrote it") from None
    if digest != receipt.digest():
        raise WorkerError(
            f"{path}: its content does not fit its digest, so it was edited: take it as `upcast replay` wrote it"
        )
    return receipt


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8", errors="surrogatepass"))
    except FileNotFoundError:
        raise WorkerError(
            f"{path}: no such file: a replay writes its receipt when it is finished, so run `upcast replay` to its end"
        ) from None
    except OSError as error:
        raise WorkerError(f"{path}: cannot read the receipt: {error.strerror}") from None
    except ValueError:
        content = None
    if isinstance(content, dict) and content.get("kind") == "upcast-plan":
        raise WorkerError(f"{path}: is a plan: name the receipt that `upcast replay {path}` writes when it is finished")
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise WorkerError(f"{path}: is no receipt: name the file that `upcast replay` wrote")
    return content
