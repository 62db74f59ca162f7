"""A plan as text for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from upcast_authoring.counted import counted
from worker.replay.plan.file import Coordinates, Plan

HOP_COLUMNS = ("type", "from", "to", "step", "records")
FAULT_COLUMNS = ("fingerprint", "records", "stage", "error", "version", "step", "path", "first at", "allowed")
SPARE = ("first at", "stage", "version", "path", "step")
"""Columns of faults that a narrow screen leaves out, in this order."""


def summary(plan: Plan) -> Iterator[str]:
    counts, route = plan.counts, plan.route
    offsets = sum(max(0, each.end - each.start) for each in plan.ranges)
    yield f"{route.source} -> {route.destination}, chain {route.chain} ({route.chain_fingerprint})"
    if not offsets:
        yield f"the range is empty: there is nothing to {plan.activity}"
        yield from _warnings(plan)
        return
    skipped = ", ".join(f"{count:,} skipped ({reason})" for reason, count in counts.skipped.items()) or "0 skipped"
    yield (
        f"{counted(counts.read, 'record')} in {counted(len(plan.ranges), 'partition')}: {counts.upcast:,} upcast, "
        f"{counts.passed:,} passed, {skipped}, {counts.dead_lettered:,} would be dead letters"
    )
    if counts.tombstones:
        yield f"{counts.tombstones:,} become tombstones: a compacted topic then forgets what has their key"
    for seen in plan.observed:
        yield (
            f"{seen.records:,} violate the model of {seen.event_type} {seen.version or '(no version)'} and are "
            f"written anyway: {seen.path or 'the document'}: {seen.message}"
        )
    lost = len(plan.loss.lost)
    yield (
        f"{plan.loss.compared} events compared field by field: {lost or 'no'} paths lost; "
        f"{plan.determinism.compared} upcast twice: {plan.determinism.different or 'none'} different"
    )
    for path in plan.loss.unjudged:
        yield f"unknown whether {path} is lost: the chain accepts no other value there"
    estimate = plan.estimate
    yield f"a {plan.activity} writes {estimate.output_records:,} records, about {estimate.output_bytes:,} bytes"
    yield (
        f"the dry run took {_seconds(estimate.seconds)}, {estimate.records_per_second:,} records a second as measured; "
        f"a {plan.activity} also writes, so it takes longer"
    )
    yield from _warnings(plan)


def _warnings(plan: Plan) -> Iterator[str]:
    return (f"warning: {warning}" for warning in plan.warnings)


def hop_cells(plan: Plan) -> Iterator[tuple[str, ...]]:
    for hop in plan.hops:
        yield (hop.event_type, hop.source or "-", hop.target or "-", hop.step, f"{hop.records:,}")


def fault_cells(plan: Plan) -> Iterator[tuple[str, ...]]:
    for group in plan.dead_letters:
        yield (
            group.fingerprint,
            f"{group.count:,}",
            group.stage,
            group.error_type,
            group.from_version or "-",
            group.step or "-",
            group.path or "-",
            _place(group.samples),
            "yes" if group.fingerprint in plan.allowed else "no",
        )


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def _place(samples: tuple[Coordinates, ...]) -> str:
    return f"{samples[0].partition}:{samples[0].offset}" if samples else "-"
