"""Applies a plan: each file once, and a receipt at the end. Called again after an end, it goes on where it was."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from worker.archive.files import ArchivePlan, ArchiveReceipt, FileReceipt, total, write_receipt
from worker.archive.meter import Meter
from worker.archive.runners import Runner
from worker.archive.sources import SourceFile, list_files
from worker.archive.tasks import Work
from worker.archive.upcasting import Accounts, Upcasting
from worker.errors import MAY_PASS, WorkerError
from worker.ledger import Ledger, Run
from worker.ledger.heartbeat import reporting
from worker.progress import OnProgress
from worker.replay.plan.file import OutcomeCounts
from worker.runtime import VERSION

KIND = "archive"
"""Of such runs in the ledger."""


@dataclass(frozen=True)
class RunOptions:
    """``receipt`` is where to write it; ``ledger`` is None where no configuration was given."""

    receipt: Path
    reason: str = ""
    ledger: Ledger | None = None


def run(plan: ArchivePlan, work: Work, options: RunOptions, runner: Runner, show: OnProgress) -> ArchiveReceipt:
    """Bring up all files that are not done yet. Raises WorkerError; nothing half written has a name then."""
    if objections := plan.objections():
        raise WorkerError("\n".join(f"not allowed: {line}" for line in objections), code="UPC1952")
    files = tuple(SourceFile(each.path, each.size, each.modified) for each in plan.files)
    accounts = Accounts(work.destination, plan.run_id)
    _refuse_finished(accounts, plan, options.receipt)
    _refuse_changes(files, list_files(work.archive, plan.work.include), work.archive)
    began = accounts.begin({"started": datetime.now(UTC).isoformat(timespec="seconds"), "reason": options.reason})
    _begin(options, plan)
    done = accounts.done(len(files))
    left = [number for number in range(len(files)) if number not in done]
    meter = Meter({number: files[number].size for number in left}, show)
    finished = False
    try:
        with reporting(options.ledger, plan.run_id) if options.ledger else nullcontext():
            for number, account in meter.watch(runner(Upcasting(work, files, plan.run_id), left, meter.part)):
                done[number] = dict(account)
        finished = True
    finally:
        if not finished and options.ledger is not None:
            with suppress(WorkerError):  # a ledger that is gone would hide why the run ended
                options.ledger.end_run(plan.run_id, "stopped", datetime.now(UTC))
    receipt = _receipt(plan, options, done, str(began["started"]), str(began.get("reason", "")))
    accounts.keep_receipt(receipt.sealed())
    _end(options, receipt)
    write_receipt(receipt, options.receipt)
    _refuse_surprises(plan, receipt)
    return receipt


def _receipt(
    plan: ArchivePlan, options: RunOptions, done: dict[int, dict[str, object]], started: str, reason: str
) -> ArchiveReceipt:
    return ArchiveReceipt(
        run_id=plan.run_id,
        plan_digest=plan.digest(),
        worker_version=VERSION,
        reason=reason or options.reason,
        started=datetime.fromisoformat(started),
        ended=datetime.now(UTC).replace(microsecond=0),
        work=plan.work,
        files=tuple(
            FileReceipt(
                path=file.path,
                size=file.size,
                modified=file.modified,
                counts=OutcomeCounts.model_validate(done[number]),
            )
            for number, file in enumerate(plan.files)
        ),
    )


def _refuse_finished(accounts: Accounts, plan: ArchivePlan, file: Path) -> None:
    kept = accounts.receipt()
    if kept is None or kept.get("run_id") != plan.run_id:
        return
    receipt = ArchiveReceipt.model_validate({name: value for name, value in kept.items() if name != "digest"})
    if not file.exists():
        write_receipt(receipt, file)
    raise WorkerError(
        f"run {plan.run_id} is finished, {plan.work.destination} holds all of it; its receipt is {file}: check it with "
        f"`upcast archive verify {file}`",
        code="UPC1952",
    )


def _refuse_changes(planned: Sequence[SourceFile], found: Sequence[SourceFile], archive: str) -> None:
    """What the archive holds is what was planned, file by file."""
    before, now = ({file.path: file for file in files} for files in (planned, found))
    for path in sorted(before.keys() | now.keys()):
        if before.get(path) != now.get(path):
            what = "is new" if path not in before else "is gone" if path not in now else "has changed"
            raise WorkerError(f"{archive}: {path} {what} since the plan: plan again", code="UPC1952")


def _refuse_surprises(plan: ArchivePlan, receipt: ArchiveReceipt) -> None:
    for planned, done in zip(plan.files, receipt.files, strict=True):
        if planned.counts != done.counts:
            raise WorkerError(
                f"{planned.path} came out with other counts than planned, so the chain depends on something beside the "
                f"event: see `upcast archive verify`",
                MAY_PASS,
                code="UPC1952",
            )


def _begin(options: RunOptions, plan: ArchivePlan) -> None:
    if options.ledger is None:
        return
    if options.ledger.run(plan.run_id) is not None:
        options.ledger.end_run(plan.run_id, "running")
        return
    options.ledger.start_run(
        Run(
            replay_id=plan.run_id,
            plan_digest=plan.digest(),
            cluster_id="",
            route=plan.work.route,
            started=datetime.now(UTC),
            worker_version=VERSION,
            kind=KIND,
            reason=options.reason,
        )
    )


def _end(options: RunOptions, receipt: ArchiveReceipt) -> None:
    if options.ledger is not None:
        options.ledger.save_receipt(receipt.run_id, receipt.sealed())
        options.ledger.end_run(receipt.run_id, "finished", receipt.ended)


def counts_of(receipt: ArchiveReceipt) -> OutcomeCounts:
    """Of all files together."""
    return total([file.counts for file in receipt.files])
