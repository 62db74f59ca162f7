"""Measures lag once a second: where partitions end, and how old their next records are, also where nothing is fetched
at the moment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from worker.kafka.aiokafka_internals.quota_patches import throttling_of
from worker.kafka.clients import started
from worker.kafka.fetched import NO_TIMESTAMP, timestamp_of
from worker.kafka.first_records import FirstRecords
from worker.kafka.open_transactions import open_transactions
from worker.lanes.assignment import Assignment
from worker.lanes.delivery import ClientFactory
from worker.lanes.faults import DENIED
from worker.lanes.lag import BELIEVED
from worker.lanes.lane import Lane
from worker.metrics import WorkerMetrics
from worker.times import utc

OPTIONS = {"max_partition_fetch_bytes": 16 * 1024, "fetch_max_bytes": 1024 * 1024, "fetch_max_wait_ms": 100}
ROUND = 0.2


async def first_records(clients: ClientFactory, places: Mapping[TopicPartition, int]) -> FirstRecords:
    """Read the first record at or after each of the offsets, in a limited number of fetches.

    Raises KafkaError where the brokers do not answer.
    """
    async with started(clients.reader(**OPTIONS)) as consumer:
        first, rounds = FirstRecords(consumer, places, 1), 2 + len(places)
        while rounds and (missing := first.missing):
            rounds -= 1
            await first.fetch(missing, ROUND)
    return first


FRESH = 2.0
"""Seconds for which the end of the last fetch is recent enough."""
ANSWER = 5.0


def known_ends(consumer: AIOKafkaConsumer, partition: TopicPartition) -> tuple[int | None, int | None]:
    """The last stable offset and the end of the log as of the last fetch; None where the partition is not assigned to
    this worker."""
    if partition not in consumer.assignment():
        return None, None
    stable: int | None = consumer.last_stable_offset(partition)
    end: int | None = consumer.highwater(partition)
    return (end if stable is None or stable < 0 else stable), end


class Watch:
    """``look`` is cheap; ``ask`` sends requests, for partitions that are not fetched at the moment."""

    def __init__(
        self,
        lanes: Assignment,
        consumer: AIOKafkaConsumer,
        offsets: AIOKafkaConsumer,
        clients: ClientFactory,
        metrics: WorkerMetrics,
    ) -> None:
        self._lanes = lanes
        self._consumer = consumer
        self._offsets = offsets
        self._clients = clients
        self._metrics = metrics
        self._silent_since: float | None = None

    async def ask(self, now: float) -> None:
        """Look up where partitions end whose last fetch is long ago, how old their next records are, and which open
        transactions hold partitions back. Errors are counted, not raised."""
        stale = [lane for lane in self._lanes if not self._is_fresh(lane, now)]
        try:
            async with asyncio.timeout(ANSWER):
                await self._ask_about(stale)
            await self._ask_who_holds_back(now)
        except DENIED as error:
            # The brokers have answered; the lanes get the same error.
            self._metrics.error("fetch", type(error).__name__)
            self._silent_since = None
        except (KafkaError, TimeoutError) as error:
            # An idle lane does not notice that the brokers do not answer.
            self._metrics.error("fetch", type(error).__name__)
            if not throttling_of(self._offsets).is_waiting:
                self._silent_since = now if self._silent_since is None else self._silent_since
        else:
            self._silent_since = None

    def why_not_ready(self, now: float) -> list[str]:
        """Why lanes are not ready: since when the brokers have not answered. A time, and not a duration, so that the
        text stays the same."""
        if self._silent_since is None or now - self._silent_since <= BELIEVED:
            return []
        return [f"the brokers have not answered since {utc(self._silent_since)}"]

    async def _ask_about(self, stale: list[Lane]) -> None:
        if not stale:
            return
        offsets = await self._offsets.log_offsets([lane.partition for lane in stale])
        for lane in stale:
            lane.note_end(offsets[lane.partition].stable, offsets[lane.partition].end)
        await self._ask_about_next([lane for lane in stale if lane.lag.records])

    async def _ask_who_holds_back(self, now: float) -> None:
        held = {lane.partition: each for lane in self._lanes if (each := lane.held_back.to_ask_about(now))}
        for found in await open_transactions(self._offsets, held) if held else ():
            if lane := self._lanes.get(TopicPartition(found.topic, found.partition)):
                lane.held_back.found(found)

    async def _ask_about_next(self, behind: list[Lane]) -> None:
        if not behind:
            return
        for partition, beginning in (
            await self._offsets.beginning_offsets([lane.partition for lane in behind])
        ).items():
            if lane := self._lanes.get(partition):
                lane.lag.note_beginning(beginning)
        places = {lane.partition: place for lane in behind if (place := lane.place_to_look()) is not None}
        if not places:
            return
        first = await first_records(self._clients, places)
        for partition, place in places.items():
            lane = self._lanes.get(partition)
            if lane is None or lane.lag.place_to_look() != place:
                continue
            records = first.found.get(partition)
            timestamp = timestamp_of(records[0].timestamp) if records else NO_TIMESTAMP
            if timestamp >= 0:
                lane.lag.note_oldest(timestamp)
            else:
                lane.lag.note_no_age_before(first.next_offsets[partition])

    def look(self, now: float) -> None:
        """Note the ends that came with the last fetches."""
        for lane in self._lanes:
            if self._is_fresh(lane, now):
                lane.note_end(*known_ends(self._consumer, lane.partition))

    def _is_fresh(self, lane: Lane, now: float) -> bool:
        if lane.partition not in self._consumer.assignment():
            return False
        fetched: int | None = self._consumer.last_poll_timestamp(lane.partition)
        return fetched is not None and now - fetched / 1000 < FRESH
