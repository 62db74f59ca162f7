"""The event loop that all work runs in, and the garbage collector kept out of its way."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import TypeVar

# Python's default looks for garbage every 700 allocations, which in a drain makes pauses of 85 ms.
GC_THRESHOLD = 50_000

T = TypeVar("T")


def run_in_loop(work: Coroutine[None, None, T]) -> T:
    """In the fastest event loop that is there."""
    # What was imported lives to the end, and holds next to no garbage: looking for it takes longer than it is worth.
    gc.freeze()
    collect_seldom()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def collect_seldom() -> None:
    """Call this before anything large is imported, too: a tenth of that is the collector."""
    gc.set_threshold(GC_THRESHOLD)


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
