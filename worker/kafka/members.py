"""The members of a consumer group and their routes: each worker joins with its destinations and chains as user data of
the assignor, so that others can see them. Members of older versions have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from aiokafka.errors import for_code


class SourceUse(msgspec.Struct, frozen=True, array_like=True):
    """How a member uses a source: the destination, and the fingerprint of the chain."""

    destination: str
    chain: str


class _UserData(msgspec.Struct):
    routes: dict[str, SourceUse]


class GroupMember(msgspec.Struct, frozen=True):
    """A member. ``topics`` are its subscription, None during a rebalance; ``uses`` is empty for members that have no
    user data."""

    name: str
    topics: frozenset[str] | None
    uses: Mapping[str, SourceUse]


class AnnouncingAssignor:
    """The round-robin assignor, with the worker's routes as user data."""

    name = RoundRobinPartitionAssignor.name
    version = RoundRobinPartitionAssignor.version
    assign = staticmethod(RoundRobinPartitionAssignor.assign)
    on_assignment = staticmethod(RoundRobinPartitionAssignor.on_assignment)

    def __init__(self, routes: Mapping[str, SourceUse]) -> None:
        self._user_data = msgspec.json.encode(_UserData(dict(routes)))

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        return ConsumerProtocolMemberMetadata(self.version, list(topics), self._user_data)


async def members_of(admin: AIOKafkaAdminClient, group: str) -> list[GroupMember]:
    """The members of a group; empty where there is no such group. Raises KafkaError, also where access is denied."""
    (answer,) = await admin.describe_consumer_groups([group])
    (described,) = answer.groups
    code, members = described[0], described[5]
    if code:
        raise for_code(code)(group)
    return [_member(each) for each in members]


def _member(described: Sequence[Any]) -> GroupMember:
    member_id, client_id, host, metadata, *_ = described
    name = f"{client_id} at {host.removeprefix('/')} ({member_id})"
    if not metadata:
        return GroupMember(name, None, {})
    joined = ConsumerProtocolMemberMetadata.decode(metadata)
    return GroupMember(name, frozenset(joined.subscription), uses_in(joined.user_data))


def uses_in(user_data: bytes | None) -> Mapping[str, SourceUse]:
    """The routes in a member's user data; empty where another program wrote it."""
    try:
        return msgspec.json.decode(user_data or b"", type=_UserData).routes
    except ValueError:
        return {}
