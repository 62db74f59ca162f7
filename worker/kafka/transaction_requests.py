"""Questions about open transactions that aiokafka does not know (KIP-664), as brokers since 2.8 take them."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

TAGS = ("tags", TaggedFields)


class DescribeProducersResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 61
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("name", CompactString("utf-8")),
                (
                    "partitions",
                    CompactArray(
                        ("partition_index", Int32),
                        ("error_code", Int16),
                        ("error_message", CompactString("utf-8")),
                        (
                            "active_producers",
                            CompactArray(
                                ("producer_id", Int64),
                                ("producer_epoch", Int32),
                                ("last_sequence", Int32),
                                ("last_timestamp", Int64),
                                ("coordinator_epoch", Int32),
                                ("current_txn_start_offset", Int64),
                                TAGS,
                            ),
                        ),
                        TAGS,
                    ),
                ),
                TAGS,
            ),
        ),
        TAGS,
    )


class DescribeProducersV0(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 61
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = DescribeProducersResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("name", CompactString("utf-8")), ("partition_indexes", CompactArray(Int32)), TAGS),
        ),
        TAGS,
    )


class DescribeProducersRequest(Request[DescribeProducersV0]):  # type: ignore[misc]  # aiokafka has no types
    """Who has written to partitions, and from which offset on without an end. ``topics`` are names and partitions."""

    API_KEY = 61

    def __init__(self, topics: Sequence[tuple[str, list[int]]]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[DescribeProducersV0]) -> DescribeProducersV0:
        return request_struct_class([(name, numbers, {}) for name, numbers in self._topics], {})


class ListTransactionsResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 66
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("unknown_state_filters", CompactArray(CompactString("utf-8"))),
        (
            "transaction_states",
            CompactArray(
                ("transactional_id", CompactString("utf-8")),
                ("producer_id", Int64),
                ("transaction_state", CompactString("utf-8")),
                TAGS,
            ),
        ),
        TAGS,
    )


class ListTransactionsV0(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 66
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = ListTransactionsResponse
    SCHEMA = Schema(
        ("state_filters", CompactArray(CompactString("utf-8"))),
        ("producer_id_filters", CompactArray(Int64)),
        TAGS,
    )


class ListTransactionsRequest(Request[ListTransactionsV0]):  # type: ignore[misc]  # aiokafka has no types
    """The transactional ids of producers, as far as the asked broker is their coordinator."""

    API_KEY = 66

    def __init__(self, producer_ids: Sequence[int]) -> None:
        self._producer_ids = producer_ids

    def build(self, request_struct_class: type[ListTransactionsV0]) -> ListTransactionsV0:
        return request_struct_class([], self._producer_ids, {})


class DescribeTransactionsResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 65
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "transaction_states",
            CompactArray(
                ("error_code", Int16),
                ("transactional_id", CompactString("utf-8")),
                ("transaction_state", CompactString("utf-8")),
                ("transaction_timeout_ms", Int32),
                ("transaction_start_time_ms", Int64),
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                (
                    "topics",
                    CompactArray(("topic", CompactString("utf-8")), ("partitions", CompactArray(Int32)), TAGS),
                ),
                TAGS,
            ),
        ),
        TAGS,
    )


class DescribeTransactionsV0(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 65
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = DescribeTransactionsResponse
    SCHEMA = Schema(("transactional_ids", CompactArray(CompactString("utf-8"))), TAGS)


class DescribeTransactionsRequest(Request[DescribeTransactionsV0]):  # type: ignore[misc]  # aiokafka has no types
    """When transactions were begun, and how they are. To be asked of their coordinator."""

    API_KEY = 65

    def __init__(self, transactional_ids: Sequence[str]) -> None:
        self._transactional_ids = transactional_ids

    def build(self, request_struct_class: type[DescribeTransactionsV0]) -> DescribeTransactionsV0:
        return request_struct_class(self._transactional_ids, {})
