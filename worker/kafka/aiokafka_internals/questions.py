"""Sends requests that aiokafka's public interface does not have, over the connections of its clients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import ConnectionGroup
from aiokafka.conn import AIOKafkaConnection

Versions = Mapping[int, tuple[int, int]]
"""The first and the last version of each request that a broker supports, by API key."""


async def ask_leaders(
    consumer: AIOKafkaConsumer,
    partitions: Iterable[TopicPartition],
    build: Callable[[list[tuple[str, list[int]]]], Any],
) -> list[Any]:
    """The answers of the partitions' leaders. ``build`` makes each leader's request of its topics and partitions.
    Raises KafkaError."""
    by_leader: dict[int, dict[str, list[int]]] = {}
    for at in partitions:
        leader = consumer._client.cluster.leader_for_partition(at)
        if leader is not None and leader >= 0:
            by_leader.setdefault(leader, {}).setdefault(at.topic, []).append(at.partition)
    return [await ask_broker(consumer, node, build(list(topics.items()))) for node, topics in by_leader.items()]


async def ask_all_brokers(consumer: AIOKafkaConsumer, request: Any) -> dict[int, Any]:
    """The answers of all brokers, by node id. Raises KafkaError."""
    nodes = [broker.nodeId for broker in consumer._client.cluster.brokers()]
    return {node: await ask_broker(consumer, node, request) for node in nodes}


async def ask_broker(consumer: AIOKafkaConsumer, node: int, request: Any) -> Any:
    """The answer of one broker. Raises KafkaError, also where the broker is too old for the request."""
    return await consumer._client.send(node, request)


async def ask_node(admin: AIOKafkaAdminClient, node: int, request: Any) -> Any:
    """The answer of one broker, by an admin client. Raises KafkaError."""
    return await admin._send_request(request, node)


async def ask_coordinator(consumer: AIOKafkaConsumer, request: Any) -> Any:
    """The answer of the coordinator of the consumer's group, with its error code. Raises KafkaError, also where there
    is no coordinator."""
    coordinator = consumer._coordinator
    await coordinator.ensure_coordinator_known()
    answer = await coordinator._send_req(request)
    if answer.error_code == kafka_errors.NotCoordinatorForGroupError.errno:
        coordinator.coordinator_dead()
    return answer


def group_of(consumer: AIOKafkaConsumer) -> str:
    """The id of the consumer's group."""
    group: str = consumer._coordinator.group_id
    return group


def versions_of_coordinator(consumer: AIOKafkaConsumer) -> Versions | None:
    """The versions that the coordinator of the consumer's group supports; None before the first request to it."""
    at = (consumer._coordinator.coordinator_id, ConnectionGroup.COORDINATION)
    connection = consumer._client._conns.get(at)
    return None if connection is None else versions_of(connection)


def versions_of(connection: AIOKafkaConnection) -> Versions:
    """The versions that the broker of a connection supports."""
    found: Versions = connection._versions
    return found
