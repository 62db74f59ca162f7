"""Lists the partitions of a group as the brokers know them, and commits a person's decision where a partition needs
one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from msgspec.structs import replace

from worker.errors import MAY_PASS, WorkerError
from worker.kafka.clients import started
from worker.kafka.log_ends import end_of_log, start_of_log
from worker.kafka.refusals import answered, in_words
from worker.lanes.breaker import OPEN
from worker.lanes.committed_offset import Committed, Decision, Truncation, committed_of_group
from worker.lanes.delivery import ClientFactory, successor
from worker.lanes.faults import DENIED, FENCED, denied
from worker.lanes.state import LaneState
from worker.lanes.truncation import question

LOOK_SECONDS = 60.0
UNDECIDED = "undecided"
UNKNOWN = "-"
"""The brokers have no state of a running lane; only its worker does."""


@dataclass(frozen=True)
class LaneLine:
    """One partition. ``since`` is Unix time, ``end`` the last stable offset, ``decision`` the last one that a person
    made."""

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
    """All partitions of the sources. Raises WorkerError where the brokers do not answer or a source does not exist."""
    with answered("kafka: the brokers do not answer", LOOK_SECONDS):
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                partitions = await _partitions(clients, sources)
                committed = await committed_of_group(clients, group, partitions)
                ends = await _ends(clients, partitions)
        except DENIED as error:
            raise denied(error) from error
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
    """The partitions of the sources. It lists all topics, since asking for one by name could make the broker create
    it."""
    wanted = set(sources)
    async with started(clients.admin()) as admin:
        topics = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics()}
    if gone := sorted(wanted - topics.keys()):
        raise WorkerError(
            f"{', '.join(gone)}: the topic does not exist, or the worker's user may not describe it", code="UPC1206"
        )
    return [TopicPartition(topic, number) for topic in sorted(wanted) for number in range(topics[topic])]


async def _ends(clients: ClientFactory, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    async with started(clients.reader()) as reader:
        ends: dict[TopicPartition, int] = await reader.end_offsets(partitions)
    return ends


TIMEOUT = 30.0
ATTEMPTS = 3

Target = int | Literal["found", "end"]
"""Where to go on: an offset; ``found``: where the partition ended when that was checked; ``end``: where the source ends
now."""


class NothingToDecideError(WorkerError):
    """The partition needs no decision."""


class TakenUpError(WorkerError):
    """A worker has started on the partition at the same time."""


class WrongPlaceError(WorkerError):
    """The partition has no such offset."""


async def decide(clients: ClientFactory, group: str, partition: TopicPartition, place: Target, now: float) -> Decision:
    """Commit a decision and return it. Raises NothingToDecideError, WrongPlaceError, and WorkerError where the brokers
    did not commit it.

    A worker that starts on the partition meanwhile is blocked again at once, so the decision is tried again.
    """
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(TakenUpError):
            return await _decide_once(clients, group, partition, place, now)
    return await _decide_once(clients, group, partition, place, now)


async def _decide_once(
    clients: ClientFactory, group: str, partition: TopicPartition, place: Target, now: float
) -> Decision:
    name = f"{partition.topic}:{partition.partition}"
    try:
        async with asyncio.timeout(TIMEOUT):
            await _question(clients, group, partition)
            async with successor(clients, group, partition) as producer:
                # Only now nobody else can move the offset.
                committed, finding = await _question(clients, group, partition)
                decision = await _decision(producer, partition, committed.offset, finding, place, now)
                await _write(producer, group, partition, committed, finding, decision)
    except FENCED as error:
        raise TakenUpError(
            f"{name}: a worker has started on the partition at the same time: try again", MAY_PASS, code="UPC1405"
        ) from error
    except DENIED as error:
        raise denied(error) from error
    except (KafkaError, TimeoutError, OSError) as error:
        why = in_words(error, seconds=TIMEOUT)
        raise WorkerError(
            f"{name}: the decision may not be committed ({why}): look with `upcast lanes list`, and try again",
            MAY_PASS,
            code="UPC1405",
        ) from error
    return decision


async def _question(clients: ClientFactory, group: str, partition: TopicPartition) -> tuple[Committed, Truncation]:
    found = (await committed_of_group(clients, group, [partition])).get(partition)
    if found is None or found.note.finding is None:
        name = f"{partition.topic}:{partition.partition}"
        raise NothingToDecideError(
            f"{name}: needs no decision: `upcast lanes list` shows the partitions that do", code="UPC1406"
        )
    return found, found.note.finding


async def _decision(
    producer: AIOKafkaProducer,
    partition: TopicPartition,
    committed: int,
    finding: Truncation,
    place: Target,
    now: float,
) -> Decision:
    start, end = await start_of_log(producer.client, partition), await end_of_log(producer.client, partition)
    # Offsets from here on have been read by nobody.
    unread = finding.end if finding.what == "source" else committed
    to = place if isinstance(place, int) else end if place == "end" else unread
    if not start <= to <= end:
        raise WrongPlaceError(
            f"{partition.topic}:{partition.partition}: offset {to} is outside of the partition, which goes from "
            f"{start} to {end} now",
            code="UPC1407",
        )
    return Decision(before=committed, to=to, at=int(now), first=unread, left_out=max(0, to - unread))


async def _write(
    producer: AIOKafkaProducer,
    group: str,
    partition: TopicPartition,
    committed: Committed,
    finding: Truncation,
    decision: Decision,
) -> None:
    """Commit the decision with a note that no longer has the finding, nor the last record written to a lost log."""
    note = replace(committed.note, finding=None, decision=decision, epoch=None)
    if finding.what == "destination":
        note = replace(note, destination=None)
    elif finding.what == "dead-letter":
        note = replace(note, dead_letter=None)
    await producer.begin_transaction()
    await producer.send_offsets_to_transaction({partition: OffsetAndMetadata(decision.to, note.text)}, group)
    await producer.commit_transaction()
