"""A look at what a group has yet to read: how many records, how old the first ones, about how many bytes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException

from upcasters.event import SourceRecord
from worker.kafka.fetched import NO_TIMESTAMP, Fetched, UnpackError, timestamp_of
from worker.kafka.internals import open_reader
from worker.preflight.facts import Backlog

log = structlog.get_logger(__name__)

# First records that do not come in this time are not judged.
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
    """``committed`` is what the group has done; a new group starts at the beginning."""
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
    lenient = open_reader(reader)
    reader.assign(list(start))
    for partition, offset in start.items():
        reader.seek(partition, offset)
    samples: dict[TopicPartition, BacklogSample] = {}
    deadline = time.monotonic() + PEEK_SECONDS
    while waiting := await _waiting(reader, samples, end):
        if time.monotonic() > deadline:
            log.warning("oldest records not seen", topic=waiting[0].topic, partitions=len(waiting))
            break
        fetched = await lenient.read(waiting, FETCH_SECONDS)
        first = {p: _first_records(p, batches) for p, batches in fetched.items()}
        samples |= {p: _sample(records) for p, records in first.items() if records}
    return samples


async def _waiting(
    reader: AIOKafkaConsumer, samples: Mapping[TopicPartition, BacklogSample], end: OffsetsByPartition
) -> list[TopicPartition]:
    """Judged by position: behind control records and compaction a partition may hold nothing to show."""
    unseen = [partition for partition in reader.assignment() if partition not in samples]
    return [partition for partition in unseen if await reader.position(partition) < end[partition]]


def _first_records(partition: TopicPartition, fetched: Fetched) -> Sequence[SourceRecord]:
    """No more of it is unpacked than that. What cannot be is the lane's to deal with."""
    try:
        return next((piece.records for piece in fetched.slices(SAMPLE_RECORDS) if piece.records), ())
    except (UnpackError, CorruptRecordException) as error:
        log.warning(
            "oldest records not seen", topic=partition.topic, partition=partition.partition, reason=type(error).__name__
        )
        return ()


def _sample(records: Sequence[SourceRecord]) -> BacklogSample:
    stamps = [stamp for record in records if (stamp := timestamp_of(record.timestamp)) != NO_TIMESTAMP]
    size = sum(len(record.key or b"") + len(record.value or b"") for record in records)
    keyless = any(record.key is None for record in records)
    return BacklogSample(min(stamps, default=None), size / len(records), keyless)
