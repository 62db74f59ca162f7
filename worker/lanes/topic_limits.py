"""How large records may be, asked again where what was allowed at the start is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from aiokafka.errors import KafkaError

from worker.kafka.clients import started
from worker.kafka.topics import settings_of
from worker.lanes.delivery import ClientFactory
from worker.routes.route import OutputTopic, Route

ANSWER = 5.0
LIMIT = "max.message.bytes"


async def with_sizes_of_now(clients: ClientFactory, route: Route) -> Route:
    """The route with what its topics take now (bytes of a batch); as it was where the brokers do not say."""
    try:
        async with asyncio.timeout(ANSWER):
            sizes = await _sizes(clients, (route.destination.name, route.dead_letter.name))
    except (KafkaError, TimeoutError, OSError):
        return route

    def now(topic: OutputTopic) -> OutputTopic:
        return replace(topic, max_message_bytes=sizes.get(topic.name, topic.max_message_bytes))

    return replace(route, destination=now(route.destination), dead_letter=now(route.dead_letter))


async def _sizes(clients: ClientFactory, topics: Iterable[str]) -> dict[str, int]:
    async with started(clients.admin()) as admin:
        told = await settings_of(admin, topics)
    return {name: int(settings[LIMIT]) for name, _, settings in told if LIMIT in settings}
