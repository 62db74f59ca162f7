"""What makes a pass bounded: where each lane begins and ends, and what it writes beside every offset it commits."""

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
    """A running account of one partition. A transaction works on a copy, which counts when it has committed."""

    def copy(self) -> Self: ...

    def read(self, records: Sequence[SourceRecord]) -> None:
        """These records, in order, are what the transaction works on next."""

    def wrote(self, records: Sequence[Written]) -> None:
        """These records, in order, went to the destination."""

    def close(self, counters: Counters) -> str:
        """The transaction is about to commit: the account as the text of its offset commit, 4,096 bytes at most."""


@dataclass(frozen=True)
class StartingPoint:
    """Where a lane begins, and where its partition ends now. ``bound`` is where the lane itself ends, ``note`` what
    stands beside the group's offset, ``committed`` whether that is where it begins. An ``announcement`` is committed
    there before anything is read: so others see a pass before it has written."""

    offset: int
    end: int
    bound: int | None = None
    journal: Journal | None = None
    note: OffsetNote = field(default_factory=OffsetNote)
    committed: bool = False
    announcement: str = ""


class Bounds(Protocol):
    """The plan of a bounded pass. Its partitions are assigned, not negotiated with a group."""

    @property
    def partitions(self) -> Collection[TopicPartition]: ...

    async def begin(
        self, partition: TopicPartition, consumer: AIOKafkaConsumer, offsets: AIOKafkaConsumer
    ) -> StartingPoint:
        """Called when the partition's producer has started. Raises WorkerError where the plan does not fit any more."""

    def committed(self, partition: TopicPartition, offset: int, journal: Journal | None) -> None:
        """Everything before ``offset`` is done."""
