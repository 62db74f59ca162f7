"""The bounds of a pass: where each lane begins and ends, and the journal that it commits beside each offset."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from upcasters.event import Header, SourceRecord
from worker.lanes.committed_offset import OffsetNote
from worker.lanes.counters import Counters

Written = tuple[int, int, bytes | None, bytes | None, Sequence[Header]]
"""A record for the destination: the offset of its source, timestamp, key, value, and headers without the lineage."""


class Journal(Protocol):
    """A running account of one partition. A transaction works on a copy, which replaces the original when it
    commits."""

    def copy(self) -> Self: ...

    def read(self, records: Sequence[SourceRecord]) -> None:
        """Note that the transaction reads these records next, in order."""

    def wrote(self, records: Sequence[Written]) -> None:
        """Note that these records go to the destination, in order."""

    def close(self, counters: Counters) -> str:
        """The account as metadata for the offset commit, 4,096 bytes at most."""


@dataclass(frozen=True)
class StartingPoint:
    """Where a lane begins, and where its partition ends now. The lane itself ends at ``bound``. ``note`` stands beside
    the group's offset, ``committed`` says whether the lane begins there, ``forgotten`` that the group has none. An
    ``announcement`` is committed before anything is read, so that others see a pass before it writes."""

    offset: int
    end: int
    bound: int | None = None
    journal: Journal | None = None
    note: OffsetNote = field(default_factory=OffsetNote)
    committed: bool = False
    forgotten: bool = False
    announcement: str = ""


class Bounds(Protocol):
    """The bounds of a pass. Its partitions are assigned directly, without a group."""

    @property
    def partitions(self) -> Collection[TopicPartition]: ...

    async def begin(
        self, partition: TopicPartition, consumer: AIOKafkaConsumer, offsets: AIOKafkaConsumer
    ) -> StartingPoint:
        """Where the partition begins and ends. Called when its producer has started. Raises WorkerError where the plan
        does not fit any more."""

    def committed(self, partition: TopicPartition, offset: int, journal: Journal | None) -> None:
        """Note that everything below ``offset`` is committed."""
