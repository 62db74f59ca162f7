"""Counts requests by version of the API and route, which shows whether an old version is still used."""

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
            route = template_of(scope)
            self._count(version_of(route), route, int(status))


def template_of(scope: Scope) -> str:
    """Of an older version, whose requests are answered by the current one, the older template."""
    return str(scope.get("route_template") or getattr(scope.get("route"), "path", "unknown"))


def version_of(route: str) -> str:
    """`v1` or `v2`; `-` for what has no version."""
    first = route.strip("/").partition("/")[0]
    return first if first.startswith("v") and first[1:].isdigit() else "-"
