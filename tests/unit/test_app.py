"""The composition root: what a signal does, and what a stop during the start does."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from tests.limits import HANG
from worker.errors import WorkerError
from worker.loop import done_before

IGNORES_THE_STOP = """
import asyncio
from worker.runtime import stop_on_signals

async def main():
    stop = stop_on_signals()
    print("ready", flush=True)
    await stop.wait()
    print("asked", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_it_at_once(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", IGNORES_THE_STOP, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        for word in (b"ready", b"asked"):
            while word not in await process.stdout.readline():
                pass
            process.send_signal(number)
        async with asyncio.timeout(HANG):
            assert await process.wait() == 128 + number
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_work_is_cancelled_by_a_stop() -> None:
    stop = asyncio.Event()
    cancelled = asyncio.Event()

    async def work() -> int:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()
        return 1

    asyncio.get_running_loop().call_later(0.01, stop.set)
    assert not await done_before(stop, asyncio.create_task(work()))
    assert cancelled.is_set()


async def test_work_that_ends_first() -> None:
    async def work() -> int:
        return 1

    working = asyncio.create_task(work())
    assert await done_before(asyncio.Event(), working)
    assert working.result() == 1


async def test_work_that_fails() -> None:
    async def work() -> int:
        raise WorkerError("the chain is wrong")

    with pytest.raises(WorkerError, match="the chain is wrong"):
        await done_before(asyncio.Event(), asyncio.create_task(work()))
