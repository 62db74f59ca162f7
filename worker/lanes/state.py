"""The states of a lane and the ways between them. A way that is not in the table is an error of ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from enum import StrEnum


class LaneState(StrEnum):
    STARTING = "starting"
    """The producer starts (which fences the old owner), then the committed offset is read and sought."""
    RUNNING = "running"
    PAUSED = "paused"
    """An operator asked for it; what was in flight is committed."""
    BREAKER_OPEN = "breaker-open"
    """Too many dead letters; what was in flight is committed."""
    BLOCKED = "blocked"
    """It needs a person: nothing takes a record, or nothing can be known of its batch or its partition. What was open
    was aborted."""
    REBUILDING = "rebuilding"
    """Something unclear happened: the producer is thrown away and, after a pause, the lane starts again."""
    DRAINING = "draining"
    """The partition goes, or the worker stops: finish what is open, begin nothing."""
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
    """The lane's code asked for a way that the table does not have."""


class StateMachine:
    """Holds a lane's state; ``observe`` is called with the old state, the new one and the reason."""

    def __init__(self, observe: Callable[[LaneState, LaneState, str], None]) -> None:
        self.state = LaneState.STARTING
        self.reason = ""
        self.since = int(time.time())
        """When it came to this state (Unix time)."""
        self._observe = observe

    def move(self, to: LaneState, reason: str = "") -> None:
        if to is self.state:
            return
        if to not in TRANSITIONS[self.state]:
            raise IllegalTransitionError(f"a lane cannot go from {self.state} to {to}")
        before, self.state, self.reason, self.since = self.state, to, reason, int(time.time())
        self._observe(before, to, reason)
