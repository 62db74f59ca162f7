"""Looks at the lanes once a second: where their partitions end, what the gauges show, whether one is stuck."""

from __future__ import annotations

import asyncio
import contextlib

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from worker.lanes.group import Lanes
from worker.lanes.lane import Lane
from worker.lanes.state import LaneState
from worker.metrics import WorkerMetrics

FRESH = 2.0
"""Seconds for which the end that came with the last fetch is good enough."""
ANSWER = 5.0


def known_end(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """The end of what can be read, as of the last fetch; None where the partition is not (or no longer) ours."""
    if partition not in consumer.assignment():
        return None
    stable: int | None = consumer.last_stable_offset(partition)
    if stable is None or stable < 0:
        stable = consumer.highwater(partition)
    return stable


class Watch:
    """``look`` is cheap; ``ask`` goes to the brokers, for partitions that are not being fetched at the moment."""

    def __init__(
        self, lanes: Lanes, consumer: AIOKafkaConsumer, offsets: AIOKafkaConsumer, metrics: WorkerMetrics
    ) -> None:
        self._lanes = lanes
        self._consumer = consumer
        self._offsets = offsets
        self._metrics = metrics

    async def ask(self, now: float) -> None:
        """Learn the ends of partitions whose last fetch is long ago."""
        stale = [lane for lane in self._lanes if not self._is_fresh(lane, now)]
        if not stale:
            return
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(ANSWER):
                ends = await self._offsets.end_offsets([lane.partition for lane in stale])
                for lane in stale:
                    lane.note_end(ends.get(lane.partition, lane.lag.end))

    def look(self, now: float) -> None:
        lanes = list(self._lanes)
        for lane in lanes:
            if self._is_fresh(lane, now):
                lane.note_end(known_end(self._consumer, lane.partition))
            self._show(lane, now)
        waiting = {LaneState.PAUSED, LaneState.BREAKER_OPEN, LaneState.BLOCKED}
        self._metrics.paused.set(sum(lane.state in waiting for lane in lanes))
        self._metrics.in_flight_records.set(sum(lane.in_flight_records for lane in lanes))
        self._metrics.in_flight_bytes.set(sum(lane.in_flight_bytes for lane in lanes))

    def _show(self, lane: Lane, now: float) -> None:
        status = lane.status()
        self._metrics.show_partition(
            status.topic,
            status.partition,
            {
                "lag": status.lag,
                "lag_seconds": lane.lag_seconds(now),
                "position": status.position,
                "committed": status.committed,
                "end": status.end,
                "breaker_open": float(lane.state is LaneState.BREAKER_OPEN),
            },
        )

    def _is_fresh(self, lane: Lane, now: float) -> bool:
        if lane.partition not in self._consumer.assignment():
            return False
        fetched: int | None = self._consumer.last_poll_timestamp(lane.partition)
        return fetched is not None and now - fetched / 1000 < FRESH
