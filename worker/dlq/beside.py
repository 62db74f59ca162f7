"""A redrive that somebody starts at the live worker: planned as `upcast dlq redrive` plans it, and applied in a thread
with a loop of its own, so that the lanes do not wait for it. One at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

import structlog

from worker.api.view import CannotRedriveError, RedriveWish
from worker.dlq.redrive import Redriving
from worker.dlq.redrive_plan import RedriveOptions, plan_redrive
from worker.dlq.selection import takes
from worker.errors import MAY_PASS, WorkerError
from worker.ledger import open_ledger
from worker.replay.apply.running import ReplayOptions, apply
from worker.replay.plan.dry_run import PlanOptions
from worker.replay.plan.file import Plan
from worker.routes.chains import load_route_chain
from worker.service import Service
from worker.settings import RouteSettings, Settings

PLAN_SECONDS = 20.0
ROUNDS = 5
"""Letters that were redriven so often are left: as `upcast dlq redrive` does."""

log = structlog.get_logger(__name__)


class RedriveBeside(Redriving):
    """The worker's own port answers; how far the redrive is stands in the ledger."""

    @asynccontextmanager
    async def _answering(self, _service: Service) -> AsyncIterator[None]:
        yield


class Redrives:
    """``start`` is called in a thread, one call at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="redrive")
        self._running: _Running | None = None

    def start(self, route: RouteSettings, wish: RedriveWish) -> dict[str, Any]:
        """The fields of the API's answer, once it has begun. Raises CannotRedriveError and WorkerError."""
        if self._running is not None and not self._running.done.done():
            raise CannotRedriveError(f"redrive {self._running.plan.replay_id} runs: wait for its end, /v2/runs has it")
        plan = asyncio.run(self._planned(route, wish))
        if objections := plan.objections():
            told = "; ".join(objections)
            command = f"upcast dlq redrive --fingerprint {wish.fingerprint}"
            raise CannotRedriveError(f"nothing was started: {told}. `{command}` takes --allow")
        if not takes(plan):
            raise CannotRedriveError("no letter of this fault is left that a redrive would take")
        self._running = _Running(self._settings, route, plan, wish)
        self._running.begin(self._pool)
        return {
            "replay_id": plan.replay_id,
            "letters": takes(plan),
            "destination": plan.route.destination,
            "warnings": list(plan.warnings),
        }

    async def stop(self) -> None:
        """Let the redrive that runs finish what is in flight, and wait for that."""
        if self._running is not None:
            self._running.stop()
        await asyncio.to_thread(self._pool.shutdown)

    async def _planned(self, route: RouteSettings, wish: RedriveWish) -> Plan:
        # A chain of its own: its readers of schemas belong to the loop that asks.
        given = load_route_chain(route, self._settings.schema_registry)
        options = RedriveOptions((wish.fingerprint,), ROUNDS)
        ledger = await asyncio.to_thread(open_ledger, self._settings.ledger.url.get_secret_value())
        with closing(ledger):
            try:
                async with asyncio.timeout(PLAN_SECONDS):
                    return await plan_redrive(self._settings, given, options, PlanOptions(), ledger, lambda *_: None)
            except TimeoutError:
                raise WorkerError(
                    f"{route.dead_letter}: takes over {PLAN_SECONDS:g} s to plan: use `upcast dlq redrive "
                    f"--fingerprint {wish.fingerprint}`",
                    MAY_PASS,
                    code="UPC1803",
                ) from None


class _Running:
    def __init__(self, settings: Settings, route: RouteSettings, plan: Plan, wish: RedriveWish) -> None:
        self.plan = plan
        self.done: Future[None] = Future()
        self._settings = settings
        self._route = route
        self._wish = wish
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()

    def begin(self, pool: ThreadPoolExecutor) -> None:
        self.done = pool.submit(self._run)

    def stop(self) -> None:
        with suppress(RuntimeError):  # its loop is closed: it has ended
            self._loop.call_soon_threadsafe(self._stop.set)

    def _run(self) -> None:
        about = {"replay": self.plan.replay_id, "topic": self._route.source}
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._apply())
        except WorkerError as error:
            log.warning("the redrive did not end", reason=str(error), **about)
        except Exception as error:  # the worker goes on, whatever a redrive meets
            log.exception("the redrive failed", error=type(error).__name__, **about)
        else:
            log.info("the redrive is finished", **about)

    async def _apply(self) -> None:
        given = load_route_chain(self._route, self._settings.schema_registry)
        wishes = ReplayOptions(None, self._wish.reason, self._wish.records_per_second)
        await apply(self._settings, given, self.plan, wishes, lambda _: None, self._stop, RedriveBeside)
