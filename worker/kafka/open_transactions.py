"""Finds the open transaction at the last stable offset of a partition, and its producer (KIP-664).

Brokers before 2.8 do not answer such requests, and access may be denied: unknown parts are left out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from worker.kafka.aiokafka_internals.questions import ask_all_brokers, ask_broker, ask_leaders
from worker.kafka.log_offsets import LogOffsets
from worker.kafka.tools import kafka_tool
from worker.kafka.transaction_requests import (
    DescribeProducersRequest,
    DescribeTransactionsRequest,
    ListTransactionsRequest,
)
from worker.times import utc

ANSWER = 3.0


@dataclass(frozen=True)
class OpenTransaction:
    """An open transaction. It begins at ``offset``, the last stable offset; ``hidden`` is the number of offsets that
    cannot be read from there on. ``since`` is when it began, ``last_record`` the time of its last record, where only
    that is known (both in ms)."""

    topic: str
    partition: int
    offset: int
    hidden: int
    producer_id: int | None = None
    transactional_id: str = ""
    since: int | None = None
    last_record: int | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.cause}, hides {self.hidden:,} offsets"

    @property
    def place(self) -> str:
        return f"{self.topic} partition {self.partition}"

    @property
    def cause(self) -> str:
        """The transaction in words; the same text as long as the same transaction is open."""
        return f"an open transaction at offset {self.offset}{self._of_whom()}"

    @property
    def fix(self) -> str:
        return (
            f"let its producer end it, or `{kafka_tool('transactions')} --bootstrap-server SERVER abort "
            f"--topic {self.topic} --partition {self.partition} --start-offset {self.offset}`"
        )

    def content(self) -> dict[str, Any]:
        """The parts for JSON; None where unknown."""
        return {
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "hidden": self.hidden,
            "since": None if self.since is None else utc(self.since / 1000),
            "producer_id": self.producer_id,
            "transactional_id": self.transactional_id or None,
        }

    def _of_whom(self) -> str:
        known = [f"of {self.transactional_id}"] if self.transactional_id else []
        if self.producer_id is not None:
            known.append(f"producer id {self.producer_id}")
        if self.since is not None:
            known.append(f"since {utc(self.since / 1000)}")
        elif self.last_record is not None:
            known.append(f"last record {utc(self.last_record / 1000)}")
        return f" ({', '.join(known)})" if known else ""


async def open_transactions(
    consumer: AIOKafkaConsumer, hidden: Mapping[TopicPartition, LogOffsets]
) -> list[OpenTransaction]:
    """The open transaction of each of these partitions. Never raises KafkaError: where the brokers do not answer only
    the offsets are known."""
    found = {at: OpenTransaction(at.topic, at.partition, each.stable, each.hidden) for at, each in hidden.items()}
    with contextlib.suppress(KafkaError, TimeoutError, OSError):
        async with asyncio.timeout(ANSWER):
            found |= await _with_producers(consumer, found)
            found |= await _with_names(consumer, found)
    return [found[at] for at in sorted(found)]


async def _with_producers(
    consumer: AIOKafkaConsumer, found: Mapping[TopicPartition, OpenTransaction]
) -> dict[TopicPartition, OpenTransaction]:
    told = dict[TopicPartition, OpenTransaction]()
    for answer in await ask_leaders(consumer, list(found), DescribeProducersRequest):
        for topic, partitions, _ in answer.topics:
            for number, code, _, producers, _ in partitions:
                at = TopicPartition(topic, number)
                if code == 0 and at in found:
                    told[at] = _of_producers(found[at], producers)
    return told


def _of_producers(held: OpenTransaction, producers: Iterable[Sequence[Any]]) -> OpenTransaction:
    for producer_id, _, _, last_timestamp, _, start, _ in producers:
        if start == held.offset:
            return replace(held, producer_id=producer_id, last_record=last_timestamp if last_timestamp >= 0 else None)
    return held


async def _with_names(
    consumer: AIOKafkaConsumer, found: Mapping[TopicPartition, OpenTransaction]
) -> dict[TopicPartition, OpenTransaction]:
    """Add transactional ids and start times. Each coordinator knows only its own transactions, so all brokers are
    asked."""
    ids = list({each.producer_id for each in found.values() if each.producer_id is not None})
    begun: dict[int, tuple[str, int | None]] = {}
    for node, listed in (await ask_all_brokers(consumer, ListTransactionsRequest(ids))).items() if ids else ():
        if names := [name for name, *_ in listed.transaction_states]:
            described = await ask_broker(consumer, node, DescribeTransactionsRequest(names))
            for code, name, _, _, started, producer_id, *_ in described.transaction_states:
                if code == 0:
                    begun[producer_id] = name, started if started >= 0 else None
    return {
        at: replace(each, transactional_id=begun[each.producer_id][0], since=begun[each.producer_id][1])
        for at, each in found.items()
        if each.producer_id in begun
    }
