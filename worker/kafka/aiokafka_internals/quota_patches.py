"""What brokers ask a client to wait, kept by each client of aiokafka, which does not look at it (``throttling``)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.protocol.coordination import FindCoordinatorRequest

from worker.kafka.throttling import FETCH, Throttling

LEAST_FETCHED = 32 * 1024
"""Bytes of one fetch."""


def throttling_of(client: AIOKafkaProducer | AIOKafkaConsumer | AIOKafkaClient) -> Throttling:
    """What the brokers have told this client."""
    inner = client.client if isinstance(client, AIOKafkaProducer) else getattr(client, "_client", client)
    found: Throttling | None = vars(inner).get("_throttling")
    if found is None:
        found = vars(inner)["_throttling"] = Throttling()
    return found


def honouring_quotas(send: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(send)
    async def sending(
        client: AIOKafkaClient, node: Any, request: Any, *, group: ConnectionGroup = ConnectionGroup.DEFAULT
    ) -> Any:
        throttling = throttling_of(client)
        if isinstance(request, FindCoordinatorRequest) and throttling.asks_to_wait((node, group)):
            # aiokafka asks on the connection that output goes over: in the middle of a transaction, before its commit.
            group = ConnectionGroup.COORDINATION
        await throttling.wait((node, group))
        answer = await send(client, node, request, group=group)
        if milliseconds := getattr(answer, "throttle_time_ms", 0):
            throttling.told((node, group), request.API_KEY, milliseconds / 1000)
        return answer

    return sending


def fetching_less(plan: Callable[..., Any]) -> Callable[..., Any]:
    """A fetch over the quota is answered with nothing, and asks to wait for what it would have brought: with large ones
    half of the quota is lost. So each asks for less than one that was answered so, and for more after one that was not.
    """

    @functools.wraps(plan)
    def planning(fetcher: Fetcher, *arguments: Any) -> Any:
        given, told = vars(fetcher), throttling_of(fetcher._client).until(FETCH)
        most = given.setdefault("_most_bytes", fetcher._fetch_max_bytes)
        if told > given.get("_told_before", 0.0):
            fetcher._fetch_max_bytes = max(LEAST_FETCHED, fetcher._fetch_max_bytes // 4)
            given["_told_before"] = told
        actions = plan(fetcher, *arguments)
        if actions[0]:
            fetcher._fetch_max_bytes = min(most, fetcher._fetch_max_bytes * 2)
        return actions

    return planning
