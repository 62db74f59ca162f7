"""A family at work behind its one port, until a signal stops it or it has nothing left to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from worker.api import listening
from worker.processes.api import family_api
from worker.processes.family import Family
from worker.settings import Settings

log = structlog.get_logger(__name__)


async def keep_together(
    settings: Settings,
    family: Family,
    registry: CollectorRegistry,
    stop: asyncio.Event,
    prepare: Callable[[], Awaitable[None]],
) -> bool:
    """Serve, ``prepare``, then run all children; whether they came to an end by themselves, or ``stop`` came first.

    Raises WorkerError of ``prepare``, and where a child ended with an error.
    """
    starting = ["starting"]
    async with listening(settings.http, family_api(family, registry, lambda: starting)):
        if not await _unless(stop, asyncio.ensure_future(prepare())):
            return False
        async with family.running() as ended:
            starting.clear()
            log.info("running", processes=len(family.members))
            return await _unless(stop, ended)


async def _unless(stop: asyncio.Event, work: asyncio.Future[Any]) -> bool:
    """Whether the work was done before ``stop`` came. Raises what it raised."""
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
