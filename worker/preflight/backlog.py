"""A look at what a group has yet to read: how many records, how old the first ones, about how many bytes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from worker.preflight.facts import Backlog

log = structlog.get_logger(__name__)

# First records that do not come in this time are not judged.
PEEK_SECONDS = 5.0

# Of how many records a sample is made, at most.
SAMPLE_RECORDS = 50

Offsets = Mapping[TopicPartition, int]


@dataclass(frozen=True)
class Sample:
    """The first unread records of a partition."""

    oldest: int | None
    mean_bytes: float


async def look_at_backlog(
    reader: AIOKafkaConsumer, partitions: Sequence[TopicPartition], committed: Offsets
) -> Backlog:
    """``committed`` is what the group has done; a new group starts at the beginning."""
    first = await reader.beginning_offsets(partitions)
    end = await reader.end_offsets(partitions)
    start = {p: max(first[p], committed.get(p, -1)) for p in partitions}
    start = {p: offset for p, offset in start.items() if offset < end[p]}
    samples = await _peek(reader, start, end)
    stamps = [sample.oldest for sample in samples.values() if sample.oldest is not None]
    unread = {p: end[p] - start[p] for p in start}
    return Backlog(
        records=sum(unread.values()),
        oldest=min(stamps, default=None),
        bytes_of_largest=max((int(samples[p].mean_bytes * unread[p]) for p in samples), default=0),
    )


async def _peek(reader: AIOKafkaConsumer, start: Offsets, end: Offsets) -> dict[TopicPartition, Sample]:
    """The first records of each partition that has some."""
    if not start:
        return {}
    reader.assign(list(start))
    for partition, offset in start.items():
        reader.seek(partition, offset)
    samples: dict[TopicPartition, Sample] = {}
    deadline = time.monotonic() + PEEK_SECONDS
    while waiting := await _waiting(reader, samples, end):
        batches = await _fetch(reader, waiting)
        if batches is None or time.monotonic() > deadline:
            log.warning("oldest records not seen", topic=waiting[0].topic, partitions=len(waiting))
            break
        samples |= {p: _sample(records) for p, records in batches.items() if records and p not in samples}
    return samples


async def _waiting(
    reader: AIOKafkaConsumer, samples: Mapping[TopicPartition, Sample], end: Offsets
) -> list[TopicPartition]:
    """Judged by position: behind control records and compaction a partition may hold nothing to show."""
    unseen = [partition for partition in reader.assignment() if partition not in samples]
    return [partition for partition in unseen if await reader.position(partition) < end[partition]]


async def _fetch(
    reader: AIOKafkaConsumer, waiting: Sequence[TopicPartition]
) -> dict[TopicPartition, list[ConsumerRecord]] | None:
    """A few records: a fetch of well-packed batches could unpack to more than there is memory."""
    try:
        batches: dict[TopicPartition, list[ConsumerRecord]] = await reader.getmany(
            *waiting, timeout_ms=200, max_records=SAMPLE_RECORDS
        )
    except UnicodeDecodeError:
        # A header name that is not UTF-8: the lanes can read it, here it only ends the look.
        return None
    return batches


def _sample(records: Sequence[ConsumerRecord]) -> Sample:
    stamps = [record.timestamp for record in records if record.timestamp >= 0]
    size = sum(len(record.key or b"") + len(record.value or b"") for record in records)
    return Sample(min(stamps, default=None), size / len(records))
