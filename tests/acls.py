"""Kafka's CreateAcls and DeleteAcls requests, which aiokafka does not have: for a broker with an authorizer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from aiokafka.conn import create_conn
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String

from worker.kafka.aiokafka_internals.one_version import OneVersionRequest

LITERAL, PREFIXED, ALLOW, ANY_HOST = 3, 4, 3, "*"
ANY = 1
"""Of a filter: whatever there is."""


class Resource(IntEnum):
    TOPIC = 2
    GROUP = 3
    TRANSACTIONAL_ID = 5


class Operation(IntEnum):
    ALL = 2
    READ = 3
    WRITE = 4
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10


class Right(NamedTuple):
    """``of`` is the key of the route's topic, or empty for what is named after the group."""

    who: str
    resource: Resource
    of: str
    operations: tuple[Operation, ...]
    why: str

    @property
    def kind(self) -> str:
        return {Resource.TOPIC: "topic", Resource.GROUP: "group", Resource.TRANSACTIONAL_ID: "transactional id"}[
            self.resource
        ]

    @property
    def names(self) -> str:
        return f"each `{self.of}`" if self.of else "all that begin with `kafka.group_id` (prefixed)"

    @property
    def what(self) -> str:
        return ", ".join("".join(word.title() for word in each.name.split("_")) for each in self.operations)


RUN, EVIDENCE = "`run`", "`plan`, `replay`, `verify`, `dlq`"
RIGHTS = (
    Right(RUN, Resource.TOPIC, "source", (Operation.READ, Operation.DESCRIBE_CONFIGS), "read; check its settings"),
    Right(
        RUN, Resource.TOPIC, "destination", (Operation.WRITE, Operation.DESCRIBE_CONFIGS), "write; check its settings"
    ),
    Right(
        RUN, Resource.TOPIC, "dead_letter", (Operation.WRITE, Operation.DESCRIBE_CONFIGS), "write; check its settings"
    ),
    Right(RUN, Resource.GROUP, "", (Operation.READ,), "join; commit"),
    Right(RUN, Resource.TRANSACTIONAL_ID, "", (Operation.WRITE,), "one transaction for output and offset"),
    Right(EVIDENCE, Resource.TOPIC, "destination", (Operation.READ,), "prove what was written"),
    Right(EVIDENCE, Resource.TOPIC, "dead_letter", (Operation.READ,), "prove it; list, show and redrive dead letters"),
)
"""What the worker's user needs; `run` needs the first five alone."""


async def grant(address: str, user: str, rights: Iterable[Right], route: Mapping[str, str], group: str) -> None:
    for right in rights:
        name = route[right.of] if right.of else group
        await allow(address, user, right.resource, name, *right.operations, prefixed=not right.of)


ACL = (
    ("resource_type", Int8),
    ("resource_name", String("utf-8")),
    ("pattern_type", Int8),
    ("principal", String("utf-8")),
    ("host", String("utf-8")),
    ("operation", Int8),
    ("permission_type", Int8),
)


class CreateAclsRequest(
    OneVersionRequest,
    key=30,
    version=1,
    flexible=False,
    asks=Schema(("creations", Array(*ACL))),
    answer=Schema(
        ("throttle_time_ms", Int32), ("results", Array(("error_code", Int16), ("error_message", String("utf-8"))))
    ),
):
    pass


class DeleteAclsRequest(
    OneVersionRequest,
    key=31,
    version=1,
    flexible=False,
    asks=Schema(("filters", Array(*ACL))),
    answer=Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("matching", Array(("error_code", Int16), ("error_message", String("utf-8")), *ACL)),
            ),
        ),
    ),
):
    pass


async def allow(
    address: str, user: str, resource: Resource, name: str, *operations: Operation, prefixed: bool = False
) -> None:
    """Let ``user`` do this with the resource, as a super user at ``address``; ``*`` means all of them."""
    pattern = PREFIXED if prefixed else LITERAL
    rights = [(resource, name, pattern, f"User:{user}", ANY_HOST, op, ALLOW) for op in operations]
    answer = await _ask(address, CreateAclsRequest(rights))
    assert all(code == 0 for code, _ in answer.results), answer


async def take_away(address: str, user: str, resource: Resource, name: str) -> None:
    """Whatever ``user`` was allowed to do with the resource of exactly this name."""
    answer = await _ask(address, DeleteAclsRequest([(resource, name, ANY, f"User:{user}", None, ANY, ANY)]))
    assert all(code == 0 and matching for code, _, matching in answer.results), answer


async def _ask(address: str, request: OneVersionRequest) -> Any:
    host, _, port = address.rpartition(":")
    connection = await create_conn(host, int(port))
    try:
        return await connection.send(request)
    finally:
        await connection.close()
