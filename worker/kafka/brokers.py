"""What the brokers take of a member and of a transaction: their own settings, and how the group answers."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, MemberIdRequired, NoError, for_code

from worker.kafka.internals import ask_node
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

    A member that comes without an id is judged, and then told to come again with the one that it is given (KIP-394):
    it is no member before that, and nothing is shared out anew. The id is given back at once. A worker with an
    instance id asks without: with it, it would take the place of the one that is at work.
    """
    from aiokafka.protocol.group import JoinGroupRequest, LeaveGroupRequest

    group, milliseconds = kafka.group_id, round(kafka.session_timeout * 1000)
    coordinator = await admin.find_coordinator(group)
    strategies = [(ASSIGNOR.name, ASSIGNOR.metadata(()).encode())]
    rebalance = round(kafka.rebalance_timeout * 1000)
    asked = JoinGroupRequest(group, milliseconds, rebalance, "", None, "consumer", strategies)
    answer = await ask_node(admin, coordinator, asked)
    error: type[KafkaError] = for_code(answer.error_code)
    if error in (MemberIdRequired, NoError):
        with contextlib.suppress(KafkaError):
            await ask_node(admin, coordinator, LeaveGroupRequest(group, answer.member_id))
        error = NoError
    if error.retriable:
        raise error("the group was asked to join")
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
