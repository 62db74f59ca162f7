"""What the world may know of a lane, and why lanes are not ready: partitions in the same trouble are one reason,
however many they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LaneStatus:
    """Offsets are None until they are known. ``reason`` says why the lane is not running, or is slow.

    What is held back stands behind somebody's open transaction: how many offsets, and for how long they have.
    """

    topic: str
    partition: int
    state: str
    reason: str
    position: int | None
    committed: int | None
    end: int | None
    lag: int | None
    lag_seconds: float | None
    in_flight_records: int
    in_flight_bytes: int
    breaker: str
    """Why the breaker is open; empty while it is closed."""
    held_back_records: int | None = None
    held_back_seconds: float | None = None
    since: int = 0
    """When it came to its state (Unix time)."""


MOST = 100
"""Reasons. An orchestrator reads none of them, and a person not so many."""
MOST_RANGES = 8


def reasons(lanes: Iterable[LaneStatus]) -> list[str]:
    """One line for the lanes of a topic that are in the same state for the same reason."""
    alike = defaultdict[tuple[str, str, str], list[int]](list)
    for lane in lanes:
        alike[lane.topic, lane.state, lane.reason].append(lane.partition)
    found = [
        f"{topic}:{ranges(partitions)}: {state}" + (f" ({reason})" if reason else "")
        for (topic, state, reason), partitions in alike.items()
    ]
    left = len(found) - MOST
    return [*found[:MOST], f"and {left} more: see /v2/status"] if left > 0 else found


def ranges(partitions: Sequence[int]) -> str:
    """``0-3,7`` of partitions in their order; of many pieces the first ones."""
    pieces = [str(first) if first == last else f"{first}-{last}" for first, last in _runs(partitions)]
    shown = ",".join(pieces[:MOST_RANGES])
    return f"{shown},... ({len(partitions)} partitions)" if len(pieces) > MOST_RANGES else shown


def _runs(partitions: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = last = partitions[0]
    for each in partitions[1:]:
        if each != last + 1:
            yield first, last
            first = each
        last = each
    yield first, last
