"""Reading frozen ranges: what is asked of the brokers."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest

from tests.kafka import Record, Topics, produce
from tests.limits import HANG
from worker.errors import WorkerError
from worker.kafka.aiokafka_internals.fetch_patches import GATHER_BYTES
from worker.kafka.aiokafka_internals.reader import FetchedBatches, open_reader
from worker.kafka.clients import KafkaClients
from worker.replay.ranges import Range
from worker.replay.reading import LOOKS, open_range_reader, read_batches, read_ranges
from worker.settings import KafkaSettings


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Partition and offset of each part of a fetch that is sent."""
    found: list[tuple[int, int]] = []
    send = AIOKafkaClient.send

    async def noting(client: AIOKafkaClient, node: int, request: Any, **options: Any) -> Any:
        if isinstance(request, FetchRequest):
            found.extend((partition, offset) for _, parts in request.topics for partition, offset, _ in parts)
        return await send(client, node, request, **options)

    monkeypatch.setattr(AIOKafkaClient, "send", noting)
    return found


async def test_nothing_is_fetched_from_a_range_s_end_on(
    kafka_bootstrap: str, topics: Topics, asked: list[tuple[int, int]]
) -> None:
    """The brokers would hold such a fetch for half a second, and the next question with it."""
    topic = await topics.create(partitions=3)
    await produce(kafka_bootstrap, topic, [Record(b"k", b"v", partition=at % 3) for at in range(300)])
    passes = ([Range(0, 0, 100)], [Range(1, 0, 100)], [Range(0, 50, 100), Range(1, 0, 40), Range(2, 0, 100)])
    seen = []
    clients = KafkaClients(KafkaSettings(bootstrap_servers=kafka_bootstrap, group_id="none"))
    async with open_range_reader(clients, 3) as consumer:
        for ranges in passes:
            pieces = [piece async for piece in read_ranges(consumer, topic, ranges)]
            seen.append(sum(len(piece.slice.records) for piece in pieces))
            # Another question, as a proof asks before each partition: the client's tasks have their turn.
            await consumer.end_offsets(consumer.assignment())
    assert seen == [100, 100, 190]
    assert asked
    assert not [at for at in asked if at[1] >= 100]


@pytest.mark.parametrize(("gather", "fetches"), [(0.0, 2), (HANG, 1)])
async def test_what_comes_little_by_little_is_gathered_at_the_broker(
    kafka_bootstrap: str, topics: Topics, gather: float, fetches: int
) -> None:
    topic = await topics.create(partitions=2)
    partitions = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
    clients = KafkaClients(KafkaSettings(bootstrap_servers=kafka_bootstrap, group_id="none"))
    async with clients.reader() as consumer:
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        reader = open_reader(consumer, gather)
        await produce(kafka_bootstrap, topic, [Record(b"k", b"v", partition=0)])
        assert partitions[0] in await reader.read(partitions, HANG), "the first at once"
        rounds, seen = 0, set[TopicPartition]()
        await produce(kafka_bootstrap, topic, [Record(b"k", b"v", partition=0)])
        await produce(kafka_bootstrap, topic, [Record(b"k", b"v" * GATHER_BYTES, partition=1)])
        while seen != set(partitions):
            rounds, seen = rounds + 1, seen | set(await reader.read(partitions, HANG))
    assert rounds == fetches


@pytest.mark.parametrize("as_batches", [False, True], ids=["slices", "batches"])
@pytest.mark.parametrize("wrong", [1, 3, 99])
async def test_a_batch_that_came_broken_is_fetched_again(
    kafka_bootstrap: str, topics: Topics, monkeypatch: pytest.MonkeyPatch, as_batches: bool, wrong: int
) -> None:
    """A bit that flipped on the way is not there the next time; one that stays needs a person."""
    topic = await topics.create()
    for first in range(0, 900, 300):
        await produce(kafka_bootstrap, topic, [Record(b"k", b"%d" % at) for at in range(first, first + 300)])
    intact, times = FetchedBatches._is_intact, [wrong]

    def flipped(fetched: FetchedBatches, batch: Any) -> bool:
        if batch.base_offset < 600 or not times[0]:
            return intact(fetched, batch)
        times[0] -= 1
        return False

    monkeypatch.setattr(FetchedBatches, "_is_intact", flipped)
    clients = KafkaClients(KafkaSettings(bootstrap_servers=kafka_bootstrap, group_id="none"))
    values: list[bytes | None] = []
    async with open_range_reader(clients, 1) as consumer:
        with ExitStack() as stack:
            if wrong >= LOOKS:
                stack.enter_context(pytest.raises(WorkerError, match=r"cannot be read \(CorruptRecordException: "))
            if as_batches:
                async for batch in read_batches(consumer, topic, Range(0, 0, 900)):
                    values += [record.value for record in batch.records()]
            else:
                async for piece in read_ranges(consumer, topic, [Range(0, 0, 900)]):
                    values += [record.value for record in piece.slice.records]
    wanted = [b"%d" % at for at in range(900)]
    assert values == wanted[: len(values)]
    assert len(values) == 900 or wrong >= LOOKS
