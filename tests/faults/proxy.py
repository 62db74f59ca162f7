"""A TCP proxy between workers and one broker: it knows where Kafka's messages begin and end, and nothing else.

It can cut connections, slow them down, leave them half-open, hold back what is written, swallow answers, and hand a
request over only when its transaction is over.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

PRODUCE, OFFSET_COMMIT_IN_TRANSACTION, END_TRANSACTION, INIT_PRODUCER, ADD_OFFSETS = 0, 28, 26, 22, 25
"""Numbers of requests in Kafka's protocol."""
MARKER_SECONDS = 0.5
"""A transaction's markers are written after its end was answered; what comes before them ends with it."""
SETTLED_SECONDS = 2.0
"""How long a broker may take to answer what arrives late; one that waits for something answers later."""


class Late:
    """Requests of one kind of one producer, which arrive when their transaction was ended, or taken over, without them.

    All proxies of a cluster share it: what ends a transaction may go to another broker than what belongs to it.
    """

    def __init__(self, api: int, transactional_id: str) -> None:
        self._api = api
        self._producer = transactional_id.encode()
        self.is_held = asyncio.Event()
        self.over = asyncio.Event()
        """Its transaction has ended; what is held goes on now."""
        self.arrived = asyncio.Event()
        """A broker has answered what was held."""
        self.done = asyncio.Event()
        """It has arrived, or nobody can say; the client may hear that its transaction is over."""

    def holds(self, api: int, message: bytes) -> bool:
        return api == self._api and self._producer in message and not self.over.is_set()

    def is_ended_by(self, api: int, message: bytes) -> bool:
        return self.is_held.is_set() and api in {END_TRANSACTION, INIT_PRODUCER} and self._producer in message

    async def hold(self) -> None:
        self.is_held.set()
        await self.over.wait()

    async def end(self) -> None:
        """Return when what was held has arrived, so that it is there before the client hears that all is over."""
        await asyncio.sleep(MARKER_SECONDS)
        self.over.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLED_SECONDS):
                await self.arrived.wait()
        self.done.set()


@dataclass(eq=False)
class Link:
    """One connection of a client, with ours to the broker. ``flowing`` is clear while it is half-open."""

    client: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    broker: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    flowing: asyncio.Event
    swallowed: set[bytes] = field(default_factory=set)
    """Requests, by their correlation id, whose answers are not passed on."""
    ending: set[bytes] = field(default_factory=set)
    """Those whose answers say that a transaction is over, which something late belongs to."""
    late: set[bytes] = field(default_factory=set)

    def cut(self) -> None:
        """A reset, on both sides."""
        self.flowing.set()
        for _, writer in (self.client, self.broker):
            writer.transport.abort()


class Proxy:
    """Listens on ``port`` and connects to ``target``, both on this machine."""

    def __init__(self, port: int, target: int) -> None:
        self._port = port
        self._target = target
        self._server: asyncio.Server | None = None
        self._links: set[Link] = set()
        self._all_gone = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._refusing = False
        self._swallow: Counter[int] = Counter()
        self._late: Late | None = None
        self.delay = 0.0
        """Seconds that every message is late."""
        self.held = 0
        """Requests to write that were held back."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port, limit=2**16)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.heal()
        self.cut()
        if self._links:
            await self._all_gone.wait()
        await self._server.wait_closed()

    def cut(self) -> None:
        for link in list(self._links):
            link.cut()

    def refuse(self) -> None:
        """Cut everything, and every new connection as soon as it is made."""
        self._refusing = True
        self.cut()

    def half_open(self) -> None:
        """Connections that are there stay, and nothing comes through; new ones work."""
        for link in self._links:
            link.flowing.clear()

    def hold_writes(self) -> None:
        """Let no request to write records through; everything else works."""
        self.held = 0
        self._writable.clear()

    def swallow_answers(self, api: int, count: int) -> None:
        """Let the next ``count`` requests of this kind through, and cut the connection in place of the answer."""
        self._swallow[api] = count

    def make_late(self, late: Late) -> None:
        self._late = late

    def heal(self) -> None:
        """All as it should be; what was held back arrives late."""
        self.delay, self._refusing = 0.0, False
        if self._late is not None:
            self._late.over.set()
            self._late = None
        self._swallow.clear()
        self._writable.set()
        for link in self._links:
            link.flowing.set()

    @asynccontextmanager
    async def healed_after(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            self.heal()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            broker = await asyncio.open_connection("127.0.0.1", self._target, limit=2**16)
        except OSError:
            writer.transport.abort()
            return
        link = Link((reader, writer), broker, asyncio.Event())
        link.flowing.set()
        self._links.add(link)
        self._all_gone.clear()
        if self._refusing:
            link.cut()
        pumps = (asyncio.create_task(self._to_broker(link)), asyncio.create_task(self._to_client(link)))
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            link.cut()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._links.discard(link)
            if not self._links:
                self._all_gone.set()

    async def _to_broker(self, link: Link) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                message = await _message(link.client[0])
                api = int.from_bytes(message[4:6])
                if api == PRODUCE and not self._writable.is_set():
                    self.held += 1
                    await self._writable.wait()
                if self._swallow[api] > 0:
                    self._swallow[api] -= 1
                    link.swallowed.add(message[8:12])
                if self._late is not None:
                    await self._judge(self._late, link, api, message)
                await self._pass_on(link, link.broker[1], message)

    @staticmethod
    async def _judge(late: Late, link: Link, api: int, message: bytes) -> None:
        if late.is_ended_by(api, message):
            link.ending.add(message[8:12])
        elif late.holds(api, message):
            link.late.add(message[8:12])
            await late.hold()

    async def _to_client(self, link: Link) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                message = await _message(link.broker[0])
                if message[4:8] in link.swallowed:
                    return
                if self._late is not None:
                    await self._answered(self._late, link, message[4:8])
                await self._pass_on(link, link.client[1], message)

    @staticmethod
    async def _answered(late: Late, link: Link, correlation: bytes) -> None:
        if correlation in link.late:
            late.arrived.set()
        elif correlation in link.ending:
            await late.end()

    async def _pass_on(self, link: Link, writer: asyncio.StreamWriter, message: bytes) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        await link.flowing.wait()
        writer.write(message)
        await writer.drain()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """One message with its length in front."""
    length = await reader.readexactly(4)
    return length + await reader.readexactly(int.from_bytes(length))
