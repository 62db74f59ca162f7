"""What the world may know of a lane."""

from __future__ import annotations

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
