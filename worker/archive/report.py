"""Plans, receipts and verdicts of archives as text for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from upcast_authoring.counted import counted
from worker.archive.files import ArchivePlan, ArchiveReceipt
from worker.archive.verifying import ArchiveVerdict
from worker.replay.plan.file import OutcomeCounts

CENSUS_COLUMNS = ("type", "version", "rows", "share", "would be", "why")
FAULT_COLUMNS = ("fingerprint", "rows", "error", "version", "where", "first at", "allowed")


def outcome_text(counts: OutcomeCounts) -> str:
    skipped = ", ".join(f"{count:,} skipped ({reason})" for reason, count in counts.skipped.items()) or "0 skipped"
    return (
        f"{counted(counts.read, 'row')}: {counts.upcast:,} upcast, {counts.passed:,} passed, {skipped}, "
        f"{counts.dead_lettered:,} dead-lettered"
    )


def files_text(files: Sequence[object]) -> str:
    return counted(len(files), "file")


def summary(plan: ArchivePlan) -> Iterator[str]:
    work, size = plan.work, sum(file.size for file in plan.files)
    yield f"{work.archive} -> {work.destination}, chain {work.chain} ({work.chain_fingerprint})"
    yield f"{files_text(plan.files)} of {size:,} bytes, {outcome_text(plan.counts)}"
    if plan.counts.tombstones:
        yield f"{plan.counts.tombstones:,} become tombstones"
    lost, different = len(plan.loss.lost), plan.determinism.different
    yield (
        f"{plan.loss.compared} events compared field by field: {lost or 'no'} paths lost; "
        f"{plan.determinism.compared} upcast twice: {different or 'none'} different"
    )
    for path in plan.loss.unjudged:
        yield f"unknown whether {path} is lost: the chain accepts no other value there"
    yield f"a run writes {plan.counts.produced:,} events; the dry run took {plan.seconds:.1f} s"
    for warning in plan.warnings:
        yield f"warning: {warning}"


def census_cells(plan: ArchivePlan) -> Iterator[tuple[str, ...]]:
    total = max(1, plan.counts.read)
    for kind in plan.census:
        share = f"{100 * kind.rows / total:.1f} %"
        yield (
            kind.event_type or "-",
            kind.version or "-",
            f"{kind.rows:,}",
            share,
            kind.outcome,
            kind.reason or "-",
        )


def fault_cells(plan: ArchivePlan) -> Iterator[tuple[str, ...]]:
    for group in plan.dead_letters:
        yield (
            group.fingerprint,
            f"{group.count:,}",
            group.error_type,
            group.from_version or "-",
            group.where or "-",
            str(group.samples[0]) if group.samples else "-",
            "yes" if group.fingerprint in plan.allowed else "no",
        )


def verdict_line(receipt: ArchiveReceipt, verdict: ArchiveVerdict) -> str:
    rows, events = counted(verdict.rows, "row"), counted(verdict.events, "event")
    dead = counted(verdict.dead_letters, "dead letter")
    return (
        f"{verdict.findings.result}: run {receipt.run_id}: {rows} of {files_text(receipt.files)}, {events}, {dead}, "
        f"{verdict.again:,} upcast again, in {verdict.seconds:.1f} s"
    )


def verdict_content(receipt: ArchiveReceipt, verdict: ArchiveVerdict) -> dict[str, Any]:
    findings = verdict.findings
    return {
        "run_id": receipt.run_id,
        "verdict": findings.result,
        "rows": verdict.rows,
        "events": verdict.events,
        "dead_letters": verdict.dead_letters,
        "upcast_again": verdict.again,
        "findings": [
            {
                "kind": kind,
                "count": count,
                "undecided": kind in findings.open,
                "examples": findings.examples[kind],
            }
            for kind, count in findings.counts.items()
        ],
    }
