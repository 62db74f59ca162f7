"""The worker's HTTP ports: probes, metrics and the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from worker.api.limits import RequestLimits
from worker.api.page import page
from worker.api.probes import probes
from worker.api.problems import answer_with_problems
from worker.api.requests import CountRequest, RequestCounter
from worker.api.server import listening
from worker.api.view import Lookups, RouteStatus, Status, WorkerView
from worker.lanes.state import LaneStatus

__all__ = ["LaneStatus", "Lookups", "RouteStatus", "Status", "WorkerView", "create_api", "listening"]

NO_LOOKUPS = Lookups()


class LazyApp:
    """An ASGI app that is built at its first request, in a thread; ``build`` is called once."""

    def __init__(self, build: Callable[[], ASGIApp]) -> None:
        self._build = build
        self._app: ASGIApp | None = None
        self._building = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._built())(scope, receive, send)

    async def _built(self) -> ASGIApp:
        async with self._building:
            if self._app is None:
                self._app = await asyncio.to_thread(self._build)
            return self._app


def create_api(
    worker: WorkerView,
    registry: CollectorRegistry,
    token: SecretStr | None = None,
    count_request: CountRequest | None = None,
    lookups: Lookups = NO_LOOKUPS,
) -> ASGIApp:
    """The app with probes, metrics, page and API. The API is built at its first request: many workers only answer
    probes."""

    def build() -> ASGIApp:
        from worker.api.v2 import build

        return build(worker, token, lookups)

    app = Starlette(routes=[*probes(worker, registry), *page()])
    app.router.redirect_slashes = False
    app.router.default = LazyApp(build)
    answer_with_problems(app)
    limited = RequestLimits(app)
    return RequestCounter(limited, count=count_request) if count_request else limited
