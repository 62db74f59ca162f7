"""The rate of a route: its lanes in this process share one allowance."""

from __future__ import annotations

BURST = 0.25
"""Seconds of the rate that one transaction may take at once."""


class Throttle:
    """Spends first and waits afterwards, so that a lane never sleeps inside a transaction."""

    def __init__(self, records_per_second: float | None = None) -> None:
        self.records_per_second = records_per_second
        self._free_at = 0.0

    def limit(self, records_per_second: float | None) -> None:
        self.records_per_second = records_per_second
        self._free_at = 0.0

    def allowance(self) -> int | None:
        """How many records a transaction may take; None for any number."""
        return max(1, int(self.records_per_second * BURST)) if self.records_per_second else None

    def delay(self, now: float) -> float:
        """Seconds until the next transaction may begin."""
        return max(0.0, self._free_at - now)

    def spend(self, records: int, now: float) -> None:
        if self.records_per_second:
            self._free_at = max(self._free_at, now) + records / self.records_per_second
