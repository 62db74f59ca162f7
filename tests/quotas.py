"""Kafka's AlterClientQuotas request, which aiokafka does not have.

Named and laid out as aiokafka does it with those that it has.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Float64, Int16, Int32, Schema, String

ENTITY = ("entity", Array(("entity_type", String("utf-8")), ("entity_name", String("utf-8"))))


class AlterClientQuotasResponse_v0(Response):  # type: ignore[misc]  # aiokafka has no types  # noqa: N801  (as aiokafka names its own)
    API_KEY = 49
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("entries", Array(("error_code", Int16), ("error_message", String("utf-8")), ENTITY)),
    )


class AlterClientQuotasRequest_v0(RequestStruct):  # type: ignore[misc]  # aiokafka has no types  # noqa: N801  (as aiokafka names its own)
    API_KEY = 49
    API_VERSION = 0
    RESPONSE_TYPE = AlterClientQuotasResponse_v0
    SCHEMA = Schema(
        ("entries", Array(ENTITY, ("ops", Array(("key", String("utf-8")), ("value", Float64), ("remove", Boolean))))),
        ("validate_only", Boolean),
    )


class AlterClientQuotasRequest(Request[AlterClientQuotasRequest_v0]):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 49

    def __init__(self, client_id: str, key: str, value: float | None) -> None:
        self._entries = [([("client-id", client_id)], [(key, value or 0.0, value is None)])]

    def build(self, request_struct_class: type[AlterClientQuotasRequest_v0]) -> AlterClientQuotasRequest_v0:
        return request_struct_class(self._entries, False)


@asynccontextmanager
async def quota(address: str, client_id: str, **quotas: float) -> AsyncIterator[None]:
    """A quota of this client id, as long as the block runs."""
    for key, value in quotas.items():
        await set_quota(address, client_id, key, value)
    try:
        yield
    finally:
        for key in quotas:
            await set_quota(address, client_id, key, None)


async def set_quota(address: str, client_id: str, key: str, value: float | None) -> None:
    """None takes it away."""
    host, _, port = address.rpartition(":")
    connection = await create_conn(host, int(port))
    try:
        answer: Any = await connection.send(AlterClientQuotasRequest(client_id, key, value))
    finally:
        await connection.close()
    assert all(code == 0 for code, *_ in answer.entries), answer
