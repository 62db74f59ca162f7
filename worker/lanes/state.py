"""The states of a lane, its transitions, and its status for operators."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import structlog
from pydantic import BaseModel, ConfigDict, Field

log = structlog.get_logger("worker.lanes.lane")
"""Transitions bear the name of the lane's own module, as they always have."""


class LaneState(StrEnum):
    STARTING = "starting"
    """The producer starts, which fences the last owner; then the lane reads the committed offset and seeks."""
    RUNNING = "running"
    PAUSED = "paused"
    """An operator paused the route; what was in flight is committed."""
    BREAKER_OPEN = "breaker-open"
    """Too many dead letters; what was in flight is committed."""
    BLOCKED = "blocked"
    """The lane needs a person: no topic accepts a record, or its batch cannot be read, or the group's offset is
    unknown. The open transaction was aborted."""
    REBUILDING = "rebuilding"
    """An error with unclear effect occurred: the lane discards the producer and, after a pause, starts again."""
    DRAINING = "draining"
    """The partition is revoked, or the worker stops: the lane finishes its open transaction and begins none."""
    STOPPED = "stopped"


TRANSITIONS: Mapping[LaneState, frozenset[LaneState]] = {
    LaneState.STARTING: frozenset({LaneState.RUNNING, LaneState.BLOCKED, LaneState.REBUILDING, LaneState.DRAINING}),
    LaneState.RUNNING: frozenset(
        {
            LaneState.PAUSED,
            LaneState.BREAKER_OPEN,
            LaneState.BLOCKED,
            LaneState.REBUILDING,
            LaneState.DRAINING,
        }
    ),
    LaneState.PAUSED: frozenset({LaneState.RUNNING, LaneState.BREAKER_OPEN, LaneState.REBUILDING, LaneState.DRAINING}),
    LaneState.BREAKER_OPEN: frozenset({LaneState.RUNNING, LaneState.PAUSED, LaneState.REBUILDING, LaneState.DRAINING}),
    LaneState.BLOCKED: frozenset({LaneState.STARTING, LaneState.DRAINING}),
    LaneState.REBUILDING: frozenset({LaneState.STARTING, LaneState.DRAINING}),
    LaneState.DRAINING: frozenset({LaneState.STOPPED}),
    LaneState.STOPPED: frozenset(),
}


class IllegalTransitionError(RuntimeError):
    """The code asked for a transition that is not in the table."""


class StateMachine:
    """Holds a lane's state; ``observe`` is called with the old state, the new one and the reason."""

    def __init__(self, observe: Callable[[LaneState, LaneState, str], None]) -> None:
        self.state = LaneState.STARTING
        self.reason = ""
        self.since = int(time.time())
        """Unix time of the last transition."""
        self._observe = observe

    def move(self, to: LaneState, reason: str = "") -> None:
        if to is self.state:
            return
        if to not in TRANSITIONS[self.state]:
            raise IllegalTransitionError(f"a lane cannot go from {self.state} to {to}")
        before, self.state, self.reason, self.since = self.state, to, reason, int(time.time())
        self._observe(before, to, reason)


TROUBLED = frozenset({LaneState.REBUILDING, LaneState.BREAKER_OPEN, LaneState.BLOCKED})


class TransitionLog:
    """For ``StateMachine``: logs each transition with ``names``. Attempts that fail as the one before are logged at
    debug level."""

    def __init__(self, **names: str | int) -> None:
        self._names = names
        self._told = ""

    def __call__(self, before: LaneState, after: LaneState, reason: str) -> None:
        troubled = after in TROUBLED
        again = (before is LaneState.REBUILDING and after is LaneState.STARTING) or (troubled and reason == self._told)
        if troubled or after is LaneState.RUNNING:
            self._told = reason
        loud = log.error if after is LaneState.BLOCKED else log.warning if troubled else log.info
        level = log.debug if again else loud
        level("lane", before=before, state=after, **self._names, **({"reason": reason} if reason else {}))


class LaneStatus(BaseModel):
    """One assigned partition. Offsets are None until they are known."""

    model_config = ConfigDict(frozen=True)

    topic: str
    partition: int
    state: str
    position: int | None = None
    committed: int | None = None
    end: int | None = Field(None, description="Last stable offset: what can be read.")
    lag: int | None = Field(None, description="end - committed")
    lag_seconds: float | None = Field(None, description="Age of the oldest record not committed.")
    reason: str = Field("", description="Why the lane is not running, or is slow.")
    since: datetime | None = Field(None, description="When the lane came to its state.")
    breaker: str = Field("", description="Why the breaker is open; empty while it is closed.")
    in_flight_records: int = 0
    in_flight_bytes: int = 0


class MeasuredLane(NamedTuple):
    """A lane's status, and how many offsets an open transaction hides, for how many seconds; None where unknown. The
    latter two change all the time, so only metrics have them."""

    status: LaneStatus
    held_back_records: int | None = None
    held_back_seconds: float | None = None


MOST_REASONS = 100
"""The most reasons in one answer: more than that nobody reads."""
MOST_RANGES = 8


def reasons(lanes: Iterable[LaneStatus]) -> list[str]:
    """One line for all lanes of a topic that are in the same state for the same reason."""
    alike = defaultdict[tuple[str, str, str], list[int]](list)
    for lane in lanes:
        alike[lane.topic, lane.state, lane.reason].append(lane.partition)
    found = [
        f"{topic}:{ranges(partitions)}: {state}" + (f" ({reason})" if reason else "")
        for (topic, state, reason), partitions in alike.items()
    ]
    left = len(found) - MOST_REASONS
    return [*found[:MOST_REASONS], f"and {left} more: see /v2/status"] if left > 0 else found


def ranges(partitions: Sequence[int]) -> str:
    """Sorted partitions as ``0-3,7``; of many ranges the first ones and the total."""
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
