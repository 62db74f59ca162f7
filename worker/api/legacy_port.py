"""The legacy port: the same API, with a count of its callers."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.api.deprecation_headers import notice_headers
from worker.api.requests import template_of, version_of
from worker.deprecation import find

log = structlog.get_logger(__name__)

SETTING = "http.legacy_port"
MOST_CALLERS = 100
MOST_LETTERS = 100

CountLegacy = Callable[[str, str], None]
"""Called with the API's version and the route's template."""


class LegacyPort:
    """ASGI middleware: requests that come in over ``port`` are counted, and each new caller is logged once."""

    def __init__(self, app: ASGIApp, port: int, count: CountLegacy) -> None:
        self._app = app
        self._port = port
        self._count = count
        self._callers: set[tuple[str, str]] = set()
        self._headers = notice_headers(find(SETTING))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["server"][1] != self._port:
            await self._app(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message["headers"]))
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                message = {**message, "headers": headers.raw}
            await send(message)

        try:
            await self._app(scope, receive, marked)
        finally:
            route = template_of(scope)
            self._count(version_of(route), route)
            self._note(scope)

    def _note(self, scope: Scope) -> None:
        agent = Headers(scope=scope).get("user-agent", "")[:MOST_LETTERS]
        caller = ((scope.get("client") or ("",))[0], agent)
        if caller in self._callers or len(self._callers) >= MOST_CALLERS:
            return
        self._callers.add(caller)
        log.warning("a client calls the legacy port", client=caller[0], user_agent=caller[1], port=self._port)
