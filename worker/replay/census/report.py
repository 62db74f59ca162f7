"""A census as text for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from upcasters import Chain
from worker.replay.census.counting import CensusLine, EventKind, Survey
from worker.replay.census.retiring import Retiring, old_versions
from worker.routes.chains import RouteChain
from worker.times import time_text

COLUMNS = ("type", "version", "shape", "records", "share", "bytes", "first seen", "last seen", "by partition", "note")
SPARE = ("by partition", "first seen", "bytes", "shape", "share")
"""What a narrow screen leaves out, in this order."""
MOST_SHARES = 6
RETIRE_COLUMNS = ("type", "version", "step", "producer", "records", "last seen", "why", "may go")
RETIRE_SPARE = ("step", "records")


def summary(found: Survey, given: RouteChain) -> Iterator[str]:
    """What was counted, in a line or two, and what could not be."""
    yield _read(found, given)
    for each in found.hidden:
        yield f"not counted: {each}: {each.fix}, then count again"


def _read(found: Survey, given: RouteChain) -> str:
    offsets = sum(each.offsets for each in found.ranges)
    records, events = found.census.records, found.census.events
    if not offsets:
        return f"{given.route.source}: the range is empty, there is nothing to count"
    without = f", {offsets - records:,} offsets hold no visible record" if offsets > records else ""
    held = f" that hold {events:,} events" if events != records else ""
    where = f"in {len(found.ranges)} partitions"
    return f"{given.route.source}: {records:,} records{held} {where}, {found.seconds:.1f} s{without}"


def retirable(found: Survey, chain: Chain) -> list[tuple[str, str]]:
    """Old versions of which the range holds nothing; `--retire` says whether their steps may be removed."""
    there = {kind[:2] for kind in found.census.lines}
    old = [(event_type, version) for event_type in chain.types for version in old_versions(chain, event_type)]
    return [node for node in old if node not in there]


def as_cells(found: Survey, chain: Chain) -> Iterator[tuple[str, ...]]:
    """A row for each kind, and one for each old version of which the range holds nothing."""
    total = found.census.events
    for kind, line in _ordered(found, chain):
        seen = line.seen
        yield (
            kind.event_type or "-",
            kind.version or "-",
            kind.shape or "-",
            f"{seen.records:,}",
            f"{100 * seen.records / total:.1f} %",
            f"{seen.bytes:,}",
            time_text(seen.first),
            time_text(seen.last),
            _shares(line),
            ", ".join(filter(None, (kind.problem, kind.schema and f"schema {kind.schema}"))),
        )
    for event_type, version in retirable(found, chain):
        yield (event_type, version, "-", "0", "0.0 %", "0", "-", "-", "-", "none found: see --retire")


def content(found: Survey, given: RouteChain) -> dict[str, Any]:
    return {
        **_header(found, given),
        "records": found.census.records,
        "events": found.census.events,
        "kinds": [_kind(kind, line) for kind, line in _ordered(found, given.chain)],
        "not_there": [
            {"type": event_type, "version": version} for event_type, version in retirable(found, given.chain)
        ],
    }


def retire_cells(lines: Iterable[Retiring]) -> Iterator[tuple[str, ...]]:
    for line in lines:
        yield (
            line.event_type,
            line.version or "-",
            line.step,
            line.producer or "-",
            f"{line.records:,}",
            time_text(line.last_seen),
            line.why,
            line.may_go,
        )


def retire_content(lines: Sequence[Retiring], found: Survey, given: RouteChain) -> dict[str, Any]:
    listed = [{**asdict(line), "last_seen": time_text(line.last_seen)} for line in lines]
    return {**_header(found, given), "whole_topic_read": found.whole, "versions": listed}


def _header(found: Survey, given: RouteChain) -> dict[str, Any]:
    return {
        "source": given.route.source,
        "chain": given.chain.fingerprint,
        "ranges": [asdict(each) for each in found.ranges],
        "hidden": [each.content() for each in found.hidden],
    }


def _kind(kind: EventKind, line: CensusLine) -> dict[str, Any]:
    seen = line.seen
    return {
        "type": kind.event_type,
        "version": kind.version,
        "shape": kind.shape,
        "problem": kind.problem,
        "schema": kind.schema,
        "records": seen.records,
        "bytes": seen.bytes,
        "first_seen": time_text(seen.first),
        "last_seen": time_text(seen.last),
        "by_partition": {str(number): count for number, count in sorted(line.by_partition.items())},
    }


def _ordered(found: Survey, chain: Chain) -> list[tuple[EventKind, CensusLine]]:
    """In the chain's own order; what it does not know behind it."""
    order = {node: place for place, node in enumerate(chain.versions)}
    last = len(order)
    return sorted(found.census.lines.items(), key=lambda item: (order.get(item[0][:2], last), item[0]))


def _shares(line: CensusLine) -> str:
    """``0: 60 %, 1: 40 %``: where the records of this kind are; of many partitions the fullest. JSON has all."""
    total, found = line.seen.records, line.by_partition
    most = sorted(found, key=lambda number: (-found[number], number))[:MOST_SHARES]
    shown = ", ".join(f"{number}: {100 * found[number] / total:.0f} %" for number in sorted(most))
    return shown + (f", {len(found) - len(most)} more" if len(found) > len(most) else "")
