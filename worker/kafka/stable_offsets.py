"""Committed offsets of a group that no open transaction can still change (stable offsets, KIP-447).

Up to Kafka 3.9.0 the group's coordinator applies the offsets of a committed transaction on a thread that does other
things as well, such as loading partitions after a failover. Until then a request returns the offset *before* the
transaction, and a lane that began there would repeat all of it. Since OffsetFetch version 7 (Kafka 2.5) a client may
ask for stable offsets: the coordinator then answers that one is unstable. aiokafka uses version 3, which cannot, so
this module sends its own request. No other module asks for committed offsets; where aiokafka does so for its own
reader, the lane seeks afterwards.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
)
from aiokafka.structs import OffsetAndMetadata

from worker.kafka.aiokafka_internals.one_version import TAGS, OneVersionRequest
from worker.kafka.aiokafka_internals.questions import ask_coordinator, ask_node, group_of, versions_of_coordinator
from worker.kafka.codes import UnstableOffsetCommitError
from worker.kafka.tools import kafka_tool

OFFSET_FETCH, STABLE_SINCE = 9, 7
"""The request's API key, and its first version that can ask for stable offsets."""
TOO_OLD = (
    "the broker is older than Kafka 2.5 and cannot say whether an open transaction moves an offset: "
    "use Kafka 2.5 or later"
)

PATIENCE = 5.0
"""Seconds that an offset may be unstable before it counts as an error."""
END_IT = (
    f"if the transaction stays open, find its producer with `{kafka_tool('transactions')} --bootstrap-server SERVER "
    "find-hanging --topic __consumer_offsets` and end it with `abort`"
)
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5

CommittedOffsets = Mapping[TopicPartition, OffsetAndMetadata]


class TooOldBrokerError(kafka_errors.IncompatibleBrokerVersion):  # type: ignore[misc]  # aiokafka has no types
    """The broker is too old to be asked for stable offsets."""

    def __init__(self) -> None:
        super().__init__(TOO_OLD)


REQUIRE_STABLE = True

COMMITTED = CompactArray(
    ("partition", Int32),
    ("offset", Int64),
    ("leader_epoch", Int32),
    ("metadata", CompactString("utf-8")),
    ("error_code", Int16),
    TAGS,
)


class StableOffsetsRequest(
    OneVersionRequest,
    key=OFFSET_FETCH,
    version=STABLE_SINCE,
    asks=Schema(
        ("group", CompactString("utf-8")),
        ("topics", CompactArray(("topic", CompactString("utf-8")), ("partitions", CompactArray(Int32)), TAGS)),
        ("require_stable", Boolean),
        TAGS,
    ),
    answer=Schema(
        ("throttle_time_ms", Int32),
        ("topics", CompactArray(("topic", CompactString("utf-8")), ("partitions", COMMITTED), TAGS)),
        ("error_code", Int16),
        TAGS,
    ),
):
    """OffsetFetch for the named partitions: a request for all leaves out a partition whose first offset is unstable."""

    def __init__(self, group: str, partitions: Iterable[TopicPartition]) -> None:
        self.group = group
        topics: dict[str, list[int]] = {}
        for topic, partition in sorted(partitions):
            topics.setdefault(topic, []).append(partition)
        super().__init__(group, [(topic, numbers, {}) for topic, numbers in topics.items()], REQUIRE_STABLE, {})

    def prepare(self, versions: Mapping[int, tuple[int, int]]) -> Any:
        if versions.get(OFFSET_FETCH, (0, 0))[1] < STABLE_SINCE:
            raise TooOldBrokerError
        return super().prepare(versions)


async def committed_with_note(
    consumer: AIOKafkaConsumer, partition: TopicPartition, patience: float | None = None
) -> OffsetAndMetadata | None:
    """The committed offset of the consumer's group with its metadata; None where it has committed nothing.

    Raises UnstableOffsetCommitError where the offset is still unstable after ``patience`` seconds (``PATIENCE`` by
    default), TooOldBrokerError where the broker is too old. Waits without end for brokers that do not answer.
    """
    return (await committed_by_group_of(consumer, [partition], patience)).get(partition)


async def committed_by_group_of(
    consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition], patience: float | None = None
) -> CommittedOffsets:
    """The same for several partitions; those without an offset are left out."""
    request = StableOffsetsRequest(group_of(consumer), partitions)

    async def ask() -> CommittedOffsets:
        return _read(await ask_coordinator(consumer, request), request.group)

    return await _once_stable(lambda: _once_there(ask), patience)


async def committed_by_group(
    admin: AIOKafkaAdminClient, group: str, partitions: Collection[TopicPartition], patience: float | None = None
) -> CommittedOffsets:
    """The same for any group, by an admin client, with one attempt where the brokers do not answer."""
    if not partitions:
        return {}
    request = StableOffsetsRequest(group, partitions)

    async def ask() -> CommittedOffsets:
        coordinator = await admin.find_coordinator(group)
        return _read(await ask_node(admin, coordinator, request), group)

    return await _once_stable(ask, patience)


def cannot_be_known(group: str, error: UnstableOffsetCommitError) -> str:
    """The message of a command that has waited long enough for an unstable offset."""
    return f"the offset of group {group} for {error.args[0]} cannot be known: a transaction that moves it has not ended"


def applies_late(consumer: AIOKafkaConsumer) -> bool:
    """Whether the coordinator of the consumer's group, which has just answered, may be older than Kafka 4.0.

    Up to Kafka 3.9.0 the coordinator applies the newest pending offset of a producer when it processes the end of a
    transaction, even the offset of the producer's next transaction, which may still be aborted; its output is then
    lost. Kafka 4.0 no longer supports version 0 of the request (KIP-896), by which this function recognises it.
    """
    versions = versions_of_coordinator(consumer)
    return versions is None or versions.get(OFFSET_FETCH, (0, 0))[0] == 0


def refuse_too_old(versions: Mapping[int, tuple[int, int]]) -> None:
    """Raises TooOldBrokerError. ``versions`` are the ranges that a broker supports, by API key."""
    StableOffsetsRequest("", ()).prepare(versions)


async def _once_stable(ask: Callable[[], Awaitable[CommittedOffsets]], patience: float | None) -> CommittedOffsets:
    ends, pause = time.monotonic() + (PATIENCE if patience is None else patience), FIRST_PAUSE
    while True:
        try:
            return await ask()
        except UnstableOffsetCommitError:
            if time.monotonic() >= ends:
                raise
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


async def _once_there(ask: Callable[[], Awaitable[CommittedOffsets]]) -> CommittedOffsets:
    """Ask again while the coordinator moves, loads or does not answer."""
    while True:
        try:
            return await ask()
        except kafka_errors.KafkaError as error:
            if isinstance(error, UnstableOffsetCommitError) or not error.retriable:
                raise
        await asyncio.sleep(FIRST_PAUSE)


def _read(answer: Any, group: str) -> CommittedOffsets:
    """While a coordinator loads or moves, it answers with one error and no partitions."""
    if answer.error_code:
        raise _error(answer.error_code, group)
    found: dict[TopicPartition, OffsetAndMetadata] = {}
    unstable: list[TopicPartition] = []
    for topic, partitions, _ in answer.topics:
        for partition, offset, _, note, code, _ in partitions:
            if code == UnstableOffsetCommitError.errno:
                unstable.append(TopicPartition(topic, partition))
            elif code not in (0, kafka_errors.UnknownTopicOrPartitionError.errno):
                raise _error(code, group, topic)
            elif offset >= 0:
                found[TopicPartition(topic, partition)] = OffsetAndMetadata(offset, note or "")
    if unstable:
        error = UnstableOffsetCommitError(", ".join(f"{each.topic}:{each.partition}" for each in unstable))
        error.partitions = unstable
        raise error
    return found


def _error(code: int, group: str, topic: str = "") -> Exception:
    """The error of a code, with the topic or group that it is about."""
    of_topic = code == kafka_errors.TopicAuthorizationFailedError.errno
    error: Exception = kafka_errors.for_code(code)(topic if of_topic else group)
    return error
