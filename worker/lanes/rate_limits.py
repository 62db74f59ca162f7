"""The rate of a route, which its lanes in this process share, and what brokers tell of their quotas."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import structlog

from worker.metrics import WorkerMetrics

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


log = structlog.get_logger(__name__)

OVER_AFTER = 60.0
"""Seconds without a word, after which the next one is told again."""
THROTTLED = "throttled by a quota"


class Quota:
    """A quota counts what all lanes send to a broker together (one client id, one user). Each lane finds by itself how
    much goes through in good time; where one finds that it was far too much, it was for all of them."""

    def __init__(self, metrics: WorkerMetrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._last = -OVER_AFTER
        self.cuts = 0
        """How often the lanes' transactions were cut; a lane that has seen fewer has yet to follow."""
        self.most_bytes = 0.0
        """Of one transaction, as of the last cut."""
        self._usual_bytes = 0.0

    def told(self, request: str, seconds: float) -> None:
        """A broker asked to wait."""
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
        """Bytes of the next transaction of a lane that finds so many fitting. How long brokers ask to wait is up to
        what all lanes send: one that sends little would come to send ever less. So each comes closer to the others."""
        self._usual_bytes = math.sqrt(self._usual_bytes * fitting_bytes) if self._usual_bytes else fitting_bytes
        return math.sqrt(self._usual_bytes * fitting_bytes)

    def cut(self, most_bytes: float) -> None:
        self.cuts += 1
        self.most_bytes = most_bytes
