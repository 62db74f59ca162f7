"""What the brokers take of a member and of a transaction: their own settings, and how the group answers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, NoError, UnknownMemberIdError, for_code
from aiokafka.protocol.group import JoinGroupRequest

from worker.kafka.aiokafka_internals.questions import ask_node
from worker.settings import KafkaSettings

SHORTEST_SESSION = "group.min.session.timeout.ms"
LONGEST_SESSION = "group.max.session.timeout.ms"
LONGEST_TRANSACTION = "transaction.max.timeout.ms"
LARGEST_NOTE = "offset.metadata.max.bytes"
LARGEST_GROUP = "group.max.size"
LIMITS = (SHORTEST_SESSION, LONGEST_SESSION, LONGEST_TRANSACTION, LARGEST_NOTE, LARGEST_GROUP)

ASSIGNOR = RoundRobinPartitionAssignor
"""aiokafka's own choice, which the worker leaves as it is."""


async def limits_of(admin: AIOKafkaAdminClient) -> Mapping[str, int]:
    """The strictest that any broker says of ``LIMITS``; empty where we may not ask, which takes DescribeConfigs on the
    cluster. Raises KafkaError."""
    brokers = (await admin.describe_cluster())["brokers"]
    wanted = dict.fromkeys(LIMITS, "")
    asked = [ConfigResource(ConfigResourceType.BROKER, str(each["node_id"]), wanted) for each in brokers]
    found: dict[str, int] = {}
    for answer in await admin.describe_configs(asked):
        for _, _, _, _, entries in answer.resources:
            for name, value, *_ in entries:
                if str(value).isdigit():
                    found[name] = _stricter(name, int(value), found.get(name))
    return found


def _stricter(name: str, one: int, other: int | None) -> int:
    if other is None:
        return one
    return max(one, other) if name == SHORTEST_SESSION else min(one, other)


async def answer_to_joining(admin: AIOKafkaAdminClient, kafka: KafkaSettings) -> type[KafkaError]:
    """What the group would answer a new member; ``NoError`` where it would take it. Raises KafkaError.

    A coordinator judges session, size and strategy of whoever joins before it looks for the id that he comes with, and
    of an id that it never gave it says just that. So nobody becomes a member, and no partition moves. (Whoever comes
    without an id is kept a place, which a group that meets meanwhile waits for; to give it back makes the group meet.)
    """
    coordinator = await admin.find_coordinator(kafka.group_id)
    answer = await ask_node(
        admin,
        coordinator,
        JoinGroupRequest(
            kafka.group_id,
            round(kafka.session_timeout * 1000),
            round(kafka.rebalance_timeout * 1000),
            f"asks-{uuid.uuid4()}",
            None,
            ConsumerProtocol.PROTOCOL_TYPE,
            [(ASSIGNOR.name, ASSIGNOR.metadata(()).encode())],
        ),
    )
    error: type[KafkaError] = for_code(answer.error_code)
    if error is UnknownMemberIdError:
        error = NoError
    if error.retriable:
        raise error("the group was asked whether it takes one more member")
    return error


async def others_in(admin: AIOKafkaAdminClient, group: str) -> tuple[str, int]:
    """The strategy by which the members of a group assign partitions, and how many they are; empty and 0 where that
    cannot be seen. Raises KafkaError."""
    for answer in await admin.describe_consumer_groups([group]):
        for code, _, _, _, strategy, members, *_ in answer.groups:
            if code == GroupAuthorizationFailedError.errno:
                return "", 0
            return str(strategy), len(members)
    return "", 0
