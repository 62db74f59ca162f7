"""The rate of a route, in records or bytes: its lanes in this process share one allowance."""

from __future__ import annotations

BURST = 0.25
"""Seconds of the rate that one transaction may take at once."""
FIRST_GUESS = 1000.0
"""Bytes of a record, until some have been weighed."""


class Throttle:
    """Spends first and waits afterwards, so that a lane never sleeps inside a transaction."""

    def __init__(self, records_per_second: float | None = None, bytes_per_second: float | None = None) -> None:
        self._mean_bytes = FIRST_GUESS
        self.limit(records_per_second, bytes_per_second)

    def limit(self, records_per_second: float | None, bytes_per_second: float | None = None) -> None:
        """None lifts a limit."""
        self.records_per_second = records_per_second
        self.bytes_per_second = bytes_per_second
        self._free_at = 0.0

    def allowance(self) -> int | None:
        """How many records a transaction may take; None for any number."""
        rates = [self.records_per_second, self.bytes_per_second and self.bytes_per_second / self._mean_bytes]
        limits = [max(1, int(rate * BURST)) for rate in rates if rate]
        return min(limits, default=None)

    def delay(self, now: float) -> float:
        """Seconds until the next transaction may begin."""
        return max(0.0, self._free_at - now)

    def spend(self, records: int, now: float, size: int = 0) -> None:
        """``size`` in bytes of keys and values; only asked for where there is a limit of bytes."""
        if size and records:
            self._mean_bytes = size / records
        seconds = max(_seconds(records, self.records_per_second), _seconds(size, self.bytes_per_second))
        if seconds:
            self._free_at = max(self._free_at, now) + seconds


def _seconds(amount: int, rate: float | None) -> float:
    return amount / rate if rate else 0.0
