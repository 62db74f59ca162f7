"""Where partitions begin and end, for readers and in the log, and what stands between the two.

Readers of what is committed come as far as the last stable offset: the first record of the oldest transaction that is
open. What is behind it is not seen, and is not absent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from aiokafka import TopicPartition

PATIENCE = 5.0
"""Seconds that an ordinary transaction is given to end, where somebody waits for an answer."""
BETWEEN = 0.05


@dataclass(frozen=True)
class LogOffsets:
    """``start`` is the oldest offset that is left, ``stable`` the last stable offset, ``end`` the high watermark."""

    start: int
    stable: int
    end: int

    @property
    def hidden(self) -> int:
        """Offsets that stand in the log and that nobody may read yet."""
        return self.end - self.stable

    @property
    def empty(self) -> bool:
        """Whether nothing stands there, committed or not."""
        return self.start >= self.end


class AnswersOffsets(Protocol):
    """As our consumers do (``worker.kafka.aiokafka_internals.consumer.Consumer``)."""

    async def log_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, LogOffsets]: ...


async def settled(
    source: AnswersOffsets, partitions: Sequence[TopicPartition], patience: float | None = None
) -> dict[TopicPartition, LogOffsets]:
    """The offsets once all that stands there now can be read, or when waiting was in vain, for ``PATIENCE`` seconds or
    as many as are given.

    ``hidden`` of each is then what stood there at the first look already and still cannot be read: what was opened
    later is not counted, since there is always something in a topic that is written in transactions.
    """
    until = time.monotonic() + (PATIENCE if patience is None else patience)
    found = await source.log_offsets(partitions)
    ends = {partition: each.end for partition, each in found.items()}
    while any(each.stable < ends[partition] for partition, each in found.items()) and time.monotonic() < until:
        await asyncio.sleep(BETWEEN)
        found = await source.log_offsets(partitions)
    return {partition: replace(each, end=max(each.stable, ends[partition])) for partition, each in found.items()}


def hidden_in(found: Mapping[TopicPartition, LogOffsets]) -> dict[TopicPartition, LogOffsets]:
    """Those of which something cannot be read."""
    return {partition: each for partition, each in sorted(found.items()) if each.hidden}
