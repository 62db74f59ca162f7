"""One look at records that nobody fetches at the moment: how old the next one of a held partition is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from worker.kafka.fetched import Fetched, UnpackError, timestamp_of
from worker.kafka.internals import open_reader
from worker.lanes.delivery import ClientFactory

OPTIONS = {"max_partition_fetch_bytes": 16 * 1024, "fetch_max_bytes": 1024 * 1024, "fetch_max_wait_ms": 100}
ROUND = 0.2


async def next_timestamps(clients: ClientFactory, places: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """Timestamps (ms) of the first record that can be read at or behind each of the offsets.

    Whatever is not found within a few rounds is left out. Raises KafkaError where the brokers do not answer.
    """
    consumer = clients.reader(**OPTIONS)
    try:
        await consumer.start()
        # One that is stopped before its own tasks have begun ends in CancelledError.
        await asyncio.sleep(0)
        return await _look(consumer, places)
    finally:
        await consumer.stop()


async def _look(consumer: AIOKafkaConsumer, places: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    consumer.assign(list(places))
    for partition, offset in places.items():
        consumer.seek(partition, offset)
    reader, found, rounds = open_reader(consumer), dict[TopicPartition, int](), 2 + len(places)
    while rounds and (missing := places.keys() - found.keys()):
        rounds -= 1
        for partition, fetched in (await reader.read(missing, ROUND)).items():
            if (timestamp := _first(fetched)) is not None:
                found[partition] = timestamp
    return found


def _first(fetched: Fetched) -> int | None:
    try:
        records = next(fetched.slices(1)).records
    except (KafkaError, UnpackError):
        return None
    return timestamp_of(records[0].timestamp) if records else None
