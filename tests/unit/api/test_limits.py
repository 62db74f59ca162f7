"""Bodies that are too large, too deep or too slow, and answers that take too long, end as problems."""

from __future__ import annotations

import asyncio
import json
import socket
from http import HTTPStatus
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from tests.http import request_blocking
from tests.limits import HANG
from worker.api.limits import MAX_BODY_BYTES, MAX_DEPTH, RequestLimits, too_deep

SCOPE: Scope = {"type": "http", "method": "POST", "path": "/v2/upcast", "headers": []}


async def ask(
    limits: RequestLimits, *messages: Message, then: Message | None = None, scope: Scope = SCOPE
) -> tuple[int, Any]:
    """The status and the problem that a request gets; after its messages comes ``then``, or nothing for ever."""
    waiting, sent = list(messages), list[Message]()

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        if then is None:
            await asyncio.Event().wait()
        assert then is not None
        return then

    async def send(message: Message) -> None:
        sent.append(message)

    await limits(dict(scope), receive, send)
    return (sent[0]["status"], json.loads(sent[1]["body"])) if sent else (0, None)


def part(body: bytes, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(body.decode()).encode()})


async def never(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.Event().wait()


async def test_a_body_in_parts_arrives_whole() -> None:
    assert await ask(RequestLimits(echo), part(b"ab", more=True), part(b"c")) == (200, "abc")


async def test_too_large_is_known_before_it_is_read() -> None:
    scope = {**SCOPE, "headers": [(b"content-length", str(MAX_BODY_BYTES + 1).encode())]}
    status, told = await ask(RequestLimits(echo), scope=scope)
    assert (status, told["title"]) == (413, HTTPStatus.REQUEST_ENTITY_TOO_LARGE.phrase)


async def test_too_large_without_a_length() -> None:
    half = b"a" * (MAX_BODY_BYTES // 2)
    status, _ = await ask(RequestLimits(echo), part(half, more=True), part(half, more=True), part(b"bc", more=True))
    assert status == 413


async def test_a_body_that_does_not_come() -> None:
    status, told = await ask(RequestLimits(echo, body_seconds=0.01), part(b"{", more=True))
    assert (status, told["detail"]) == (408, "the body did not come within 0.01 s")


async def test_an_answer_that_does_not_come() -> None:
    status, told = await ask(RequestLimits(never, answer_seconds=0.01), part(b""))
    assert status == 503
    assert "ask for less at once" in told["detail"]


async def test_a_client_that_has_gone_gets_nothing() -> None:
    assert await ask(RequestLimits(echo), part(b"a", more=True), then={"type": "http.disconnect"}) == (0, None)


@pytest.mark.parametrize(
    ("body", "deep"),
    [
        (b"[" * MAX_DEPTH, False),
        (b"[" * (MAX_DEPTH + 1), True),
        (b'{"a":' * (MAX_DEPTH + 1), True),
        (b"[]" * 1000, False),
        (b'"' + b"[" * 1000 + b'"', False),
        (b'"\\"' + b"[" * 1000 + b'"', False),
        (b'"\\\\"' + b"[" * 1000, True),
        (b'"' + b"[" * 1000, False),
        (b"", False),
    ],
)
def test_depth_counts_brackets_outside_of_text(body: bytes, deep: bool) -> None:
    assert too_deep(body) is deep


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_deep_bodies_are_refused(shared: str, version: str) -> None:
    value: list[Any] = []
    for _ in range(500):
        value = [value]
    answer = request_blocking(shared, f"/{version}/upcast", "POST", {}, {"events": [{"value": value}]})
    assert (answer.status, answer.json["detail"]) == (400, "the body is nested deeper than 100 levels")


def test_the_connection_ends_where_the_body_was_not_read(shared: str) -> None:
    host, _, port = shared.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=HANG) as client:
        client.sendall(b"POST /v2/upcast HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n{")
        told = b""
        while received := client.recv(4096):
            told += received
    assert told.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in told
