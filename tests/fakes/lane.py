"""A lane on a broker in memory: what it asks of its process, and a fetcher that gives it what it has room for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import CollectorRegistry

from tests.fakes.broker import Broker, Delivery
from tests.fetched import FetchedRecords
from tests.lanes import ByWord
from upcasters.event import Event
from worker.dead_letters import Reporter
from worker.kafka.login import Login
from worker.lanes import delivery as ports
from worker.lanes.bounded_pass import StartingPoint
from worker.lanes.breaker import Breaker
from worker.lanes.committed_offset import read_note
from worker.lanes.lane import Lane
from worker.lanes.lane_context import LaneContext
from worker.lanes.lane_position import KnownOffset
from worker.lanes.rate_limits import Quota, Throttle
from worker.lanes.state import LaneState
from worker.lanes.timeouts import Timeouts
from worker.metrics import WorkerMetrics
from worker.routes.route import OutputTopic, Route
from worker.settings import LimitSettings

PARTITION = TopicPartition("source", 0)
TRANSACTIONAL_ID = "group:source:0"
SHORT = 0.001
AT_ONCE = Timeouts(
    first_pause=SHORT,
    longest_pause=SHORT,
    denied_pause=SHORT,
    fenced_pause=SHORT,
    second_look=SHORT,
    look_again=SHORT,
    look_for_decision=SHORT,
)
"""No lane waits long before it starts again."""
TURNS = 10_000
"""Some hundred are usual."""
FETCHED_RECORDS = 7
"""Of one fetch: transactions begin and end in the middle of it."""


class Consumer:
    """The part of aiokafka's consumer that a lane uses, and the fetch loop in front of it."""

    def __init__(self, records: Sequence[Event]) -> None:
        self.records = records
        self.position = 0
        self.assigned = {PARTITION}
        self._subscription = SimpleNamespace(partitions_auto_assigned=lambda: False)

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.position = offset

    def fetch_for(self, lane: Lane) -> None:
        lane.note_end(len(self.records), len(self.records))
        if lane.wants_more and self.position < len(self.records):
            upto = min(self.position + FETCHED_RECORDS, len(self.records))
            lane.put(FetchedRecords(self.records[self.position : upto], self.position, upto))
            self.position = upto
        if lane.in_flight_records:
            lane.wake()


@dataclass(frozen=True)
class Context(LaneContext):
    """What the brokers are asked for is asked of the broker in memory."""

    broker: Broker = field(default_factory=Broker)
    late: bool = False
    settled: Callable[[], bool] = lambda: True

    async def begin(self, partition: TopicPartition) -> StartingPoint:
        found = self.broker.ask("offsets", lambda: self.broker.offsets.get(partition))
        end = len(cast("Consumer", self.consumer).records)
        if found is None:
            return StartingPoint(0, end, forgotten=True)
        return StartingPoint(found.offset, end, note=read_note(found.note), committed=True)

    async def committed(self, partition: TopicPartition) -> int:
        found = self.broker.ask("offsets", lambda: self.broker.offsets.get(partition))
        return found.offset if found else 0

    def applies_late(self, route: Route) -> bool:
        return self.late

    async def offset_is_known(self, partition: TopicPartition) -> bool:
        return self.settled()

    async def with_sizes_of_now(self, route: Route) -> Route:
        return route

    def new_delivery(self, route: Route, partition: TopicPartition) -> ports.Delivery:
        return Delivery(self.broker, TRANSACTIONAL_ID, partition)


@dataclass
class Bench:
    """One partition of one route, and what became of it."""

    values: Sequence[bytes]
    broker: Broker = field(default_factory=Broker)
    route: Route = field(
        default_factory=lambda: Route(
            "source",
            OutputTopic("destination", 1),
            OutputTopic("source-dlt", 1),
            ByWord(),
            limits=LimitSettings(transaction_records=5),
            chain="0123456789abcdef",
        )
    )
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.registry = CollectorRegistry()
        metrics = WorkerMetrics(self.registry, "group")
        records = [Event(value, b"key", [], timestamp=1_000 + n, offset=n) for n, value in enumerate(self.values)]
        self.consumer = Consumer(records)
        self.context = Context(
            consumer=cast("AIOKafkaConsumer", self.consumer),
            offsets=cast("AIOKafkaConsumer", None),
            clients=cast("ports.ClientFactory", SimpleNamespace(login=Login())),
            reporter=Reporter("group", "0", "test"),
            metrics=metrics,
            quota=Quota(metrics),
            timeouts=AT_ONCE,
            broker=self.broker,
            **self.options,
        )

    def lane(self, known: KnownOffset | None = None) -> Lane:
        return Lane(PARTITION, self.route, self.context, Throttle(), Breaker(self.route.breaker), known)

    @asynccontextmanager
    async def running(self, known: KnownOffset | None = None) -> AsyncIterator[Lane]:
        """Let a lane work until the block ends; then it is drained."""
        lane = self.lane(known)
        life = asyncio.create_task(lane.run())
        fetching = asyncio.create_task(self._fetch(lane))
        try:
            yield lane
        finally:
            lane.drain()
            await asyncio.wait([life])
            fetching.cancel()
            await asyncio.wait([fetching])
        await life

    async def work_through(self) -> Lane:
        """A lane's life until nothing is left to do."""
        async with self.running() as lane:
            await until(lambda: lane.lag.committed == len(self.values) or lane.state is LaneState.STOPPED)
        return lane

    async def _fetch(self, lane: Lane) -> None:
        while True:
            self.consumer.fetch_for(lane)
            await asyncio.sleep(0)

    @property
    def counted(self) -> float:
        """Records that the worker says it has consumed."""
        samples = (each for family in self.registry.collect() for each in family.samples)
        return sum(each.value for each in samples if each.name == "upcaster_records_consumed_total")

    @property
    def written(self) -> list[bytes | None]:
        return [record.value for record in self.broker.visible("destination")]

    @property
    def dead_letters(self) -> list[bytes | None]:
        return [record.value for record in self.broker.visible("source-dlt")]

    @property
    def committed(self) -> int:
        return self.broker.offsets[PARTITION].offset


async def until(condition: Callable[[], object]) -> None:
    """Let the others go on until it holds: so many turns of theirs, with time for a lane's pauses between them."""
    for turn in range(TURNS):
        if condition():
            return
        await asyncio.sleep(SHORT if turn % 100 == 99 else 0)
    raise AssertionError(f"it never came to {condition}")
