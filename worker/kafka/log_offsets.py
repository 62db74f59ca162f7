"""Where partitions begin and end, for readers of committed records and in the log.

Readers of committed records reach the last stable offset, which is the first record of the oldest open transaction.
Records after it cannot be read yet, but exist.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from aiokafka import TopicPartition

PATIENCE = 5.0
"""Seconds that a transaction has to end, where a command waits for it."""
BETWEEN = 0.05


@dataclass(frozen=True)
class LogOffsets:
    """The offsets of one partition: ``start`` is the first one that exists, ``stable`` the last stable offset, ``end``
    the high watermark."""

    start: int
    stable: int
    end: int

    @property
    def hidden(self) -> int:
        """The number of offsets that cannot be read yet."""
        return self.end - self.stable

    @property
    def empty(self) -> bool:
        """Whether the log holds nothing, committed or not."""
        return self.start >= self.end


class AnswersOffsets(Protocol):
    """A client that looks up offsets, such as ``worker.kafka.aiokafka_internals.consumer.Consumer``."""

    async def log_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, LogOffsets]: ...


async def once_readable(
    source: AnswersOffsets, partitions: Sequence[TopicPartition], patience: float | None = None
) -> dict[TopicPartition, LogOffsets]:
    """The offsets as soon as all records that exist now can be read, or after ``patience`` seconds (``PATIENCE`` by
    default).

    ``hidden`` then counts only offsets that existed at the first request and still cannot be read: in a topic that is
    written in transactions something is always open.
    """
    until = time.monotonic() + (PATIENCE if patience is None else patience)
    found = await source.log_offsets(partitions)
    ends = {partition: each.end for partition, each in found.items()}
    while any(each.stable < ends[partition] for partition, each in found.items()) and time.monotonic() < until:
        await asyncio.sleep(BETWEEN)
        found = await source.log_offsets(partitions)
    return {partition: replace(each, end=max(each.stable, ends[partition])) for partition, each in found.items()}


def hidden_in(found: Mapping[TopicPartition, LogOffsets]) -> dict[TopicPartition, LogOffsets]:
    """The partitions in which something cannot be read."""
    return {partition: each for partition, each in sorted(found.items()) if each.hidden}
