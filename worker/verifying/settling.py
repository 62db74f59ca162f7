"""Waiting for the markers of what is committed: a commit is acknowledged a moment before readers see its records."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, TopicPartition

from worker.kafka.log_offsets import hidden_in, settled
from worker.kafka.open_transactions import OpenTransaction, open_transactions

PATIENCE = 15.0
"""Seconds. A transaction that is open for longer is somebody else's."""


async def wait_for_markers(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
) -> dict[TopicPartition, OpenTransaction]:
    """Return when all that stands in the partitions now can be read, or when waiting is in vain: then with what hides
    the rest."""
    offsets = await settled(consumer, partitions, PATIENCE)
    found = await open_transactions(consumer, hidden_in(offsets))
    return {TopicPartition(each.topic, each.partition): each for each in found}
