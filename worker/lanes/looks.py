"""A look at others that all lanes wait for, so that it is taken once for many of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

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
