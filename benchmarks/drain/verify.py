"""Reads what a contender wrote, and counts it: every event once, and each as it has to be."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.drain.backlog import Backlog
from benchmarks.drain.events import POOL
from worker.kafka.aiokafka_internals.patches import apply_patches
from worker.kafka.aiokafka_internals.reader import open_reader


class WrongOutputError(Exception):
    """What came out is not what had to; the message says what is wrong first."""


async def verify(bootstrap: str, backlog: Backlog, topic: str, *, copied: bool, in_order: bool) -> None:
    """Raises ``WrongOutputError``. ``copied``: values had to stay as they were. ``in_order``: each partition's
    records have to be its source partition's, in their order."""
    check_records(backlog, await _read(bootstrap, topic), copied=copied, in_order=in_order)


def check_records(
    backlog: Backlog, found: Mapping[int, Sequence[tuple[bytes, bytes]]], *, copied: bool, in_order: bool
) -> None:
    """Key and value of each record, by partition. Raises ``WrongOutputError``."""
    right: dict[int, set[bytes]] = defaultdict(set)
    counts: Counter[int] = Counter()
    for partition, records in found.items():
        for place, (key, value) in enumerate(records):
            number = int(key.removeprefix(b"task-"))
            if value not in right[number]:
                _check(backlog, number, value, copied)
                right[number].add(value)
            counts[number] += 1
            if in_order and number != (partition + place * backlog.partitions) % POOL:
                raise WrongOutputError(f"partition {partition}: record {place} is event {number}")
    wanted = Counter(number % POOL for number in range(backlog.count))
    if counts != wanted:
        raise WrongOutputError(f"{counts.total()} records came out of {backlog.count}")


def _check(backlog: Backlog, number: int, value: bytes, copied: bool) -> None:
    event = backlog.events[number]
    if copied or event.unchanged:
        right = value == event.value or (not copied and json.loads(value) == event.expected)
    else:
        right = json.loads(value) == event.expected
    if not right:
        raise WrongOutputError(f"event {number} came out as {value[:300]!r}")


async def _read(bootstrap: str, topic: str) -> dict[int, list[tuple[bytes, bytes]]]:
    """Key and value of every record, by partition, with the worker's own reader, which is quick."""
    apply_patches()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="none",
        max_partition_fetch_bytes=8 * 1024 * 1024,
        enable_auto_commit=False,
    )
    found: dict[int, list[tuple[bytes, bytes]]] = {}
    async with consumer:
        await consumer._client._wait_on_metadata(topic)  # noqa: SLF001  # it does not know a topic it has not asked for
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(partitions)
        reader = open_reader(consumer)
        ends = await consumer.end_offsets(partitions)
        for partition, begins in (await consumer.beginning_offsets(partitions)).items():
            consumer.seek(partition, begins)
        for partition in partitions:
            kept = found[partition.partition] = []
            at = 0
            while at < ends[partition]:
                for fetched in (await reader.read([partition], 1.0)).values():
                    for piece in fetched.slices(10_000):
                        kept += [(record.key, record.value) for record in piece.records]
                    at = fetched.next_offset
    return found
