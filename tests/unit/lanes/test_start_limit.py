"""A few lanes start at a time; one that takes long holds up nobody."""

from __future__ import annotations

import asyncio

import pytest

from tests.lanes import until
from tests.limits import HANG
from worker.lanes.lane_context import StartLimit


class Starts:
    """Starts that take until they are let go; ``inside`` are those that have begun and not ended."""

    def __init__(self, start_limit: StartLimit, number: int) -> None:
        self.inside: list[int] = []
        self._turns = start_limit
        self._end = [asyncio.Event() for _ in range(number)]
        self._tasks = [asyncio.create_task(self._start(each)) for each in range(number)]

    async def _start(self, number: int) -> None:
        async with self._turns.one():
            self.inside.append(number)
            await self._end[number].wait()
            self.inside.remove(number)

    async def end(self, number: int) -> None:
        self._end[number].set()
        await self._tasks[number]
        await asyncio.sleep(0)

    async def are_inside(self, *numbers: int) -> None:
        await until(lambda: self.inside == [*numbers])

    async def end_all(self) -> None:
        for each in self._end:
            each.set()
        await asyncio.gather(*self._tasks)


async def test_so_many_at_once_and_no_more() -> None:
    starts = Starts(StartLimit(2, patience=1_000), 4)
    await starts.are_inside(0, 1)
    await starts.end(1)
    await starts.are_inside(0, 2)
    await starts.end_all()


async def test_who_takes_long_holds_up_nobody() -> None:
    starts = Starts(StartLimit(2, patience=0.01), 5)
    await starts.are_inside(0, 1, 2, 3, 4)
    await starts.end_all()


async def test_a_slow_one_gives_its_turn_back_once() -> None:
    start_limit = StartLimit(1, patience=0.01)
    slow = Starts(start_limit, 2)
    await slow.are_inside(0, 1)
    await slow.end_all()
    assert start_limit._free._value == 1


async def test_a_start_that_fails_or_is_cancelled_gives_its_turn_back() -> None:
    start_limit = StartLimit(1, patience=1_000)
    with pytest.raises(ValueError, match="failed"):
        async with start_limit.one():
            raise ValueError("failed")
    waiting = asyncio.create_task(_forever(start_limit))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(HANG), start_limit.one():
        pass


async def _forever(start_limit: StartLimit) -> None:
    async with start_limit.one():
        await asyncio.Event().wait()
