"""Topics and their backlog: written once a case, read by every contender."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from benchmarks.drain.events import FIRST_MS, Made, numbers

TOPIC = {"retention.ms": "-1", "max.message.bytes": "1048588"}
BATCH_BYTES = 100_000


@dataclass(frozen=True)
class Backlog:
    """``count`` records in ``topic``, dealt to the partitions in turn."""

    topic: str
    count: int
    partitions: int
    events: Sequence[Made]
    headers: Sequence[tuple[str, bytes]] = ()


class Broker:
    """What the benchmark asks of the broker."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)

    async def start(self) -> None:
        await self._admin.start()

    async def close(self) -> None:
        await self._admin.close()

    async def create(self, name: str, partitions: int) -> str:
        topics = [NewTopic(name, partitions, 1, topic_configs=TOPIC)]
        answer = await self._admin.create_topics(topics)
        refused = [error for error in answer.topic_errors if error[1]]
        if refused:
            raise RuntimeError(f"{name} could not be created: {refused}")
        return name

    async def delete(self, *names: str) -> None:
        await self._admin.delete_topics(list(names))

    async def committed(self, group: str) -> Mapping[int, int]:
        """Offsets by partition; empty while nothing is committed."""
        try:
            offsets = await self._admin.list_consumer_group_offsets(group)
        except KafkaError:  # no coordinator for it yet
            return {}
        return {place.partition: found.offset for place, found in offsets.items()}

    async def write(self, backlog: Backlog, compression: str) -> None:
        """All records, in batches of about ``BATCH_BYTES``."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            compression_type=None if compression == "none" else compression,
        )
        async with producer:
            await asyncio.gather(*(_fill(producer, backlog, number) for number in range(backlog.partitions)))


async def _fill(producer: AIOKafkaProducer, backlog: Backlog, partition: int) -> None:
    events, sent = backlog.events, []
    batch = producer.create_batch()
    for at, number in enumerate(numbers(backlog.count, partition, backlog.partitions)):
        event = events[number]
        fields = {"timestamp": FIRST_MS + at, "key": event.key, "value": event.value, "headers": list(backlog.headers)}
        if batch.append(**fields) is None:
            sent.append(await producer.send_batch(batch, backlog.topic, partition=partition))
            batch = producer.create_batch()
            batch.append(**fields)
    sent.append(await producer.send_batch(batch, backlog.topic, partition=partition))
    await asyncio.gather(*sent)
