"""Owns all lanes of a process: starts and stops them, and answers operators."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterable

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from worker.dead_letters import Reporter
from worker.errors import MAY_PASS, WorkerError
from worker.kafka.aiokafka_internals.consumer import (
    add_topics,
    ask_about_topics,
    hidden_topics,
    join_again,
    why_given_up,
)
from worker.kafka.aiokafka_internals.quota_patches import throttling_of
from worker.kafka.members import AnnouncingAssignor, SourceUse
from worker.kafka.refusals import ending, hidden_cause, in_words, named_by
from worker.lanes.assignment import Assignment
from worker.lanes.bounded_pass import Bounds
from worker.lanes.counters import TransactionTracing
from worker.lanes.delivery import ClientFactory
from worker.lanes.faults import DENIED, denied
from worker.lanes.fetching import Fetching
from worker.lanes.lane import Lane
from worker.lanes.lane_context import LaneContext, Look, MakeProcessor
from worker.lanes.processing import Processor
from worker.lanes.rate_limits import Quota
from worker.lanes.state import LaneState, LaneStatus, MeasuredLane, reasons
from worker.lanes.timeouts import Timeouts
from worker.lanes.watch import Watch
from worker.metrics import WorkerMetrics
from worker.routes.route import Route

log = structlog.get_logger(__name__)

CONSUMER_OPTIONS = {"fetch_max_wait_ms": 100, "fetch_max_bytes": 16 * 1024 * 1024, "metadata_max_age_ms": 30_000}
"""A partition that can be fetched again waits for the fetch under way, so that must not take long. The metadata's
greatest age (aiokafka: five minutes) is the time after which new topics and partitions are noticed."""

GONE = "the source topic does not exist any more"
MAKE_IT_AGAIN = "create it again as it was, then restart the worker: it begins at the beginning of the new topic"


class Supervisor:
    """``start``, then ``run`` until ``stop`` is called or a fault ends it (``WorkerError``).

    The consumer of ``clients.group_consumer`` must have no topics: it is subscribed here or, in a bounded pass,
    assigned its partitions. A bounded pass ends by itself.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        clients: ClientFactory,
        metrics: WorkerMetrics,
        reporter: Reporter,
        *,
        timeouts: Timeouts | None = None,
        clock: Callable[[], float] = time.time,
        bounds: Bounds | None = None,
        make_processor: MakeProcessor = Processor,
        tracing: TransactionTracing | None = None,
        look_at_others: Look | None = None,
    ) -> None:
        self._timeouts = timeouts or Timeouts()
        self._stopping = asyncio.Event()
        self._clock = clock
        self._metrics = metrics
        self._login = clients.login
        routes = tuple(routes)
        ways = {route.source: SourceUse(route.destination.name, route.chain) for route in routes}
        self._consumer: AIOKafkaConsumer = clients.group_consumer(
            **CONSUMER_OPTIONS, partition_assignment_strategy=(AnnouncingAssignor(ways),)
        )
        self._offsets = clients.reader()
        self._bounds = bounds
        quota = Quota(metrics)
        for client in (self._consumer, self._offsets):
            throttling_of(client).on_wait = quota.note_wait
        lane_context = LaneContext(
            self._consumer,
            self._offsets,
            clients,
            reporter,
            metrics,
            quota,
            self._timeouts,
            clock,
            bounds,
            make_processor,
            tracing,
            look_at_others,
        )
        self.lanes = Assignment(routes, lane_context, self._give_up, self._stopping.set if bounds else None)
        self._listener = _Listener(self.lanes, self._consumer, metrics)
        self._watch = Watch(self.lanes, self._consumer, self._offsets, clients, metrics)
        metrics.lanes.look = self._look
        self._stopped = asyncio.Event()
        self._fault: WorkerError | None = None
        self._ticked = time.monotonic()
        self._tasks: list[asyncio.Task[None]] = []

    # The life of the supervisor.

    async def start(self) -> None:
        """Connect and join the group; the group assigns partitions later. Raises KafkaError where no broker answers,
        WorkerError where a right is missing."""
        add_topics(self._offsets, self.lanes.routes)
        try:
            await self._offsets.start()
            await self._consumer.start()
        except DENIED as error:
            raise denied(error) from error
        fetching = Fetching(self._consumer, self.lanes, self._metrics, self._timeouts, self._stopping, self._refused)
        self._take_partitions()
        self._tasks = [
            asyncio.create_task(fetching.run(), name="fetch"),
            asyncio.create_task(self._tick(), name="watch"),
        ]
        for task in self._tasks:
            task.add_done_callback(self._check)

    def _take_partitions(self) -> None:
        if self._bounds is None:
            self._consumer.subscribe(list(self.lanes.routes), listener=self._listener)
        elif self._bounds.partitions:
            self._consumer.assign(list(self._bounds.partitions))
            self.lanes.add(self._bounds.partitions)
        else:
            self._stopping.set()

    async def run(self) -> None:
        """Return after ``stop``. Raises ``WorkerError`` for a fault that ends the process."""
        await self._stopping.wait()
        await self.stop()
        if self._fault:
            raise self._fault

    async def stop(self) -> None:
        """Commit or abort open transactions and leave the group. May be called more than once."""
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
            async with asyncio.timeout(self._timeouts.stop):
                await client.stop()

    # What operators ask and do.

    def _look(self) -> list[MeasuredLane]:
        """The measured lanes as of now, for a scrape."""
        self._watch.look(self._clock())
        return [lane.measured() for lane in self._in_order()]

    def status(self) -> list[LaneStatus]:
        return [lane.status() for lane in self._in_order()]

    def _in_order(self) -> list[Lane]:
        return sorted(self.lanes, key=lambda lane: lane.partition)

    def why_not_live(self) -> list[str]:
        """Reasons for which a restart would help, a line each. Brokers that do not answer are no such reason."""
        now = time.monotonic()
        reasons = [
            f"{lane.partition.topic}:{lane.partition.partition}: no progress for {now - lane.last_step:.0f} s"
            for lane in self.lanes
            if lane.is_stuck(now)
        ]
        if now - self._ticked > 10 * self._timeouts.tick:
            reasons.append(f"the event loop has not ticked for {now - self._ticked:.0f} s")
        return reasons

    def why_not_ready(self) -> list[str]:
        """Reasons why partitions are not processed, a line each. A lane that an operator paused, or that reached its
        bound, is ready."""
        hidden = [each for each in hidden_topics(self._consumer) if not self.lanes.of_route(each)]
        gone = [
            *(str(denied(TopicAuthorizationFailedError(source))) for source in sorted(hidden)),
            *(f"{source}: {GONE}: {MAKE_IT_AGAIN}" for source in self._listener.gone()),
        ]
        if not len(self.lanes):
            return gone or [self._listener.why_not or self._login.refused or "no partitions assigned (yet)"]
        ready = {LaneState.RUNNING, LaneState.PAUSED, LaneState.STOPPED}
        lanes = [each.status() for each in self.lanes if each.state not in ready or self._is_held_back(each)]
        lanes.sort(key=lambda each: (each.topic, each.partition))
        silent = [self._login.refused] if self._login.refused else self._watch.why_not_ready(self._clock())
        return silent + gone + reasons(lanes)

    def _is_held_back(self, lane: Lane) -> bool:
        """Whether the lane runs but an open transaction has hidden all new records for too long."""
        return lane.held_back.grows_for(self._clock()) > self._timeouts.held_back_after

    def pause(self, source: str) -> None:
        """Pause the lanes of a route. Raises ``KeyError`` where no route has this source."""
        lanes = self.lanes.of_route(source)
        self.lanes.paused.add(source)
        for lane in lanes:
            lane.pause()

    def resume(self, source: str) -> None:
        """Resume the lanes of a route, and close their breakers. Raises ``KeyError`` where no route has this source."""
        lanes = self.lanes.of_route(source)
        self.lanes.paused.discard(source)
        for lane in lanes:
            lane.resume()

    def limit_rate(self, source: str, records_per_second: float | None, bytes_per_second: float | None = None) -> None:
        """Limit the rate of a route in this process; None lifts a limit. Raises ``KeyError`` where no route has this
        source."""
        self.lanes.throttles[source].limit(records_per_second, bytes_per_second)
        for lane in self.lanes.of_route(source):
            lane.wake()

    # Watching.

    async def _tick(self) -> None:
        asking = asyncio.create_task(self._watch.ask(self._clock()))
        try:
            while not self._stopping.is_set():
                self._ticked = time.monotonic()
                if len(self.lanes):
                    self._listener.why_not = ""
                if asking.done():
                    asking = asyncio.create_task(self._watch.ask(self._clock()))
                self._watch.look(self._clock())
                self._look_for_hidden()
                if error := why_given_up(self._consumer):
                    self._give_up(
                        WorkerError(
                            f"kafka: the client has stopped for good ({in_words(error)}): start the worker again",
                            MAY_PASS,
                            code="UPC1205",
                        )
                    )
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._timeouts.tick):
                        await self._stopping.wait()
        finally:
            asking.cancel()

    def _check(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a background task of the worker failed", task=task.get_name(), exc_info=error)
            self._give_up(
                WorkerError(
                    f"the worker's task '{task.get_name()}' failed ({type(error).__name__}): this is an error in the "
                    "worker: see the log; nothing is lost, start the worker again",
                    1,
                    code="UPC1401",
                )
            )

    def _look_for_hidden(self) -> None:
        if hidden := hidden_topics(self._consumer):
            self._metrics.error("fetch", TopicAuthorizationFailedError.__name__)
            self._refused(TopicAuthorizationFailedError(*sorted(hidden)))
            ask_about_topics(self._consumer)

    def _refused(self, refused: KafkaError) -> None:
        """End the process where waiting cannot help. For a missing right that it had at the start it waits: somebody
        may grant it again."""
        error = hidden_cause(refused)
        at_work = self._bounds is None and (self._listener.joined or isinstance(error, DENIED))
        if fault := ending(error, at_work=at_work):
            self._give_up(fault)
        elif isinstance(error, DENIED) and not isinstance(error, GroupAuthorizationFailedError):
            self.lanes.refuse(error, named_by(error))
        elif len(self.lanes) and not isinstance(error, DENIED):
            log.warning("a fetch failed, the worker tries again", reason=in_words(error))
        else:
            self._wait_for_group(in_words(error))
            if isinstance(error, GroupAuthorizationFailedError):
                join_again(self._consumer)

    def _wait_for_group(self, why: str) -> None:
        """aiokafka tries again by itself; the same reason is logged once."""
        if self._listener.why_not != why:
            log.error("the group assigns no partitions", reason=why)
        self._listener.why_not = why

    def _give_up(self, fault: WorkerError) -> None:
        self._fault = self._fault or fault
        self._stopping.set()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Follows rebalances. Nothing here may raise: aiokafka would only log it."""

    def __init__(self, lanes: Assignment, consumer: AIOKafkaConsumer, metrics: WorkerMetrics) -> None:
        self._lanes = lanes
        self._consumer = consumer
        self._metrics = metrics
        self.joined = False
        self.why_not = ""
        """Why the group assigns no partitions, where that is known."""

    def gone(self) -> list[str]:
        """Sources that do not exist; empty before the first assignment, when nobody has asked yet."""
        known = self._consumer.partitions_for_topic
        hidden = hidden_topics(self._consumer)
        return [each for each in self._lanes.routes if self.joined and not known(each) and each not in hidden]

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Drain all lanes. The group waits for it: an eager rebalance revokes everything before it assigns."""
        await self._lanes.drain()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._metrics.rebalances.inc()
        self._lanes.add(assigned)
        log.info("partitions assigned", partitions=len(assigned))
        self.joined, self.why_not = True, ""
        for source in self.gone():
            log.error(GONE, topic=source, fix=MAKE_IT_AGAIN)
