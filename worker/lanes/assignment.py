"""Starts a lane for each partition that is assigned, and drains lanes when partitions are revoked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator

import structlog
from aiokafka import TopicPartition

from worker.errors import MAY_PASS, WorkerError
from worker.lanes.breaker import Breaker
from worker.lanes.lane import Lane
from worker.lanes.lane_context import LaneContext
from worker.lanes.rate_limits import Throttle
from worker.routes.route import Route

log = structlog.get_logger(__name__)


class Assignment:
    """The lanes of this process, each with its task. Breaker and last offset outlive a lane: a rebalance closes no
    breaker, and the partition's next lane does not begin before the offset where the last one ended.

    ``give_up`` is called with the fault that ends the process, ``all_done`` when every lane of a bounded pass has
    ended.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        lane_context: LaneContext,
        give_up: Callable[[WorkerError], None],
        all_done: Callable[[], None] | None = None,
    ) -> None:
        self.routes = {route.source: route for route in routes}
        self.throttles = {
            source: Throttle(route.limits.records_per_second, route.bytes_per_second)
            for source, route in self.routes.items()
        }
        self.paused: set[str] = set()
        self._context = lane_context
        self._give_up = give_up
        self._all_done = all_done
        self._lanes: dict[TopicPartition, Lane] = {}
        self._tasks: dict[TopicPartition, asyncio.Task[None]] = {}
        self._last: dict[TopicPartition, Lane] = {}
        self._closed = False
        self._some = asyncio.Event()

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def __len__(self) -> int:
        return len(self._lanes)

    async def wait_for_some(self, seconds: float) -> None:
        """Wait until there are lanes, for ``seconds`` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._some.wait()

    def get(self, partition: TopicPartition) -> Lane | None:
        return self._lanes.get(partition)

    def of_route(self, source: str) -> list[Lane]:
        """The lanes of a route. Raises ``KeyError`` where no route has this source."""
        route = self.routes[source]
        return [lane for lane in self if lane.partition.topic == route.source]

    def refuse(self, error: Exception, topics: Collection[str]) -> None:
        """Records of these topics cannot be fetched: start their lanes again."""
        for lane in self:
            if lane.partition.topic in topics:
                lane.refuse(error)

    def add(self, partitions: Iterable[TopicPartition]) -> None:
        for partition in sorted(partitions):
            if not self._closed and partition not in self._lanes:
                self._start(partition)

    async def drain(self, *, close: bool = False) -> None:
        """Drain all lanes, and cancel those that take too long. With ``close`` no lane is started afterwards."""
        self._closed = self._closed or close
        drained = list(self)
        for lane in drained:
            lane.drain()
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._context.timeouts.drain)
            for task in late:
                task.cancel()
            if late:
                log.warning("lanes did not drain in time, their open transactions will be aborted", lanes=len(late))
                await asyncio.wait(late, timeout=self._context.timeouts.abort + self._context.timeouts.stop)
        for lane in drained:
            self._forget(lane)

    def _start(self, partition: TopicPartition) -> None:
        route, last = self.routes[partition.topic], self._last.get(partition)
        lane = Lane(
            partition,
            route,
            self._context,
            self.throttles[route.source],
            last.breaker if last else Breaker(route.breaker),
            last.known if last else None,
            paused=route.source in self.paused,
        )
        self._lanes[partition] = lane
        self._some.set()
        task = asyncio.create_task(lane.run(), name=f"lane {partition.topic}:{partition.partition}")
        task.add_done_callback(lambda done: self._check(partition, done))
        self._tasks[partition] = task

    def _check(self, partition: TopicPartition, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, WorkerError):
            self._give_up(error)
        elif error is not None:
            log.error("a lane failed", topic=partition.topic, partition=partition.partition, exc_info=error)
            self._give_up(
                WorkerError(
                    f"{partition.topic}:{partition.partition}: the lane failed ({type(error).__name__}): this is an "
                    "error in the worker: see the log; nothing is lost, start the worker again",
                    MAY_PASS,
                    code="UPC1401",
                )
            )
        elif self._all_done and all(each.done() for each in self._tasks.values()):
            self._all_done()

    def _forget(self, lane: Lane) -> None:
        if self._lanes.get(lane.partition) is not lane:
            return
        self._last[lane.partition] = lane
        del self._lanes[lane.partition], self._tasks[lane.partition]
        if not self._lanes:
            self._some.clear()
