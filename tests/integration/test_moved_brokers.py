"""A cluster whose brokers are all at other addresses after an outage."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.kafka import Topics
from tests.limits import HANG
from tests.ports import free_ports
from upcast_demo.local_kafka import LocalKafka
from worker.kafka.aiokafka_internals import broker_patches
from worker.kafka.aiokafka_internals.patches import apply_patches


def addresses(port: int, controller: int) -> dict[str, str]:
    return {
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
    }


@pytest.fixture
def ports() -> list[int]:
    return free_ports(3)


@pytest.fixture
def broker(ports: list[int]) -> Iterator[LocalKafka]:
    with LocalKafka.start(properties=addresses(ports[0], ports[2])) as started:
        yield started


@pytest.mark.long
async def test_brokers_that_have_all_moved_are_found_by_the_bootstrap_servers(
    broker: LocalKafka, ports: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_patches()
    monkeypatch.setattr(broker_patches, "LOST_AFTER", 0.5)
    topic = await Topics(broker.bootstrap_servers).create()
    both = [f"127.0.0.1:{port}" for port in ports[:2]]
    async with (
        # Whoever begins at the end might ask where that is after the first record was written.
        AIOKafkaConsumer(bootstrap_servers=both, auto_offset_reset="earliest") as consumer,
        AIOKafkaProducer(bootstrap_servers=both) as producer,
    ):
        consumer.assign([TopicPartition(topic, 0)])
        await producer.send_and_wait(topic, b"before")
        assert (await consumer.getone()).value == b"before"
        broker._terminate()
        broker._given = addresses(ports[1], ports[2])
        broker._write_properties()
        await asyncio.to_thread(broker._run, 60)
        async with asyncio.timeout(HANG):
            await producer.send_and_wait(topic, b"after")
            assert (await consumer.getone()).value == b"after"
