"""Kafka's AlterUserScramCredentials request, which aiokafka does not have.

Named and laid out as aiokafka does it with those that it has.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactBytes, CompactString, Int8, Int16, Int32, Schema, TaggedFields

SCRAM_SHA_512, ITERATIONS = 2, 4096
TEXT = CompactString("utf-8")


class AlterUserScramCredentialsResponse_v0(Response):  # type: ignore[misc]  # aiokafka has no types  # noqa: N801  (as aiokafka names its own)
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(("user", TEXT), ("error_code", Int16), ("error_message", TEXT), ("tags", TaggedFields)),
        ),
        ("tags", TaggedFields),
    )


class AlterUserScramCredentialsRequest_v0(RequestStruct):  # type: ignore[misc]  # aiokafka has no types  # noqa: N801  (as aiokafka names its own)
    FLEXIBLE_VERSION = True
    API_KEY = 51
    API_VERSION = 0
    RESPONSE_TYPE = AlterUserScramCredentialsResponse_v0
    SCHEMA = Schema(
        ("deletions", CompactArray(("name", TEXT), ("mechanism", Int8), ("tags", TaggedFields))),
        (
            "upsertions",
            CompactArray(
                ("name", TEXT),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class AlterUserScramCredentialsRequest(Request[AlterUserScramCredentialsRequest_v0]):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 51

    def __init__(self, user: str, password: str) -> None:
        salt = os.urandom(16)
        salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
        self._upsertion: tuple[Any, ...] = user, SCRAM_SHA_512, ITERATIONS, salt, salted, {}

    def build(self, request_struct_class: type[AlterUserScramCredentialsRequest_v0]) -> Any:
        return request_struct_class([], [self._upsertion], {})


async def set_password(address: str, user: str, password: str) -> None:
    """For SCRAM-SHA-512, from now on; who is logged in stays so."""
    host, _, port = address.rpartition(":")
    connection = await create_conn(host, int(port))
    try:
        answer: Any = await connection.send(AlterUserScramCredentialsRequest(user, password))
    finally:
        await connection.close()
    assert all(code == 0 for _, code, *_ in answer.results), answer
