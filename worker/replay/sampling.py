"""The newest records of a topic, to look at."""

from __future__ import annotations

from upcasters.event import SourceRecord
from worker.kafka.clients import KafkaClients
from worker.kafka.waiting import wait_for_broker
from worker.replay.ranges import Earliest, Latest, Range, freeze
from worker.replay.reading import open_range_reader, read_ranges
from worker.replay.topics import partitions_of
from worker.settings import Settings


async def newest_records(settings: Settings, topic: str, most: int) -> list[SourceRecord]:
    """At most ``most`` of each partition. Raises WorkerError where the topic cannot be read."""
    clients = KafkaClients(settings.kafka)
    await wait_for_broker(clients)
    partitions = await partitions_of(clients, topic)
    found: list[SourceRecord] = []
    async with open_range_reader(clients, partitions) as consumer:
        frozen = await freeze(consumer, topic, partitions, Earliest(), Latest())
        ranges = [Range(each.partition, max(each.start, each.end - most), each.end) for each in frozen.ranges]
        async for piece in read_ranges(consumer, topic, ranges):
            found += piece.slice.records
    return found
