"""A read_committed consumer that watches the output while it grows: for doubles, for disorder, and for pauses."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from tests.faults.events import Ledger, number_of
from tests.faults.tracks import Tracks

POLL_MS = 50


class Watcher:
    """``reached`` is the highest number of each partition that is visible in one of the two topics."""

    def __init__(
        self, bootstrap_servers: str, destination: str, dead_letter: str, ledger: Ledger, written: Callable[[], int]
    ) -> None:
        self.tracks = {topic: Tracks(topic) for topic in (destination, dead_letter)}
        self.reached = [-1] * ledger.partitions
        self.longest_pause = 0.0
        self._ledger = ledger
        self._written = written
        self._last_arrival = [time.monotonic()] * ledger.partitions
        self._caught_up = [True] * ledger.partitions
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=100,
            request_timeout_ms=5_000,
            metadata_max_age_ms=5_000,
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        partitions = range(self._ledger.partitions)
        self._consumer.assign([TopicPartition(topic, number) for topic in self.tracks for number in partitions])
        self._task = asyncio.create_task(self._watch(), name="watcher")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._consumer.stop()

    @property
    def visible(self) -> int:
        """About how many numbers have been worked on."""
        return sum(number // self._ledger.partitions + 1 for number in self.reached if number >= 0)

    @property
    def doubled(self) -> int:
        return sum(each.doubled for each in self.tracks.values())

    @property
    def reordered(self) -> int:
        return sum(each.reordered for each in self.tracks.values())

    @property
    def examples(self) -> list[str]:
        return [example for each in self.tracks.values() for example in each.examples]

    def goals(self, numbers: int) -> list[int]:
        """By partition, the last of the first ``numbers`` numbers that must become visible; -1 for none."""
        partitions = self._ledger.partitions
        return [
            self._last_shown(partition, len(range(partition, numbers, partitions))) for partition in range(partitions)
        ]

    def has_reached(self, goals: list[int]) -> bool:
        return all(reached >= goal for reached, goal in zip(self.reached, goals, strict=True))

    def last_visible(self, partition: int, offset: int) -> int:
        """The last number of the partition, before the offset, that is not skipped; -1 where there is none."""
        return self._last_shown(partition, self._ledger.numbers_before(partition, offset, self._written()))

    def _last_shown(self, partition: int, count: int) -> int:
        """The same, for the first ``count`` numbers of the partition."""
        partitions = self._ledger.partitions
        last = (count - 1) * partitions + partition
        while last >= 0 and self._ledger.fate(last) == "skipped":
            last -= partitions
        return max(-1, last)

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(KafkaError):
                for partition, records in (await self._consumer.getmany(timeout_ms=POLL_MS)).items():
                    self._note(partition, records)
            self._measure_pauses()

    def _note(self, partition: TopicPartition, records: list[Any]) -> None:
        tracks, number = self.tracks[partition.topic], -1
        for record in records:
            number = number_of(record.headers)
            tracks.note(number, record.partition, record.offset)
        at = partition.partition
        self.reached[at] = max(self.reached[at], number)
        self._note_pause(at)
        self._last_arrival[at] = time.monotonic()

    def _measure_pauses(self) -> None:
        goals = self.goals(self._written())
        now = time.monotonic()
        for partition, goal in enumerate(goals):
            caught_up = self.reached[partition] >= goal
            if caught_up or self._caught_up[partition]:
                # A pause begins when there is something to wait for.
                self._last_arrival[partition] = now
            self._caught_up[partition] = caught_up
            self._note_pause(partition)

    def _note_pause(self, partition: int) -> None:
        self.longest_pause = max(self.longest_pause, time.monotonic() - self._last_arrival[partition])
