"""Checks what a run has written, file by file, and that there is nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pyarrow import fs

from worker.archive.files import ArchiveReceipt
from worker.archive.meter import Meter
from worker.archive.outputs import DEAD_LETTERS, EVENTS, SKIPPED, place_of
from worker.archive.proof import EVERY, SOURCE, Proof
from worker.archive.runners import Runner
from worker.archive.sources import SourceFile, list_files, open_folder
from worker.archive.tasks import Work
from worker.errors import WorkerError
from worker.ledger import Ledger
from worker.ledger import Proof as LedgerProof
from worker.progress import OnProgress
from worker.replay.plan.file import OutcomeCounts
from worker.runtime import VERSION
from worker.verifying.findings import Findings


@dataclass
class ArchiveVerdict:
    """``again`` rows were upcast again by the chain's reference."""

    findings: Findings = field(default_factory=Findings)
    rows: int = 0
    events: int = 0
    dead_letters: int = 0
    again: int = 0
    seconds: float = 0.0


def verify(receipt: ArchiveReceipt, work: Work, runner: Runner, show: OnProgress, every: int = EVERY) -> ArchiveVerdict:
    """Read the archive and what was written of it. Raises WorkerError where neither can be reached."""
    began = time.monotonic()
    files = tuple(SourceFile(each.path, each.size, each.modified) for each in receipt.files)
    verdict = ArchiveVerdict()
    for path in _unseen(receipt, work):
        verdict.findings.leave_open("not in the receipt", f"{work.archive}: {path} is new since the run: plan it, too")
    for place in _strangers(receipt, work):
        verdict.findings.add("without a source", f"{work.destination}: {place} is of no file of the archive")
    proof = Proof(work, files, tuple(each.counts for each in receipt.files), every)
    meter = Meter({number: file.size for number, file in enumerate(files)}, show)
    for _, told in meter.watch(runner(proof, range(len(files)), meter.part)):
        for kind, count in told["kinds"].items():
            examples = told["examples"][kind]
            add = verdict.findings.leave_open if kind == SOURCE else verdict.findings.add
            for place in examples:
                add(kind, place)
            if count > len(examples):
                add(kind, examples[-1], count - len(examples))
        counts = OutcomeCounts.model_validate(told["counts"])
        verdict.rows += counts.read
        verdict.events += counts.produced
        verdict.dead_letters += counts.dead_lettered
        verdict.again += told["again"]
    verdict.seconds = time.monotonic() - began
    return verdict


def record_proof(ledger: Ledger, receipt: ArchiveReceipt, verdict: ArchiveVerdict) -> None:
    """Keep the verdict in the ledger, which knows the run. Raises WorkerError."""
    ledger.save_proof(
        LedgerProof(
            replay_id=receipt.run_id,
            made=datetime.now(UTC),
            worker_version=VERSION,
            records=verdict.rows,
            findings=verdict.findings.wrong,
            undecided=verdict.findings.undecided,
        )
    )


def _unseen(receipt: ArchiveReceipt, work: Work) -> Iterator[str]:
    known = {file.path for file in receipt.files}
    return (file.path for file in list_files(work.archive, receipt.work.include) if file.path not in known)


def _strangers(receipt: ArchiveReceipt, work: Work) -> Iterator[str]:
    folder = open_folder(work.destination)
    for kind in (EVENTS, DEAD_LETTERS, SKIPPED):
        known = {place_of(kind, file.path) for file in receipt.files}
        try:
            found = folder.get_file_info(fs.FileSelector(kind, recursive=True, allow_not_found=True))
        except OSError as error:
            raise WorkerError(f"{work.destination}: cannot be listed: {error}", code="UPC1951") from None
        yield from sorted(info.path for info in found if info.type == fs.FileType.File and info.path not in known)
