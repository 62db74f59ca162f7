"""Kafka's ElectLeaders request, which aiokafka does not have.

Named and laid out as aiokafka does it with those that it has.
"""

from __future__ import annotations

from typing import Any

from aiokafka.conn import create_conn
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String

UNCLEAN = 1
NONE, ELECTION_NOT_NEEDED = 0, 84
TEXT = String("utf-8")
TIMEOUT_MS = 10_000


class ElectLeadersResponse_v1(Response):  # type: ignore[misc]  # aiokafka has no types  # noqa: N801  (as aiokafka names its own)
    API_KEY = 43
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        (
            "results",
            Array(
                ("topic", TEXT),
                ("partitions", Array(("partition", Int32), ("error_code", Int16), ("error_message", TEXT))),
            ),
        ),
    )


class ElectLeadersRequest_v1(RequestStruct):  # type: ignore[misc]  # aiokafka has no types  # noqa: N801  (as aiokafka names its own)
    API_KEY = 43
    API_VERSION = 1
    RESPONSE_TYPE = ElectLeadersResponse_v1
    SCHEMA = Schema(
        ("election_type", Int8),
        ("topics", Array(("topic", TEXT), ("partitions", Array(Int32)))),
        ("timeout_ms", Int32),
    )


class ElectLeadersRequest(Request[ElectLeadersRequest_v1]):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 43

    def __init__(self, topic: str, partitions: int) -> None:
        self._topics = [(topic, list(range(partitions)))]

    def build(self, request_struct_class: type[ElectLeadersRequest_v1]) -> Any:
        return request_struct_class(UNCLEAN, self._topics, TIMEOUT_MS)


async def elect_unclean(address: str, topic: str, partitions: int) -> bool:
    """Of who is there, in sync or not; False where not each partition has a leader now."""
    host, _, port = address.rpartition(":")
    connection = await create_conn(host, int(port))
    try:
        answer: Any = await connection.send(ElectLeadersRequest(topic, partitions))
    finally:
        await connection.close()
    told = [code for _, results in answer.results for _, code, _ in results]
    return answer.error_code == NONE and set(told) <= {NONE, ELECTION_NOT_NEEDED}
