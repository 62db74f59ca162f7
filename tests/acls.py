"""Kafka's CreateAcls request, which aiokafka does not have, for tests on a broker with an authorizer."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from aiokafka.conn import create_conn
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String

LITERAL, ALLOW, ANY_HOST = 3, 3, "*"


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


class CreateAclsResponse_v1(Response):  # type: ignore[misc]  # noqa: N801  (aiokafka's way to name versions)
    API_KEY = 30
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32), ("results", Array(("error_code", Int16), ("error_message", String("utf-8"))))
    )


class CreateAclsRequest_v1(RequestStruct):  # type: ignore[misc]  # noqa: N801
    API_KEY = 30
    API_VERSION = 1
    RESPONSE_TYPE = CreateAclsResponse_v1
    SCHEMA = Schema(
        (
            "creations",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                ("pattern_type", Int8),
                ("principal", String("utf-8")),
                ("host", String("utf-8")),
                ("operation", Int8),
                ("permission_type", Int8),
            ),
        )
    )


class CreateAclsRequest(Request[CreateAclsRequest_v1]):  # type: ignore[misc]
    API_KEY = 30

    def __init__(self, creations: Sequence[tuple[object, ...]]) -> None:
        self._creations = creations

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class(self._creations)


async def allow(address: str, user: str, resource: Resource, name: str, *operations: Operation) -> None:
    """Let ``user`` do this with the resource, as a super user at ``address``; ``*`` means all of them."""
    host, _, port = address.rpartition(":")
    connection = await create_conn(host, int(port))
    try:
        rights = [(resource, name, LITERAL, f"User:{user}", ANY_HOST, op, ALLOW) for op in operations]
        answer = await connection.send(CreateAclsRequest(rights))
    finally:
        await connection.close()
    assert all(code == 0 for code, _ in answer.results), answer
