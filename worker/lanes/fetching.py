"""The fetch loop: one consumer reads for all lanes of the process, for each as much as it has room for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError

from worker.kafka.aiokafka_internals.reader import Reader, open_reader
from worker.lanes.assignment import Assignment
from worker.lanes.faults import kind
from worker.lanes.lane import Lane
from worker.lanes.state import LaneState
from worker.lanes.timeouts import Timeouts
from worker.lanes.watch import known_ends
from worker.metrics import WorkerMetrics

TOTAL_BYTES = 32 * 1024 * 1024
"""Bytes that are fetched and not yet processed, over all lanes: hundreds of partitions must not take hundreds of times
the limit of one."""
NOWHERE = TopicPartition("", 0)
"""Fetched from when no lane wants records: a consumer that is never polled would leave the group."""


class Fetching:
    """Fetches only for lanes that have room; records of other lanes wait in the client, and are not fetched again. (The
    client's own ``pause`` would discard them.)"""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        lanes: Assignment,
        metrics: WorkerMetrics,
        timeouts: Timeouts,
        stopping: asyncio.Event,
        on_refused: Callable[[KafkaError], None],
    ) -> None:
        self._consumer = consumer
        self._reader: Reader = open_reader(consumer, timeouts.gather)
        self._lanes = lanes
        self._metrics = metrics
        self._timeouts = timeouts
        self._stopping = stopping
        self._on_refused = on_refused

    async def run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._fetch()
            except ConsumerStoppedError:
                return
            except KafkaError as error:
                self._on_refused(error)
                self._metrics.error("fetch", kind(error))
                await self._rest(self._timeouts.tick)

    async def _fetch(self) -> None:
        if not len(self._lanes):
            await self._lanes.wait_for_some(self._timeouts.fetch_wait)
        wait = self._wait_for_data(list(self._lanes))
        fetched = await self._reader.read(self._wanted() or (NOWHERE,), wait)
        # From here to the end nothing may wait: the consumer's position has moved already.
        for partition, batches in fetched.items():
            if lane := self._lanes.get(partition):
                lane.note_end(*known_ends(self._consumer, partition))
                lane.put(batches)
        for lane in self._lanes:
            if lane.in_flight_records:
                lane.wake()

    def _wanted(self) -> list[TopicPartition]:
        if sum(lane.in_flight_bytes for lane in self._lanes) >= TOTAL_BYTES:
            return []
        return [lane.partition for lane in self._lanes if lane.wants_more]

    def _wait_for_data(self, lanes: list[Lane]) -> float:
        if any(lane.is_full or lane.state is LaneState.STARTING for lane in lanes):
            return self._timeouts.busy_wait
        if not lanes:
            return 0.0
        idle = all(lane.wants_more for lane in lanes)
        return self._timeouts.idle_wait if idle else self._timeouts.fetch_wait

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
