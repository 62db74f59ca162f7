"""Limits of a request: size, depth and duration of its body, and the time for its answer."""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.api.problems import problem

MAX_BODY_BYTES = 1024 * 1024
MAX_DEPTH = 100
BODY_SECONDS = 10.0
ANSWER_SECONDS = 30.0
STREAMS = frozenset({"/v2/stream"})

# Looking through more than this is left to a thread: the lanes share the loop.
_QUICK_BYTES = 16 * 1024
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class Refused(Exception):
    """The request exceeds a limit."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class RequestLimits:
    """ASGI middleware: reads the whole body, and passes it on only within the limits."""

    def __init__(
        self, app: ASGIApp, body_seconds: float = BODY_SECONDS, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self._app = app
        self._body_seconds = body_seconds
        self._answer_seconds = answer_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await self._body(scope, receive)
            await check_depth(body)
        except Refused as refused:
            # The rest of the body is not read, so nothing more can come over this connection.
            answer = problem(refused.status, str(refused), {"connection": "close"})
            await answer(scope, receive, send)
        except ClientGone:
            return
        else:
            await self._answer(scope, replaying(body, receive), send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        try:
            async with asyncio.timeout(self._body_seconds):
                return await read_body(scope, receive)
        except TimeoutError:
            detail = f"the body did not come within {self._body_seconds:g} s"
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, detail) from None

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(None if scope["path"] in STREAMS else self._answer_seconds):
                await self._app(scope, receive, watch)
        except TimeoutError:
            if not started:
                detail = f"there was no answer within {self._answer_seconds:g} s: try again, or ask for less at once"
                answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"retry-after": "10"})
                await answer(scope, receive, send)


class ClientGone(Exception):
    """The client has closed the connection."""


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body. Raises Refused as soon as it is too large, and ClientGone."""
    announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise too_large()
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            raise too_large()
        more = message.get("more_body", False)
    return b"".join(parts)


def too_large() -> Refused:
    detail = f"the body is larger than {MAX_BODY_BYTES} bytes: send less at once"
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


async def check_depth(body: bytes) -> None:
    """Raise Refused where arrays and objects are nested too deep."""
    deep = too_deep(body) if len(body) <= _QUICK_BYTES else await asyncio.to_thread(too_deep, body)
    if deep:
        raise Refused(HTTPStatus.BAD_REQUEST, f"the body is nested deeper than {MAX_DEPTH} levels")


def too_deep(body: bytes) -> bool:
    depth = 0
    for found in _TOKEN.finditer(body):
        first = found[0][:1]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif first != b'"':
            depth -= 1
    return False


def replaying(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that returns the body that was read, and then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
