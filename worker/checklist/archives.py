"""Evidence about archives: that each which was brought up holds all that it held."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from worker.archive.files import ArchiveReceipt
from worker.checklist.evidence import Evidence, Facts, failed, passed, unknown
from worker.ledger import Ledger, Run

KIND = "archive"
"""Of their runs in the ledger."""


async def archives_proved(facts: Facts) -> list[Evidence]:
    """For each archive of the routes its newest run: finished, and found PASS by `upcast archive verify`."""
    return await asyncio.to_thread(_proved, facts)


def _proved(facts: Facts) -> list[Evidence]:
    runs = [run for run in facts.ledger.runs() if run.kind == KIND and run.route in facts.chains]
    return [_evidence(facts.ledger, run, place) for run, place in _newest(facts.ledger, runs)]


def _newest(ledger: Ledger, runs: Sequence[Run]) -> Iterator[tuple[Run, str]]:
    """The newest run of each archive; one that is not finished, only where none of its route is that came later."""
    seen: set[tuple[str, str]] = set()
    for run in runs:
        place = _archive_of(ledger, run)
        if (run.route, place) in seen or (not place and any(route == run.route for route, _ in seen)):
            continue
        seen.add((run.route, place))
        yield run, place


def _archive_of(ledger: Ledger, run: Run) -> str:
    kept = ledger.receipt(run.replay_id)
    if kept is None:
        return ""
    receipt = ArchiveReceipt.model_validate({name: value for name, value in kept.items() if name != "digest"})
    return receipt.work.archive


def _evidence(ledger: Ledger, run: Run, place: str) -> Evidence:
    name = f"{run.route}: archive {place}" if place else f"{run.route}: an archive"
    if run.state != "finished":
        return failed(
            f"{name}: run {run.replay_id} is {run.as_of(datetime.now(UTC)).told}: run `upcast archive run` to its end"
        )
    proof = ledger.proof(run.replay_id)
    if proof is None:
        return unknown(f"{name}: run {run.replay_id} is finished and not verified: run `upcast archive verify`")
    when = f"{proof.made:%Y-%m-%d %H:%M}Z"
    if proof.findings:
        return failed(f"{name}: `upcast archive verify` found {proof.findings:,} differences ({when})")
    if proof.undecided:
        return unknown(f"{name}: `upcast archive verify` was UNDECIDED on {proof.undecided:,} ({when})")
    return passed(f"{name}: run {run.replay_id}, {proof.records:,} rows, verified {when}: PASS")
