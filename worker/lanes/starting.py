"""How lanes start: a few at a time, and what many of them look at is looked at once for all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

AT_ONCE = 32
"""More of them would only wait for each other inside the brokers, and all of them run out of time together."""
PATIENCE = 2.0
"""Seconds after which one that still starts counts no more: where a broker is away, its lanes hold up no others."""


class StartLimit:
    """``async with turns.one():`` waits until few enough others are inside, or have been for long enough."""

    def __init__(self, at_once: int = AT_ONCE, patience: float = PATIENCE) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._patience = patience

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        await self._free.acquire()
        held = True

        def release() -> None:
            nonlocal held
            if held:
                held = False
                self._free.release()

        slow = asyncio.get_running_loop().call_later(self._patience, release)
        try:
            yield
        finally:
            slow.cancel()
            release()


Look = Callable[[], Awaitable[None]]


class SharedLook:
    """Awaits ``look`` for whoever calls. A call is served by a look that began after it; with ``once`` by the first
    that came back. What a look raises each of its callers gets, from that look or from the next one."""

    def __init__(self, look: Look, *, once: bool = False) -> None:
        self._look = look
        self._once = once
        self._begun = 0
        self._came_back = 0
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self) -> None:
        before = 0 if self._once else self._begun
        async with self._one_at_a_time:
            if self._came_back > before:
                return
            self._begun += 1
            await self._look()
            self._came_back = self._begun
