"""Lanes start a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
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
