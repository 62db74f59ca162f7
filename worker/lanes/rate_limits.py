"""The rate limit of a route, shared by its lanes in this process, and the brokers' quotas."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import structlog

from worker.metrics import WorkerMetrics

BURST = 0.25
"""The share of a second's records that one transaction may take."""
FIRST_GUESS = 1000.0
"""Bytes of a record, until some have been weighed."""


class Throttle:
    """Limits a rate: a transaction is counted first and waited for afterwards, so that a lane never sleeps inside a
    transaction."""

    def __init__(self, records_per_second: float | None = None, bytes_per_second: float | None = None) -> None:
        self._mean_bytes = FIRST_GUESS
        self.limit(records_per_second, bytes_per_second)

    def limit(self, records_per_second: float | None, bytes_per_second: float | None = None) -> None:
        """None lifts a limit."""
        self.records_per_second = records_per_second
        self.bytes_per_second = bytes_per_second
        self._free_at = 0.0

    def allowance(self) -> int | None:
        """The most records that a transaction may take; None for any number."""
        rates = [self.records_per_second, self.bytes_per_second and self.bytes_per_second / self._mean_bytes]
        limits = [max(1, int(rate * BURST)) for rate in rates if rate]
        return min(limits, default=None)

    def delay(self, now: float) -> float:
        """Seconds until the next transaction may begin."""
        return max(0.0, self._free_at - now)

    def spend(self, records: int, now: float, size: int = 0) -> None:
        """Count a transaction; ``size`` is in bytes of keys and values, and only needed where bytes are limited."""
        if size and records:
            self._mean_bytes = size / records
        seconds = max(_seconds(records, self.records_per_second), _seconds(size, self.bytes_per_second))
        if seconds:
            self._free_at = max(self._free_at, now) + seconds


def _seconds(amount: int, rate: float | None) -> float:
    return amount / rate if rate else 0.0


log = structlog.get_logger(__name__)

OVER_AFTER = 60.0
"""Seconds without throttling after which it is logged again."""
THROTTLED = "throttled by a quota"


class Quota:
    """What lanes share under a quota, which counts all that they send to a broker (one client id, one user). Each lane
    adapts its own transactions; when one finds its transaction far too large, the others shrink theirs as well."""

    def __init__(self, metrics: WorkerMetrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._last = -OVER_AFTER
        self.cuts = 0
        """How often transactions were cut; a lane that has seen fewer cuts has yet to follow."""
        self.most_bytes = 0.0
        """The bytes of one transaction as of the last cut."""
        self._usual_bytes = 0.0

    def note_wait(self, request: str, seconds: float) -> None:
        """Count and log that a broker asked to wait."""
        now = self._clock()
        self._metrics.throttled.labels(request).inc(seconds)
        if now - self._last >= OVER_AFTER:
            log.warning(
                THROTTLED,
                request=request,
                seconds=round(seconds, 3),
                fix="raise the quota of kafka.client_id or of the user, or accept the lower rate",
            )
        self._last = max(self._last, now + seconds)

    def share(self, fitting_bytes: float) -> float:
        """Bytes of a lane's next transaction, where ``fitting_bytes`` would fit. Waits depend on what all lanes send,
        so a lane that sends little would send ever less: each therefore moves towards the others."""
        self._usual_bytes = math.sqrt(self._usual_bytes * fitting_bytes) if self._usual_bytes else fitting_bytes
        return math.sqrt(self._usual_bytes * fitting_bytes)

    def cut(self, most_bytes: float) -> None:
        self.cuts += 1
        self.most_bytes = most_bytes
