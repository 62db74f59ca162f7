"""The records of the ledger: coordinates, counts and digests, never a value of an event."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

RunState = Literal["running", "interrupted", "stopped", "finished", "failed"]
"""``interrupted`` is never written: `Run.as_of` finds it."""

SILENT = timedelta(seconds=30)
"""A run whose process has not reported for so long has lost it: it was killed, or its machine was."""


@dataclass(frozen=True)
class Run:
    """One bounded pass. ``kind`` is ``replay``, ``redrive`` or ``archive``, which has no cluster and partitions.

    ``route`` is its source topic; times are aware (UTC). ``reported`` is when a process that works on it last said so.
    """

    replay_id: str
    plan_digest: str
    cluster_id: str
    route: str
    started: datetime
    worker_version: str
    kind: str = "replay"
    reason: str = ""
    state: RunState = "running"
    ended: datetime | None = None
    reported: datetime | None = None

    @property
    def last_seen(self) -> datetime:
        """When a process last worked on it. A run of an older worker has only the time of its start."""
        return self.reported or self.started

    def as_of(self, now: datetime) -> Run:
        """The run as a person is told of it at ``now``: interrupted where no process has reported for too long."""
        if self.state == "running" and now - self.last_seen > SILENT:
            return replace(self, state="interrupted")
        return self

    @property
    def told(self) -> str:
        """Its state, in words."""
        if self.state != "interrupted":
            return self.state
        return f"interrupted since {self.last_seen.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True)
class PartitionProgress:
    """How far a run is in one partition: ``[start, committed)`` of ``[start, end)`` is done.

    ``digest`` is the running digest of all that was read and written so far, as the offset commit carries it.
    """

    replay_id: str
    topic: str
    partition: int
    start: int
    end: int
    committed: int
    digest: str = ""


@dataclass(frozen=True)
class Proof:
    """The last verification of a receipt: ``findings`` is the number of differences, ``undecided`` of what could not be
    decided; both 0 for PASS. ``made`` is an aware time (UTC)."""

    replay_id: str
    made: datetime
    worker_version: str
    records: int
    findings: int
    undecided: int = 0


@dataclass(frozen=True)
class AllowedOverlap:
    """An operator allowed the live worker of ``group`` to start beside a replay, although both write the same offsets.
    ``noted`` is an aware time (UTC)."""

    replay_id: str
    noted: datetime
    group: str
    worker_version: str


@dataclass(frozen=True)
class DeadLetterSummary:
    """The dead letters of a run with one fault. Times in milliseconds, as the records carry them; -1 unknown."""

    replay_id: str
    fingerprint: str
    count: int
    stage: str
    error_type: str
    event_type: str = ""
    from_version: str = ""
    to_version: str = ""
    step: str = ""
    first_seen: int = -1
    last_seen: int = -1
