"""A client that was closed, or that could not start, leaves no connection open.

aiokafka forgets three kinds: the one to a bootstrap server where the start is cancelled while it waits for the answer,
one that opens after the client was closed, and those of a consumer or producer whose ``stop`` is cancelled.
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason

_opened_by: weakref.WeakKeyDictionary[Any, list[AIOKafkaConnection]] = weakref.WeakKeyDictionary()
"""The connections that tasks which start a client have opened."""


def closing_the_first_connection(bootstrap: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(bootstrap)
    async def bootstrapping(client: AIOKafkaClient) -> None:
        task = asyncio.current_task()
        opened = _opened_by[task] = []
        try:
            await bootstrap(client)
        except BaseException:
            for connection in opened:
                connection.close(CloseReason.SHUTDOWN)
            raise
        finally:
            del _opened_by[task]

    return bootstrapping


def noting_who_opened_it(connect: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(connect)
    async def connecting(connection: AIOKafkaConnection) -> Any:
        streams = await connect(connection)
        if (opened := _opened_by.get(asyncio.current_task())) is not None:
            opened.append(connection)
        return streams

    return connecting


def opening_none_after_the_end(get: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(get)
    async def getting(client: AIOKafkaClient, *arguments: Any, **options: Any) -> AIOKafkaConnection | None:
        connection = await get(client, *arguments, **options)
        if connection is not None and "_ended" in vars(client):
            connection.close(CloseReason.SHUTDOWN)
            return None
        return connection

    return getting


def noting_the_end(close: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(close)
    async def closing(client: AIOKafkaClient) -> None:
        vars(client)["_ended"] = True
        await close(client)

    return closing


def close_connections(of: AIOKafkaConsumer | AIOKafkaProducer | AIOKafkaAdminClient) -> None:
    """Close what a ``stop`` that did not come to its end has left; after one that did there is nothing to do."""
    client = of.client if isinstance(of, AIOKafkaProducer) else of._client
    vars(client)["_ended"] = True
    for connection in [*client._conns.values()]:
        connection.close(CloseReason.SHUTDOWN)
