"""One record of a topic, by where it stands."""

from __future__ import annotations

from upcasters.event import SourcePartition, SourceRecord
from worker.errors import WorkerError
from worker.kafka.clients import KafkaClients
from worker.kafka.waiting import wait_for_broker
from worker.replay.ranges import Earliest, Latest, Range, freeze
from worker.replay.reading import open_range_reader, read_ranges
from worker.replay.topics import partitions_of
from worker.settings import Settings


async def record_at(settings: Settings, place: SourcePartition, offset: int) -> SourceRecord:
    """The record that stands there. Raises WorkerError where there is none, or none that can be read yet."""
    clients = KafkaClients(settings.kafka)
    await wait_for_broker(clients)
    partitions = await partitions_of(clients, place.topic)
    async with open_range_reader(clients, partitions) as consumer:
        frozen = await freeze(consumer, place.topic, partitions, Earliest(), Latest())
        there = [each for each in frozen.ranges if each.partition == place.partition]
        if there and there[0].start <= offset < there[0].end:
            async for piece in read_ranges(consumer, place.topic, [Range(place.partition, offset, offset + 1)]):
                for record in piece.slice.records:
                    return record
    held = f"it has {partitions} partitions"
    if there:
        empty = there[0].start == there[0].end
        held = "the partition is empty" if empty else f"the partition holds {there[0].start} to {there[0].end}"
    raise WorkerError(
        f"{place.topic}: there is no record at partition {place.partition}, offset {offset}, or none that can be read "
        f"yet: {held}",
        code="UPC1619",
    )
