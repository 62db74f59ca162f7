"""Requests about open transactions that aiokafka does not have (KIP-664), for brokers since 2.8."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema

from worker.kafka.aiokafka_internals.one_version import TAGS, OneVersionRequest

PRODUCER = CompactArray(
    ("producer_id", Int64),
    ("producer_epoch", Int32),
    ("last_sequence", Int32),
    ("last_timestamp", Int64),
    ("coordinator_epoch", Int32),
    ("current_txn_start_offset", Int64),
    TAGS,
)
WRITTEN = CompactArray(
    ("partition_index", Int32),
    ("error_code", Int16),
    ("error_message", CompactString("utf-8")),
    ("active_producers", PRODUCER),
    TAGS,
)
LISTED = CompactArray(
    ("transactional_id", CompactString("utf-8")),
    ("producer_id", Int64),
    ("transaction_state", CompactString("utf-8")),
    TAGS,
)
DESCRIBED = CompactArray(
    ("error_code", Int16),
    ("transactional_id", CompactString("utf-8")),
    ("transaction_state", CompactString("utf-8")),
    ("transaction_timeout_ms", Int32),
    ("transaction_start_time_ms", Int64),
    ("producer_id", Int64),
    ("producer_epoch", Int16),
    ("topics", CompactArray(("topic", CompactString("utf-8")), ("partitions", CompactArray(Int32)), TAGS)),
    TAGS,
)


class DescribeProducersRequest(
    OneVersionRequest,
    key=61,
    version=0,
    asks=Schema(
        ("topics", CompactArray(("name", CompactString("utf-8")), ("partition_indexes", CompactArray(Int32)), TAGS)),
        TAGS,
    ),
    answer=Schema(
        ("throttle_time_ms", Int32),
        ("topics", CompactArray(("name", CompactString("utf-8")), ("partitions", WRITTEN), TAGS)),
        TAGS,
    ),
):
    """DescribeProducers: the producers of partitions, and where their open transactions begin. ``topics`` are names and
    partitions."""

    def __init__(self, topics: Sequence[tuple[str, list[int]]]) -> None:
        super().__init__([(name, numbers, {}) for name, numbers in topics], {})


class ListTransactionsRequest(
    OneVersionRequest,
    key=66,
    version=0,
    asks=Schema(
        ("state_filters", CompactArray(CompactString("utf-8"))), ("producer_id_filters", CompactArray(Int64)), TAGS
    ),
    answer=Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("unknown_state_filters", CompactArray(CompactString("utf-8"))),
        ("transaction_states", LISTED),
        TAGS,
    ),
):
    """ListTransactions: the transactional ids of producers, as far as the broker is their coordinator."""

    def __init__(self, producer_ids: Sequence[int]) -> None:
        super().__init__([], producer_ids, {})


class DescribeTransactionsRequest(
    OneVersionRequest,
    key=65,
    version=0,
    asks=Schema(("transactional_ids", CompactArray(CompactString("utf-8"))), TAGS),
    answer=Schema(("throttle_time_ms", Int32), ("transaction_states", DESCRIBED), TAGS),
):
    """DescribeTransactions: start and state of transactions. Only their coordinator answers."""

    def __init__(self, transactional_ids: Sequence[str]) -> None:
        super().__init__(transactional_ids, {})
