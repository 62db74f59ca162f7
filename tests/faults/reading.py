"""Reading topics to their end, a few records at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

SECONDS_WITHOUT_RECORDS = 60.0
LEADERLESS_MS = 180_000
"""How long a partition may have no leader: brokers that were killed start slowly on a busy machine."""


async def records_of(bootstrap_servers: str, topic: str, partition: int) -> AsyncIterator[Sequence[Any]]:
    """What a read_committed consumer sees now, from the beginning to the end, by position."""
    at = TopicPartition(topic, partition)
    async with consumer_of(bootstrap_servers, "read_committed") as consumer:
        consumer.assign([at])
        end = (await consumer.end_offsets([at]))[at]
        consumer.seek(at, (await consumer.beginning_offsets([at]))[at])
        while await consumer.position(at) < end:
            async with asyncio.timeout(SECONDS_WITHOUT_RECORDS):
                found = await consumer.getmany(at, timeout_ms=1000)
            records = [record for record in found.get(at, ()) if record.offset < end]
            if records:
                yield records


async def ends(bootstrap_servers: str, topic: str, partitions: int, isolation: str = "read_committed") -> list[int]:
    """By partition: where it ends for such a reader."""
    wanted = [TopicPartition(topic, number) for number in range(partitions)]
    async with consumer_of(bootstrap_servers, isolation) as consumer:
        found = await consumer.end_offsets(wanted)
    return [found[each] for each in wanted]


def consumer_of(bootstrap_servers: str, isolation: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level=isolation,
        request_timeout_ms=LEADERLESS_MS,
        max_partition_fetch_bytes=4_000_000,
    )
