"""How long things may take, in seconds. Tests shorten some; nobody else needs to."""

from __future__ import annotations

from dataclasses import dataclass

from worker.settings.kafka import DRAIN_SECONDS


@dataclass(frozen=True)
class Timeouts:
    """A stop takes ``drain + abort + 2 * stop`` at worst, a revoke ``stop`` less."""

    start: float = 30.0
    """A producer's start, and reading the offsets."""
    operation: float = 30.0
    """Handing over batches, their acknowledgement, a commit. What comes later is unclear, and is done again."""
    abort: float = 2.0
    stop: float = 1.0
    drain: float = DRAIN_SECONDS

    unstable: float = 5.0
    """So long the group's offset may be on its way at a lane's start. Behind a failover that is common."""
    look_again: float = 1.0
    """Between two looks at an offset that holds up a lane."""

    first_pause: float = 0.1
    longest_pause: float = 20.0
    denied_pause: float = 5.0
    """A right comes back when a person gives it."""
    fenced_pause: float = 3.0
    """About a heartbeat: time to learn that the partition is somebody else's before fencing him in turn."""

    second_look: float = 2.0
    """Before one broker's word that a partition has lost something counts: time to learn who leads it."""
    look_for_decision: float = 5.0
    """Between two looks whether somebody has decided about it."""

    fetch_wait: float = 0.1
    idle_wait: float = 0.5
    """The wait for data while every lane wants some, so that nothing else can change what is asked for."""
    busy_wait: float = 0.01
    """The wait for data while some lane has no room or is about to start, so that it is asked again soon."""
    gather: float = 0.19
    """So long a fetch gathers records at the broker, with little to do: each one costs a transaction a lane."""
    believed: float = 0.5
    """So long after a commit the group's offset is taken for the same: longer than between two of a trickle."""
    slice: float = 0.01
    """How long the event loop may be kept from everything else."""
    tick: float = 1.0
    stuck_after: float = 120.0
    held_back_after: float = 60.0
    """So long a lane may read nothing, behind a transaction that is open while more is written, and be ready."""
