"""All lanes of a process: one member of the consumer group fetches, and gives each lane what is its own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterable

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError

from worker.dead_letters import Reporter
from worker.errors import WorkerError
from worker.kafka_internals import Reader, open_reader
from worker.lanes.delivery import Clients
from worker.lanes.faults import DENIED, denied
from worker.lanes.group import Lanes
from worker.lanes.lane import Surroundings
from worker.lanes.state import LaneState
from worker.lanes.status import LaneStatus
from worker.lanes.timing import Timing
from worker.lanes.watch import Watch, known_end
from worker.metrics import WorkerMetrics
from worker.route import Route

log = structlog.get_logger(__name__)

CONSUMER_OPTIONS = {"fetch_max_wait_ms": 100, "fetch_max_bytes": 16 * 1024 * 1024}
"""A partition that is ready to be fetched again waits for the fetch that is under way, so that must not take long."""
TOTAL_BYTES = 32 * 1024 * 1024
"""Fetched and not yet worked on, over all lanes: hundreds of partitions must not cost hundreds of bounds."""
QUIET_BYTES = 64 * 1024
"""A fetch that brings less than this is a trickle, and the next one can wait."""
NOWHERE = TopicPartition("", 0)
"""Asked for when no lane wants anything: a consumer that is not asked at all would leave the group in the end."""


class Supervisor:
    """``start``, then ``run`` until ``stop`` is called or a fault ends it (``WorkerError``).

    The consumer that ``clients.group_consumer`` makes must not have topics: it is subscribed here.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        clients: Clients,
        metrics: WorkerMetrics,
        reporter: Reporter,
        *,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._timing = timing or Timing()
        self._clock = clock
        self._metrics = metrics
        self._consumer: AIOKafkaConsumer = clients.group_consumer(**CONSUMER_OPTIONS)
        self._offsets = clients.reader()
        surroundings = Surroundings(self._consumer, self._offsets, clients, reporter, metrics, self._timing, clock)
        self.lanes = Lanes(routes, surroundings, self._give_up)
        self._watch = Watch(self.lanes, self._consumer, self._offsets, metrics)
        self._reader: Reader | None = None
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._fault: WorkerError | None = None
        self._ticked = time.monotonic()
        self._tasks: list[asyncio.Task[None]] = []

    # The life of the supervisor.

    async def start(self) -> None:
        """Connect and join the group; partitions come a little later. Raises KafkaError where no broker answers."""
        try:
            await self._offsets.start()
            await self._consumer.start()
        except DENIED as error:
            raise denied(error) from error
        self._reader = open_reader(self._consumer)
        self._consumer.subscribe(list(self.lanes.routes), listener=_Listener(self.lanes, self._metrics))
        self._tasks = [
            asyncio.create_task(self._fetch(), name="fetch"),
            asyncio.create_task(self._tick(), name="watch"),
        ]
        for task in self._tasks:
            task.add_done_callback(self._check)

    async def run(self) -> None:
        """Until it is stopped. Raises ``WorkerError`` when something happened that no lane can help."""
        await self._stopping.wait()
        await self.stop()
        if self._fault:
            raise self._fault

    async def stop(self) -> None:
        """Finish or take back what is open, commit, leave the group. May be called more than once."""
        if self._stopping.is_set() and self._tasks == []:
            await self._stopped.wait()
            return
        self._stopping.set()
        tasks, self._tasks = self._tasks, []
        await self.lanes.drain(close=True)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(self._close(self._consumer), self._close(self._offsets))
        self._stopped.set()

    async def _close(self, client: AIOKafkaConsumer) -> None:
        with contextlib.suppress(TimeoutError, KafkaError, OSError):
            async with asyncio.timeout(self._timing.stop):
                await client.stop()

    # What operators ask and do.

    def status(self) -> list[LaneStatus]:
        lanes = sorted(self.lanes, key=lambda lane: lane.partition)
        return [lane.status() for lane in lanes]

    def why_not_live(self) -> list[str]:
        """Only what a restart would help with; brokers that are away are no such thing."""
        now = time.monotonic()
        reasons = [
            f"{lane.partition.topic}:{lane.partition.partition}: no progress for {now - lane.last_step:.0f} s"
            for lane in self.lanes
            if lane.is_stuck(now)
        ]
        if now - self._ticked > 10 * self._timing.tick:
            reasons.append(f"the event loop has not ticked for {now - self._ticked:.0f} s")
        return reasons

    def why_not_ready(self) -> list[str]:
        """A lane that an operator has paused is as ready as he wants it to be."""
        if not len(self.lanes):
            return ["no partitions assigned (yet)"]
        ready = {LaneState.RUNNING, LaneState.PAUSED}
        return [
            f"{each.topic}:{each.partition}: {each.state}" + (f" ({each.reason})" if each.reason else "")
            for each in self.status()
            if each.state not in ready
        ]

    def pause(self, source: str) -> None:
        """Stop working on a route. Raises ``KeyError`` where no route has this source."""
        lanes = self.lanes.of_route(source)
        self.lanes.paused.add(source)
        for lane in lanes:
            lane.pause()

    def resume(self, source: str) -> None:
        """Also closes open breakers. Raises ``KeyError`` where no route has this source."""
        lanes = self.lanes.of_route(source)
        self.lanes.paused.discard(source)
        for lane in lanes:
            lane.resume()

    def limit_rate(self, source: str, records_per_second: float | None) -> None:
        """None lifts the limit. Raises ``KeyError`` where no route has this source."""
        self.lanes.throttles[source].limit(records_per_second)
        for lane in self.lanes.of_route(source):
            lane.wake()

    # Fetching.

    async def _fetch(self) -> None:
        """One loop for all partitions. It asks only for lanes that have room; others' records wait in the client."""
        while not self._stopping.is_set():
            try:
                await self._fetch_once()
            except ConsumerStoppedError:
                return
            except DENIED as error:
                self._give_up(denied(error))
                return
            except KafkaError as error:
                log.warning("fetching failed, trying again", error=type(error).__name__)
                self._metrics.errors.labels("fetch", type(error).__name__).inc()
                await self._rest(self._timing.tick)

    async def _fetch_once(self) -> None:
        """In a trickle every fetch costs its lanes a transaction each: gather a little more, then rest."""
        fetched = await self._deliver(self._wait_for_data())
        trickle = 0 < fetched < QUIET_BYTES
        if trickle:
            # What was waiting behind these records at the broker comes in a moment.
            await self._deliver(self._timing.gather)
        for lane in self.lanes:
            if lane.in_flight_records:
                lane.wake()
        if trickle:
            await self._rest(self._timing.quiet_interval)

    async def _deliver(self, wait: float) -> int:
        """Give each lane what has come for it; returns how many bytes that were."""
        assert self._reader is not None  # noqa: S101  (start made it)
        wanted = self._wanted()
        fetched = await self._reader.read(wanted or (NOWHERE,), wait)
        # From here to the end nothing may wait: the consumer's position has moved already.
        for partition, batches in fetched.items():
            if lane := self.lanes.get(partition):
                lane.note_end(known_end(self._consumer, partition))
                lane.put(batches)
        return sum(batches.size for batches in fetched.values())

    def _wanted(self) -> list[TopicPartition]:
        if sum(lane.in_flight_bytes for lane in self.lanes) >= TOTAL_BYTES:
            return []
        return [lane.partition for lane in self.lanes if lane.wants_more]

    def _wait_for_data(self) -> float:
        full = any(lane.is_full for lane in self.lanes)
        return self._timing.busy_wait if full else self._timing.fetch_wait

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    # Watching.

    async def _tick(self) -> None:
        asking = asyncio.create_task(self._watch.ask(self._clock()))
        try:
            while not self._stopping.is_set():
                self._ticked = time.monotonic()
                if asking.done():
                    asking = asyncio.create_task(self._watch.ask(self._clock()))
                self._watch.look(self._clock())
                await self._rest(self._timing.tick)
        finally:
            asking.cancel()

    def _check(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("the worker broke", part=task.get_name(), exc_info=error)
            self._give_up(WorkerError(f"{task.get_name()}: the worker broke ({type(error).__name__}): see the log", 1))

    def _give_up(self, fault: WorkerError) -> None:
        self._fault = self._fault or fault
        self._stopping.set()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka only logs what is raised here, so nothing here raises."""

    def __init__(self, lanes: Lanes, metrics: WorkerMetrics) -> None:
        self._lanes = lanes
        self._metrics = metrics

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """The group waits for us: eager rebalances take everything away before they give anything."""
        await self._lanes.drain()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._metrics.rebalances.inc()
        self._lanes.add(assigned)
        log.info("partitions assigned", partitions=len(assigned))
