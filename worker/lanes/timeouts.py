"""Timeouts of lanes, in seconds. Only tests change them."""

from __future__ import annotations

from dataclasses import dataclass

from worker.settings.kafka import DRAIN_SECONDS


@dataclass(frozen=True)
class Timeouts:
    """A stop takes at most ``drain + abort + 2 * stop``, a revocation ``stop`` less."""

    start: float = 30.0
    """Starting a producer and reading the offsets."""
    operation: float = 30.0
    """Sending batches until they are acknowledged, or a commit. What takes longer has an unclear result and is
    repeated."""
    abort: float = 2.0
    stop: float = 1.0
    drain: float = DRAIN_SECONDS

    unstable: float = 5.0
    """How long the group's offset may be unstable at a lane's start. After a failover that is common."""
    look_again: float = 1.0
    """Between two checks of an unstable offset that blocks a lane."""

    first_pause: float = 0.1
    longest_pause: float = 20.0
    denied_pause: float = 5.0
    """Between two attempts while a right is missing."""
    fenced_pause: float = 3.0
    """About a heartbeat: time to learn that the partition has another owner, before fencing it in turn."""

    nothing_known: float = 60.0
    """How long a lane asks again where the group has no offset although it has written output lately."""

    second_look: float = 2.0
    """Before a broker's answer that a partition has lost records counts: time to learn who leads it."""
    look_for_decision: float = 5.0
    """Between two checks whether a person has decided about it."""

    fetch_wait: float = 0.1
    idle_wait: float = 0.5
    """The wait of a fetch while every lane wants records."""
    busy_wait: float = 0.01
    """The wait of a fetch while some lane has no room or starts, so that the next fetch comes soon."""
    gather: float = 0.19
    """How long a broker gathers records for a fetch under low load: each fetch costs each lane a transaction."""
    believed: float = 0.5
    """How long after a commit the group's offset is assumed unchanged."""
    slice: float = 0.01
    """How long a lane may keep the event loop."""
    tick: float = 1.0
    stuck_after: float = 120.0
    held_back_after: float = 60.0
    """How long an open transaction may hide all new records before the lane is not ready."""
