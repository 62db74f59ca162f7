"""A client that is stopped, at whatever moment, leaves no connection open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.structs import BrokerMetadata

from tests.limits import HANG
from worker.kafka.clients import KafkaClients, started
from worker.settings import KafkaSettings

NODE = 1


class SilentBroker:
    """Takes connections and never answers; ``open`` are those that nobody has closed yet."""

    port = 0

    def __init__(self) -> None:
        self.taken = asyncio.Event()
        self.open = 0
        self.none_open = asyncio.Condition()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.taken.set()
        with contextlib.suppress(ConnectionError):
            while await reader.read(1024):
                pass
        writer.close()
        async with self.none_open:
            self.open -= 1
            self.none_open.notify_all()

    async def until_all_are_closed(self) -> None:
        async with asyncio.timeout(HANG), self.none_open:
            await self.none_open.wait_for(lambda: self.open == 0)


@pytest.fixture
async def broker(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SilentBroker]:
    async def knows_the_versions(connection: AIOKafkaConnection) -> None:
        """As if the broker had told them."""
        connection._versions = {MetadataRequest.API_KEY: (0, 5)}

    monkeypatch.setattr(AIOKafkaConnection, "_do_version_lookup", knows_the_versions)
    broker = SilentBroker()
    async with await asyncio.start_server(broker, "127.0.0.1", 0) as server:
        broker.port = server.sockets[0].getsockname()[1]
        yield broker


def clients(broker: SilentBroker) -> KafkaClients:
    return KafkaClients(KafkaSettings(bootstrap_servers=f"127.0.0.1:{broker.port}", group_id="group"))


async def cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    "make", [KafkaClients.admin, KafkaClients.reader, KafkaClients.producer], ids=["admin", "reader", "producer"]
)
async def test_a_start_that_is_cancelled(broker: SilentBroker, make: Callable[[KafkaClients], Any]) -> None:
    async def start() -> None:
        async with started(make(clients(broker))):
            raise AssertionError("nobody answered")

    starting = asyncio.create_task(start())
    await broker.taken.wait()
    await cancelled(starting)
    await broker.until_all_are_closed()


async def connected(broker: SilentBroker, client: AIOKafkaClient) -> AIOKafkaConnection | None:
    client.cluster._brokers[NODE] = BrokerMetadata(NODE, "127.0.0.1", broker.port, None)
    found: AIOKafkaConnection | None = await client._get_conn(NODE)
    return found


async def test_a_connection_that_opens_after_the_end(broker: SilentBroker) -> None:
    client = clients(broker).admin()._client
    await client.close()
    assert await connected(broker, client) is None
    await broker.until_all_are_closed()


async def test_a_stop_that_is_cancelled(broker: SilentBroker) -> None:
    reader = clients(broker).reader()
    never = asyncio.get_running_loop().create_future()
    assert await connected(broker, reader._client) is not None
    stopping_began = asyncio.Event()

    class Fetcher:
        async def close(self) -> None:
            stopping_began.set()
            await never

    reader._fetcher = Fetcher()
    stopping = asyncio.create_task(reader.stop())
    await stopping_began.wait()
    await cancelled(stopping)
    await broker.until_all_are_closed()
