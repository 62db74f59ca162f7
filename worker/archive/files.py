"""The plan and the receipt of an archive: coordinates, counts and fingerprints, never a value of an event."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from pydantic import Field

from upcast_authoring.counted import counted
from upcasters.errors import NoCoordinates
from worker.replay.plan.file import ID_DIGITS, Determinism, LossReport, OutcomeCounts, PassageCount
from worker.replay.sealed_file import FileKind, FilePart, SealedFile


class ArchivedFile(FilePart):
    """A file of the archive as it was planned: its path below it, its size, when it was modified (ns), its rows, and
    what would become of them."""

    path: str
    size: int
    modified: int
    rows: int
    counts: OutcomeCounts = OutcomeCounts()


class ArchiveWork(FilePart):
    """What is read, by which chain, and where what comes out of it goes. ``route`` is the topic whose settings count;
    empty where the chain was given by itself."""

    archive: str
    destination: str
    include: tuple[str, ...] = ()
    route: str = ""
    chain: str
    chain_fingerprint: str
    config_fingerprint: str = ""
    targets: dict[str, str] = Field(default_factory=dict)
    columns: dict[str, str | None] = Field(default_factory=dict)
    prefix: str = ""


class KindCount(FilePart):
    """Rows of one type and version, and what would become of them."""

    event_type: str
    version: str
    outcome: str
    reason: str = ""
    rows: int


class RowPlace(FilePart):
    """A row of the archive, counted from 0."""

    path: str
    row: int

    def __str__(self) -> str:
        return f"{self.path} row {self.row:,}"


class ArchiveFault(FilePart):
    """Rows that would be dead letters with the same fault. ``where`` is the step that fails, or the stage."""

    fingerprint: str
    count: int
    error_type: str
    event_type: str = ""
    from_version: str = ""
    where: str = ""
    samples: tuple[RowPlace, ...] = ()


class ArchivePlan(SealedFile):
    """The whole plan. Places of lost paths name a file by its number in ``files`` (``partition``) and a row
    (``offset``)."""

    kind: Literal["upcast-archive-plan"] = "upcast-archive-plan"
    format: Literal[1] = 1
    created: datetime
    worker_version: str
    work: ArchiveWork
    files: tuple[ArchivedFile, ...]
    counts: OutcomeCounts
    census: tuple[KindCount, ...] = ()
    passages: tuple[PassageCount, ...] = ()
    dead_letters: tuple[ArchiveFault, ...] = ()
    dead_letters_truncated: bool = False
    loss: LossReport = LossReport()
    determinism: Determinism = Determinism()
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()

    @property
    def run_id(self) -> str:
        """The id of the run of this plan; the chain's fingerprint is part of what it is made of."""
        return self.digest()[:ID_DIGITS]

    def objections(self) -> list[str]:
        """Why the plan must not be run, a line each: what would be lost, be a dead letter, or come out differently the
        second time, and was not allowed."""
        return [*self._dead(), *self._lost(), *self._uncertain()]

    def _dead(self) -> Iterator[str]:
        for group in self.dead_letters:
            if group.fingerprint not in self.allowed:
                where = f" in {group.where}" if group.where else ""
                first = f" (first at {group.samples[0]})" if group.samples else ""
                dead = counted(group.count, "dead letter")
                yield (
                    f"{dead}, {group.error_type}{where}{first}: {_mend(group.error_type)}, or allow "
                    f"{'it' if group.count == 1 else 'them'} with --allow {group.fingerprint}"
                )

    def _lost(self) -> Iterator[str]:
        for lost in self.loss.lost:
            if f"loss:{lost.path}" not in self.allowed:
                first = ""
                if lost.samples:
                    at = lost.samples[0]
                    first = f" (first at {RowPlace(path=self.files[at.partition].path, row=at.offset)})"
                yield (
                    f"{lost.path} of {lost.event_type} {lost.from_version} does not reach {lost.to_version}{first}: "
                    f"drop it by name in a step, or allow it with --allow 'loss:{lost.path}'"
                )

    def _uncertain(self) -> Iterator[str]:
        if self.dead_letters_truncated:
            yield "more kinds of dead letters than a plan can list: correct the chain, or plan fewer files"
        if self.loss.truncated:
            yield "more lost paths than a plan can list: correct the chain"
        if self.determinism.different:
            yield (
                f"{self.determinism.different} of {self.determinism.compared} events came out differently the second "
                "time: a step depends on something beside the event; make it pure"
            )


class FileReceipt(FilePart):
    """What became of one file; size and time are the source's, as they were read."""

    path: str
    size: int
    modified: int
    counts: OutcomeCounts


def _mend(error_type: str) -> str:
    if error_type == NoCoordinates.__name__:
        return "a step needs to know where each event stood: name its columns with --origin topic,partition,offset"
    return "correct the chain"


class ArchiveReceipt(SealedFile):
    """The whole receipt. ``started`` is when the run first began, ``ended`` when its last file was written."""

    kind: Literal["upcast-archive-receipt"] = "upcast-archive-receipt"
    format: Literal[1] = 1
    run_id: str
    plan_digest: str
    worker_version: str
    reason: str = ""
    started: datetime
    ended: datetime
    work: ArchiveWork
    files: tuple[FileReceipt, ...]


PLAN_FILE = FileKind(
    ArchivePlan,
    name="plan",
    written_by="`upcast archive plan`",
    fix_content="make a new plan with `upcast archive plan`",
    fix_unwritable="name another file with --out",
    wrong_kinds={"upcast-plan": "is a plan for a topic: give it to `upcast replay`"},
)
read_plan, write_plan = PLAN_FILE.read, PLAN_FILE.write

RECEIPT_FILE = FileKind(
    ArchiveReceipt,
    name="receipt",
    written_by="`upcast archive run`",
    fix_content="give the file that `upcast archive run` wrote",
    fix_unwritable="give another file with --receipt; the destination has it in _upcast/receipt.json",
    fix_missing="a run writes its receipt when it is finished, so run `upcast archive run` to its end",
    wrong_kinds={
        "upcast-archive-plan": "is a plan: give the receipt that `upcast archive run` writes when it is finished",
        "upcast-receipt": "is the receipt of a topic: give it to `upcast verify`",
    },
)
read_receipt, write_receipt = RECEIPT_FILE.read, RECEIPT_FILE.write


def total(counts: list[OutcomeCounts]) -> OutcomeCounts:
    """The sum."""
    skipped: dict[str, int] = {}
    for each in counts:
        for reason, count in each.skipped.items():
            skipped[reason] = skipped.get(reason, 0) + count
    names = ("read", "upcast", "passed", "dead_lettered", "produced", "tombstones")
    sums = {name: sum(getattr(each, name) for each in counts) for name in names}
    return OutcomeCounts(skipped=dict(sorted(skipped.items())), **sums)
