"""The partitions of a group as the brokers know them: how far they are, and what waits there for a person."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from worker.errors import MAY_PASS, WorkerError
from worker.kafka.clients import started
from worker.kafka.refusals import in_words
from worker.lanes.breaker import OPEN
from worker.lanes.committed_offset import Committed, Decision, committed_of_group
from worker.lanes.delivery import ClientFactory
from worker.lanes.faults import DENIED, denied
from worker.lanes.state import LaneState
from worker.lanes.truncation import question

TIMEOUT = 60.0
UNDECIDED = "undecided"
UNKNOWN = "-"
"""The brokers know only what is kept for who comes next; whether a lane runs its worker knows."""


@dataclass(frozen=True)
class LaneLine:
    """One partition. ``since`` is Unix time, ``end`` the last stable offset, ``decision`` the last one that a person
    has made there."""

    partition: TopicPartition
    committed: int | None
    end: int
    state: str = UNKNOWN
    since: int | None = None
    reason: str = ""
    decision: Decision | None = None

    @property
    def name(self) -> str:
        return f"{self.partition.topic}:{self.partition.partition}"


async def list_lanes(clients: ClientFactory, group: str, sources: Iterable[str]) -> list[LaneLine]:
    """Those of all partitions of the sources. Raises WorkerError."""
    try:
        async with asyncio.timeout(TIMEOUT):
            partitions = await _partitions(clients, sources)
            committed = await committed_of_group(clients, group, partitions)
            ends = await _ends(clients, partitions)
    except DENIED as error:
        raise denied(error) from error
    except (KafkaError, TimeoutError) as error:
        raise WorkerError(
            f"kafka: the brokers do not answer ({in_words(error, seconds=TIMEOUT)}): try again", MAY_PASS
        ) from error
    return [_line(each, committed.get(each), ends[each]) for each in partitions]


def _line(partition: TopicPartition, committed: Committed | None, end: int) -> LaneLine:
    if committed is None:
        return LaneLine(partition, None, end)
    offset, note = committed
    if note.finding:
        reason = question(partition, offset, note.finding)
        return LaneLine(partition, offset, end, UNDECIDED, note.finding.at, reason, note.decision)
    if note.breaker:
        reason = note.breaker.removeprefix(OPEN)
        return LaneLine(partition, offset, end, LaneState.BREAKER_OPEN, None, reason, note.decision)
    return LaneLine(partition, offset, end, decision=note.decision)


async def _partitions(clients: ClientFactory, sources: Iterable[str]) -> list[TopicPartition]:
    """Asking for a topic by name could make the broker create it."""
    wanted = set(sources)
    async with started(clients.admin()) as admin:
        topics = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics()}
    if gone := sorted(wanted - topics.keys()):
        raise WorkerError(f"{', '.join(gone)}: no such topic, or none that we may describe")
    return [TopicPartition(topic, number) for topic in sorted(wanted) for number in range(topics[topic])]


async def _ends(clients: ClientFactory, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    async with started(clients.reader()) as reader:
        ends: dict[TopicPartition, int] = await reader.end_offsets(partitions)
    return ends
