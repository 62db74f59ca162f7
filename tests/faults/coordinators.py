"""Group coordinators: which partition of the brokers' own topic a group is in, who takes it over, and what slows that.

A broker that takes a partition over reads it as a whole. Up to Kafka 3.9 one thread does so, the same one that makes
the offsets of committed transactions visible: until it is done, those of the groups that were there before are old.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, NotLeaderForPartitionError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.protocol.produce import ProduceRequest

from tests.kafka import admin_of, make_topic
from tests.limits import HANG

OFFSETS_TOPIC = "__consumer_offsets"
PARTITIONS = 4
"""Of that topic, as the local brokers are configured."""
ADMIN_CLIENT = "__admin_client"
"""Who else may write to it, by the brokers' rules."""
COMMITS_IN_A_BATCH = 100_000
ZSTD = 4
Described = Sequence[Mapping[str, Any]]
"""Partitions of a topic, each with its leader, its replicas and those that are in sync."""


def partition_of(group: str) -> int:
    """As the brokers choose it: Java's hash of the name."""
    hashed = 0
    for unit in struct.unpack(f">{len(group)}H", group.encode("utf-16-be")):
        hashed = (31 * hashed + unit) & 0xFFFFFFFF
    return (hashed & 0x7FFFFFFF) % PARTITIONS


def rotated(partitions: int, nodes: int) -> dict[int, list[int]]:
    """Replicas by partition, with the leaders one after the other: the second one is who takes over."""
    return {each: [(each + copy) % nodes + 1 for copy in range(nodes)] for each in range(partitions)}


async def make_offsets_topic(bootstrap_servers: str, nodes: int) -> None:
    """With leaders in turns; the brokers' own choice of them is any."""
    configs = {"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": str(100 * 2**20)}
    async with admin_of(bootstrap_servers) as admin:
        there = OFFSETS_TOPIC in await admin.list_topics()
    if not there:
        await make_topic(bootstrap_servers, OFFSETS_TOPIC, rotated(PARTITIONS, nodes), configs)


@dataclass(frozen=True)
class Takeover:
    """When broker ``victim`` dies, ``heir`` has to load ``partition``."""

    partition: int
    victim: int
    heir: int


async def takeover_by_the_coordinator(bootstrap_servers: str, group: str) -> Takeover | None:
    return takeover(await _described(bootstrap_servers), group)


def takeover(described: Described, group: str) -> Takeover | None:
    """The one that keeps the group's coordinator busy; None while leaders are elsewhere, or the heir lags behind."""
    led = {each["partition"]: each for each in described}
    own = partition_of(group)
    if own not in led or any(each["leader"] != each["replicas"][0] for each in described):
        return None
    for number, each in led.items():
        victim, heir, *_ = each["replicas"]
        if number != own and heir == led[own]["leader"] and heir in each["isr"]:
            return Takeover(number, victim, heir)
    return None


async def leader_of(bootstrap_servers: str, partition: int) -> int:
    """-1 where nobody can tell at the moment."""
    return next((each["leader"] for each in await _described(bootstrap_servers) if each["partition"] == partition), -1)


async def leaders_of(bootstrap_servers: str, topic: str) -> set[int]:
    """Of all its partitions; empty where nobody can tell at the moment."""
    return {each["leader"] for each in await _described(bootstrap_servers, topic)}


async def _described(bootstrap_servers: str, topic: str = OFFSETS_TOPIC) -> Described:
    try:
        async with admin_of(bootstrap_servers) as admin:
            found: Described = (await admin.describe_topics([topic]))[0]["partitions"]
    except KafkaError:
        return ()  # who was asked has just died
    return found


async def write_old_commits(bootstrap_servers: str, partition: int, count: int) -> None:
    """As a busy group leaves them behind: the same offset again and again."""
    batch = _batch_of_commits()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, client_id=ADMIN_CLIENT) as producer:
        for _ in range(-(-count // COMMITS_IN_A_BATCH)):
            async with asyncio.timeout(HANG):
                while not await _taken(producer.client, partition, batch):
                    await producer.client.force_metadata_update()


async def _taken(client: AIOKafkaClient, partition: int, batch: bytes) -> bool:
    """Whether the leader has taken the batch; False where it has just moved."""
    await client._wait_on_metadata(OFFSETS_TOPIC)
    leader = client.cluster.leader_for_partition(TopicPartition(OFFSETS_TOPIC, partition))
    request = ProduceRequest(None, -1, 30_000, [(OFFSETS_TOPIC, [(partition, batch)])])
    error = (await client.send(leader, request)).topics[0][1][0][1]
    if error not in (0, NotLeaderForPartitionError.errno):
        raise AssertionError(f"old commits were refused with error {error}")
    return not error


def _batch_of_commits() -> bytes:
    builder = BatchBuilder(32 * 2**20, ZSTD)
    key = struct.pack(">h", 1) + _text("someone-else") + _text("their-topic") + struct.pack(">i", 7)
    now = int(time.time() * 1000)
    value = struct.pack(">hqi", 3, 12_345, -1) + _text("") + struct.pack(">q", now)
    for _ in range(COMMITS_IN_A_BATCH):
        builder.append(timestamp=now, key=key, value=value)
    return bytes(builder._build())


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()
