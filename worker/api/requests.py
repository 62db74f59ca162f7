"""Counts requests by version of the API and route, so that one can see who still calls an old one."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CountRequest = Callable[[str, str, int], None]
"""Called with the API's version, the route's template (never the path) and the status."""


class RequestCounter:
    """ASGI middleware. Probes and scrapes count under version ``-``, unknown paths under route ``unknown``."""

    def __init__(self, app: ASGIApp, count: CountRequest) -> None:
        self._app = app
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            self._count(_version(route), route, status)


def _version(route: str) -> str:
    first = route.strip("/").partition("/")[0]
    return first if first.startswith("v") and first[1:].isdigit() else "-"
