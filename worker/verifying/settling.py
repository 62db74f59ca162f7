"""Waiting for the markers of what is committed: a commit is acknowledged a moment before readers see its records."""

from __future__ import annotations

import asyncio
import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from worker.kafka.clients import Clients

PATIENCE = 15.0
"""Seconds. A transaction that is open for longer is somebody else's."""
BETWEEN = 0.05


async def settle(clients: Clients, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
    """Return when all that stands in the partitions now can be read, or when waiting is in vain."""
    written = await _ends(clients, partitions)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        visible = await consumer.end_offsets(partitions)
        if all(visible[partition] >= end for partition, end in written.items()):
            return
        await asyncio.sleep(BETWEEN)


async def _ends(clients: Clients, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    """Also behind what is not committed (yet)."""
    reader = clients.reader(isolation_level="read_uncommitted")
    try:
        await reader.start()
        ends: dict[TopicPartition, int] = await reader.end_offsets(partitions)
    finally:
        await reader.stop()
    return ends
