"""The event loop that all work runs in, and the garbage collector kept out of its way."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from worker.open_files import raise_limit

# Python's default looks for garbage every 700 allocations, which in a drain makes pauses of 85 ms.
GC_THRESHOLD = 50_000

# As they are named in malloc.h of glibc.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
BLOCK_BYTES = 32 * 1024 * 1024
"""The largest block, and half of all that lies free, that is kept for the next fetch."""

T = TypeVar("T")


def run_in_loop(work: Coroutine[None, None, T]) -> T:
    """Run ``work`` in uvloop where it is installed, else in asyncio's own loop."""
    # What was imported lives to the end, and holds next to no garbage: looking for it takes longer than it is worth.
    gc.freeze()
    collect_seldom()
    keep_freed_memory()
    raise_limit()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def collect_seldom() -> None:
    """Call this before anything large is imported, too: a tenth of that is the collector."""
    gc.set_threshold(GC_THRESHOLD)


def keep_freed_memory() -> None:
    """What a fetch took is kept for the next one. glibc gives large blocks back at once, and memory that is new costs
    as much as what is done with it. Other C libraries have no such choice."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(M_MMAP_THRESHOLD, BLOCK_BYTES)
    mallopt(M_TRIM_THRESHOLD, 2 * BLOCK_BYTES)


async def done_before(stop: asyncio.Event, work: asyncio.Future[Any]) -> bool:
    """Whether ``work`` ended before ``stop`` was set; else it is cancelled. Raises what the work raised."""
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if work.done():
        work.result()
        return True
    if isinstance(work, asyncio.Task):
        work.cancel()
        await asyncio.wait({work})
    return False


def spare_the_collector() -> None:
    """What was built until now lives to the end: never look at it again."""
    gc.collect()
    gc.freeze()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
