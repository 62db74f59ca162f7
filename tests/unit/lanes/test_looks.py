"""A look is shared by those who asked before it began, and one that failed serves nobody."""

from __future__ import annotations

import asyncio

import pytest

from worker.errors import WorkerError
from worker.lanes.lane_context import SharedLook


class Others:
    """What is looked at: each look lasts until it is let go."""

    def __init__(self, *, once: bool = False) -> None:
        self.looks: list[asyncio.Future[None]] = []
        self.shared = SharedLook(self._look, once=once)

    async def _look(self) -> None:
        self.looks.append(asyncio.get_running_loop().create_future())
        await self.looks[-1]

    async def ask(self) -> asyncio.Task[None]:
        """A call that has begun."""
        task = asyncio.create_task(self.shared())
        await asyncio.sleep(0)
        return task


async def test_a_call_is_served_by_a_look_that_began_after_it() -> None:
    others = Others()
    first, second, third = [await others.ask() for _ in range(3)]
    others.looks[0].set_result(None)
    await first
    await asyncio.sleep(0)
    assert (second.done(), third.done(), len(others.looks)) == (False, False, 2)
    late = await others.ask()
    others.looks[1].set_result(None)
    await asyncio.gather(second, third)
    assert not late.done(), "it may have missed what the look before it did not see"
    others.looks[2].set_result(None)
    await late


async def test_one_that_came_back_may_be_enough() -> None:
    others = Others(once=True)
    first, second = [await others.ask() for _ in range(2)]
    others.looks[0].set_result(None)
    await asyncio.gather(first, second)
    await others.shared()
    assert len(others.looks) == 1


@pytest.mark.parametrize("once", [True, False])
async def test_one_that_failed_serves_nobody(*, once: bool) -> None:
    others = Others(once=once)
    first, second = [await others.ask() for _ in range(2)]
    others.looks[0].set_exception(WorkerError("somebody is there"))
    with pytest.raises(WorkerError):
        await first
    await asyncio.sleep(0)
    others.looks[1].set_exception(WorkerError("still there"))
    with pytest.raises(WorkerError):
        await second
