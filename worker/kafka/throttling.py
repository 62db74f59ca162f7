"""Waits that brokers ask of a client that exceeds a quota, which aiokafka ignores.

Since Kafka 2.0 (KIP-219) a broker does what it was asked, answers at once with ``throttle_time_ms``, and reads nothing
more from that connection until the time is over. A request that is sent before waits there unread, and its time-out
runs meanwhile: the connection is closed, the request is sent again on a new one, and uses up the quota once more. Here
a client waits before it sends (``aiokafka_internals.quota_patches``), and timeouts are extended by the time that the
brokers have asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable, Hashable

from aiokafka.errors import ProducerClosed

PRODUCE, FETCH, TRANSACTION, GROUP, OTHER = "produce", "fetch", "transaction", "group", "other"
KINDS = {
    0: PRODUCE,
    1: FETCH,
    **dict.fromkeys((22, 24, 25, 26, 28), TRANSACTION),
    **dict.fromkeys(range(8, 15), GROUP),
}
"""Kinds of requests, by API key."""

A_MOMENT = 0.5
"""Seconds in which an answer reaches its caller."""

OnThrottle = Callable[[str, float], None]


class ThrottledError(Exception):
    """The transaction cannot end in time: the brokers ask to wait ``seconds`` before the next request."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"throttled by a quota: the brokers ask to wait {seconds:.0f} s, longer than the transaction may take; "
            "smaller ones follow"
        )
        self.seconds = seconds


class Throttling:
    """The waits that brokers have asked of one client. Times are monotonic."""

    def __init__(self) -> None:
        self.on_wait: OnThrottle = lambda _kind, _seconds: None
        self._until: dict[str, float] = {}
        self._connections: dict[Hashable, float] = {}
        self._patient: dict[asyncio.Timeout, tuple[str, float, float]] = {}
        self._closed = asyncio.Event()

    def note_wait(self, connection: Hashable, api_key: int, seconds: float) -> None:
        """Note that an answer on this connection asks to wait."""
        kind, until = KINDS.get(api_key, OTHER), time.monotonic() + seconds
        self._connections[connection] = until
        self._until[kind] = max(until, self.until(kind))
        for timeout in self._patient:
            self._extend(timeout)
        self.on_wait(kind, seconds)

    def until(self, kind: str) -> float:
        """The time from which requests of this kind may be sent again."""
        return self._until.get(kind, 0.0)

    @property
    def is_waiting(self) -> bool:
        """Whether some connection has to wait now."""
        return any(until > time.monotonic() for until in self._connections.values())

    def asks_to_wait(self, connection: Hashable) -> bool:
        return self._connections.get(connection, 0.0) > time.monotonic()

    async def wait(self, connection: Hashable) -> None:
        """Wait until this connection may be used. Raises ``ProducerClosed`` where the client is closed meanwhile: the
        request must not be sent any more."""
        while (left := self._connections.get(connection, 0.0) - time.monotonic()) > 0 and not self._closed.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._closed.wait()
        if self._closed.is_set():
            raise ProducerClosed

    def close(self) -> None:
        """End all waits: nothing is sent any more."""
        self._closed.set()

    @contextlib.asynccontextmanager
    async def patience(self, kind: str, seconds: float, ends: float = math.inf) -> AsyncIterator[None]:
        """A timeout of ``seconds`` without the time that brokers asked to wait. Raises ``TimeoutError``, and
        ``ThrottledError`` as soon as the wait goes past ``ends``."""
        timeout = asyncio.timeout(seconds)
        try:
            async with timeout:
                self._patient[timeout] = kind, seconds, ends
                self._extend(timeout)
                try:
                    yield
                finally:
                    del self._patient[timeout]
        except TimeoutError:
            if not timeout.expired():
                raise
            if self.until(kind) > ends:
                raise ThrottledError(self.until(kind) - time.monotonic()) from None
            raise TimeoutError(f"the brokers did not answer a {kind} request for {seconds:g} s") from None

    def _extend(self, timeout: asyncio.Timeout) -> None:
        """Extend a timeout by the wait of its kind."""
        kind, seconds, ends = self._patient[timeout]
        left = self.until(kind) - time.monotonic()
        if left <= 0:
            return
        too_long = self.until(kind) > ends
        timeout.reschedule(asyncio.get_running_loop().time() + (A_MOMENT if too_long else left + seconds))
