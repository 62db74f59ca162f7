"""Samples what a group has yet to read: how many records, how old the first ones, about how many bytes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from upcasters.event import SourceRecord
from worker.kafka.fetched import NO_TIMESTAMP, record_bytes, timestamp_of
from worker.kafka.first_records import FirstRecords
from worker.preflight.facts import Backlog

log = structlog.get_logger(__name__)

# First records that do not arrive in this time are left out.
PEEK_SECONDS = 5.0

FETCH_SECONDS = 0.2

# Of how many records a sample is made, at most.
SAMPLE_RECORDS = 50

OffsetsByPartition = Mapping[TopicPartition, int]


@dataclass(frozen=True)
class BacklogSample:
    """The first unread records of a partition."""

    oldest: int | None
    mean_bytes: float
    keyless: bool = False


async def look_at_backlog(
    reader: AIOKafkaConsumer, partitions: Sequence[TopicPartition], committed: OffsetsByPartition
) -> Backlog:
    """The backlog of ``partitions``. ``committed`` are the group's offsets; a new group starts at the beginning."""
    offsets = await reader.log_offsets(partitions)
    end = {p: offsets[p].stable for p in partitions}
    start = {p: max(offsets[p].start, committed.get(p, -1)) for p in partitions}
    start = {p: offset for p, offset in start.items() if offset < end[p]}
    samples = await _peek(reader, start, end)
    stamps = [sample.oldest for sample in samples.values() if sample.oldest is not None]
    unread = {p: end[p] - start[p] for p in start}
    return Backlog(
        new=committed.keys().isdisjoint(partitions),
        records=sum(unread.values()),
        oldest=min(stamps, default=None),
        bytes_of_largest=max((int(samples[p].mean_bytes * unread[p]) for p in samples), default=0),
        keyless=any(sample.keyless for sample in samples.values()),
    )


async def _peek(
    reader: AIOKafkaConsumer, start: OffsetsByPartition, end: OffsetsByPartition
) -> dict[TopicPartition, BacklogSample]:
    """The first records of each partition that has some."""
    if not start:
        return {}
    first = FirstRecords(reader, start, SAMPLE_RECORDS)
    deadline = time.monotonic() + PEEK_SECONDS
    while waiting := await _waiting(reader, first.missing, end):
        if time.monotonic() > deadline:
            log.warning("the age of the oldest records is unknown", topic=waiting[0].topic, partitions=len(waiting))
            break
        # A batch that cannot be decompressed is handled by the lane.
        for partition, reason in (await first.fetch(waiting, FETCH_SECONDS)).items():
            log.warning(
                "the age of the oldest records is unknown",
                topic=partition.topic,
                partition=partition.partition,
                reason=reason,
            )
    return {partition: _sample(records) for partition, records in first.found.items()}


async def _waiting(
    reader: AIOKafkaConsumer, missing: Sequence[TopicPartition], end: OffsetsByPartition
) -> list[TopicPartition]:
    """Judged by position: behind control records and compaction a partition may hold nothing to show."""
    return [partition for partition in missing if await reader.position(partition) < end[partition]]


def _sample(records: Sequence[SourceRecord]) -> BacklogSample:
    stamps = [stamp for record in records if (stamp := timestamp_of(record.timestamp)) != NO_TIMESTAMP]
    size = sum(map(record_bytes, records))
    keyless = any(record.key is None for record in records)
    return BacklogSample(min(stamps, default=None), size / len(records), keyless)
