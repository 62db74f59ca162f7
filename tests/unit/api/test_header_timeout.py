"""A client that sends its request a byte at a time is given up; one that is answered, or comes again, is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send

from tests.limits import HANG
from worker.api import header_timeout, listening
from worker.settings import HttpSettings

SECONDS = 0.2
REQUEST = b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n"


async def answer_late(scope: Scope, receive: Receive, send: Send) -> None:
    """Later than a head may come."""
    await asyncio.sleep(2 * SECONDS)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def connection(
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    monkeypatch.setattr(header_timeout, "HEAD_SECONDS", SECONDS)
    async with listening(HttpSettings(port=0), answer_late) as address:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        yield reader, writer
        writer.close()


async def drip(writer: asyncio.StreamWriter) -> None:
    """For ever: a header that has no end."""
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(SECONDS / 20)


@pytest.mark.parametrize("before", [b"", REQUEST], ids=["first", "next"])
async def test_a_head_that_does_not_come_ends_the_connection(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], before: bytes
) -> None:
    reader, writer = connection
    if before:
        writer.write(before)
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
    writer.write(b"GET /livez HTTP/1.1\r\nname: ")
    dripping = asyncio.create_task(drip(writer))
    try:
        async with asyncio.timeout(HANG):
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await reader.readexactly(1)
    finally:
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


async def test_an_answer_may_take_longer_and_requests_may_follow_at_once(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    reader, writer = connection
    writer.write(3 * REQUEST)
    async with asyncio.timeout(HANG):
        for _ in range(3):
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
