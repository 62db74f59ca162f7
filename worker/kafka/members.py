"""Who is in a consumer group, and what members say of themselves: beside its topics each joins with the routes that it
works on, so that others see to where it writes, and with which chain.

It is in the metadata of the assignor, where Kafka has a place for it; a member of an older version says nothing.
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
    """What a member makes of a source: ``chain`` is the fingerprint of the chain that it uses."""

    destination: str
    chain: str


class _Told(msgspec.Struct):
    routes: dict[str, SourceUse]


class GroupMember(msgspec.Struct, frozen=True):
    """``topics`` are those that it has subscribed to, None where the group is just meeting and nobody tells; ``ways``
    is empty where it says nothing."""

    name: str
    topics: frozenset[str] | None
    ways: Mapping[str, SourceUse]


class TellingAssignor:
    """Assigns as the usual one does, and tells of the routes at each join."""

    name = RoundRobinPartitionAssignor.name
    version = RoundRobinPartitionAssignor.version
    assign = staticmethod(RoundRobinPartitionAssignor.assign)
    on_assignment = staticmethod(RoundRobinPartitionAssignor.on_assignment)

    def __init__(self, routes: Mapping[str, SourceUse]) -> None:
        self._told = msgspec.json.encode(_Told(dict(routes)))

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        return ConsumerProtocolMemberMetadata(self.version, list(topics), self._told)


async def members_of(admin: AIOKafkaAdminClient, group: str) -> list[GroupMember]:
    """Empty where there is no such group. Raises KafkaError, also where we may not know."""
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
    return GroupMember(name, frozenset(joined.subscription), ways_of(joined.user_data))


def ways_of(told: bytes | None) -> Mapping[str, SourceUse]:
    """Of what a member says beside its topics, which may be anybody's."""
    try:
        return msgspec.json.decode(told or b"", type=_Told).routes
    except ValueError:
        return {}
