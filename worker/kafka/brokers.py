"""The brokers' limits for members and transactions, by their settings and by the group's answer to a new member."""

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
"""aiokafka's default, which the worker uses."""


async def limits_of(admin: AIOKafkaAdminClient) -> Mapping[str, int]:
    """The strictest value of each of ``LIMITS`` over all brokers; empty without the right DescribeConfigs on the
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
    """The group's answer to a new member; ``NoError`` where it would accept one. Raises KafkaError.

    A coordinator checks session, size and strategy of a joining member before its id, and answers an unknown id with
    UnknownMemberId. So the request joins nothing, and no partition moves. (A request without an id would reserve a
    place in the group, and giving it back would cause a rebalance.)
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
    """The assignment strategy of a group and the number of its members; empty and 0 where the group may not be
    described. Raises KafkaError."""
    for answer in await admin.describe_consumer_groups([group]):
        for code, _, _, _, strategy, members, *_ in answer.groups:
            if code == GroupAuthorizationFailedError.errno:
                return "", 0
            return str(strategy), len(members)
    return "", 0
