"""Patches that honour the waits which brokers ask of a client (``throttling``)."""

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
    """The waits that brokers have asked of this client."""
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
            # aiokafka uses the connection of the output, in the middle of a transaction.
            group = ConnectionGroup.COORDINATION
        await throttling.wait((node, group))
        answer = await send(client, node, request, group=group)
        if milliseconds := getattr(answer, "throttle_time_ms", 0):
            throttling.note_wait((node, group), request.API_KEY, milliseconds / 1000)
        return answer

    return sending


def fetching_less(plan: Callable[..., Any]) -> Callable[..., Any]:
    """A broker answers a fetch over the quota with no records, and a wait as long as they would have taken: large
    fetches lose half of the quota. So fetches become smaller after such an answer, and larger after others.
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
