"""What tests of the lanes need: an upcaster whose answer is in the event, and a whole worker without its house."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import ClusterAuthorizationFailedError
from prometheus_client import CollectorRegistry

from tests.kafka import Record, Topics, read_all
from tests.limits import HANG
from upcasters.event import Partition, SourceRecord
from upcasters.event import Record as Output
from upcasters.outcome import DeadLettered, Fault, Outcome, Passage, Passed, Skipped, Upcast
from worker.dead_letters import Reporter
from worker.kafka.aiokafka_internals.consumer import Consumer
from worker.kafka.aiokafka_internals.patches import apply_patches
from worker.kafka.login import Login
from worker.lanes.delivery import ClientFactory
from worker.lanes.supervisor import Supervisor
from worker.lanes.timeouts import Timeouts
from worker.metrics import WorkerMetrics
from worker.routes.route import OutputTopic, Route
from worker.settings import LimitSettings

OLD_TO_NEW = Passage("thing", "1", "2", 1)
CURRENT = Passage("thing", "2", "2")
UNKNOWN = Passage("", "", "")
QUICK = Timeouts(
    start=10,
    operation=10,
    drain=4,
    first_pause=0.02,
    longest_pause=0.5,
    denied_pause=0.2,
    fenced_pause=0.2,
    nothing_known=0.5,
    tick=0.2,
)


class ByWord:
    """`old…` becomes `new…`, `new…` passes, and so on, by the first word of the value."""

    def upcast(self, record: SourceRecord, source: Partition | None = None) -> Outcome:
        if record.value is None:
            return Passed(UNKNOWN, "tombstone")
        word, _, rest = record.value.partition(b" ")
        return WORDS.get(word, _unknown)(record, rest)


def _unknown(record: SourceRecord, rest: bytes) -> Outcome:
    return DeadLettered(Fault("detect", "UnknownType", "no such type"))


def _raise(record: SourceRecord, rest: bytes) -> Outcome:
    raise ZeroDivisionError("the upcaster broke its promise")


def _split(record: SourceRecord, rest: bytes) -> Outcome:
    parts = tuple(Output(b"new " + part, part, record.headers) for part in rest.split(b","))
    return Upcast(OLD_TO_NEW, None, parts)


WORDS: dict[bytes, Callable[[SourceRecord, bytes], Outcome]] = {
    b"old": lambda _record, rest: Upcast(OLD_TO_NEW, b"new " + rest),
    b"new": lambda _record, _rest: Passed(CURRENT, "current"),
    b"bad": lambda _record, _rest: DeadLettered(
        Fault("decode", "DecodeError", "not JSON", "thing", "1", "2", "thing_0002", "a.b")
    ),
    b"skip": lambda _record, _rest: Skipped(UNKNOWN, "filtered"),
    b"split": _split,
    b"grow": lambda _record, rest: Upcast(OLD_TO_NEW, b"x" * int(rest)),
    b"raise": _raise,
}


@dataclass
class PlainClients:
    """Clients for a broker without encryption. ``producers`` remembers what was made, for tests that break it."""

    bootstrap_servers: str
    group: str
    producers: list[AIOKafkaProducer] = field(default_factory=list)
    spoil: Callable[[AIOKafkaProducer], None] = lambda _producer: None
    options: dict[str, Any] = field(default_factory=dict)
    consumer_options: dict[str, Any] = field(default_factory=dict)
    tells_sizes: bool = True
    login: Login = field(default_factory=Login)

    def __post_init__(self) -> None:
        apply_patches()

    def group_consumer(self, **options: Any) -> AIOKafkaConsumer:
        return Consumer(
            bootstrap_servers=self.bootstrap_servers,
            group_id=self.group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            session_timeout_ms=6000,
            rebalance_timeout_ms=6000,
            **{"heartbeat_interval_ms": 300, **options, **self.consumer_options},
        )

    def reader(self, **options: Any) -> AIOKafkaConsumer:
        return Consumer(
            bootstrap_servers=self.bootstrap_servers,
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            **options,
        )

    def producer(self, **options: Any) -> AIOKafkaProducer:
        made = AIOKafkaProducer(bootstrap_servers=self.bootstrap_servers, **{**options, **self.options})
        self.producers.append(made)
        self.spoil(made)
        return made

    def admin(self) -> AIOKafkaAdminClient:
        if not self.tells_sizes:
            raise ClusterAuthorizationFailedError
        return AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)


@dataclass
class Bench:
    """One route on a broker: topics of its own, and as many workers as a test wants."""

    bootstrap_servers: str
    group: str
    route: Route
    registries: list[CollectorRegistry] = field(default_factory=list)
    clock: Callable[[], float] = time.time

    def supervisor(self, clients: ClientFactory | None = None, timeouts: Timeouts = QUICK) -> Supervisor:
        registry = CollectorRegistry()
        self.registries.append(registry)
        return Supervisor(
            [self.route],
            clients or PlainClients(self.bootstrap_servers, self.group),
            WorkerMetrics(registry, self.group),
            Reporter(self.group, "0", "test"),
            timeouts=timeouts,
            clock=self.clock,
        )

    @asynccontextmanager
    async def running(
        self, clients: ClientFactory | None = None, timeouts: Timeouts = QUICK
    ) -> AsyncIterator[Supervisor]:
        supervisor = self.supervisor(clients, timeouts)
        await supervisor.start()
        try:
            yield supervisor
        finally:
            await supervisor.stop()

    def total(self, metric: str, **labels: str) -> float:
        """The sum of a metric's samples over all workers of this bench."""
        return sum(
            sample.value
            for registry in self.registries
            for family in registry.collect()
            for sample in family.samples
            if sample.name == metric and labels.items() <= sample.labels.items()
        )


async def make_bench(bootstrap_servers: str, topics: Topics, partitions: int = 1, **route: Any) -> Bench:
    """Topics `source`, `destination` and `source-dlt`; ``route`` overrides fields of the route."""
    configs = {"retention.ms": "-1"}
    source = await topics.create("source", partitions=partitions, configs=configs)
    destination = await topics.create("destination", partitions=partitions, configs=configs)
    dead_letter = await topics.create("source-dlt", partitions=partitions, configs=configs)
    return Bench(
        bootstrap_servers,
        topics.name("group"),
        Route(
            **{
                "source": source,
                "destination": OutputTopic(destination, partitions),
                "dead_letter": OutputTopic(dead_letter, partitions),
                "upcaster": ByWord(),
                **route,
            }
        ),
    )


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait for something that other tasks bring about."""
    deadline = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < deadline, f"still waiting for {what or condition}"
        await asyncio.sleep(0.01)


async def read_settled(bootstrap_servers: str, topic: str) -> list[Record]:
    """What a read_committed consumer sees once no transaction is open: markers are written after the commit."""
    deadline = time.monotonic() + HANG
    while await ends(bootstrap_servers, topic, "read_committed") != await ends(
        bootstrap_servers, topic, "read_uncommitted"
    ):
        assert time.monotonic() < deadline, f"a transaction in {topic} is still open"
        await asyncio.sleep(0.05)
    return await read_all(bootstrap_servers, topic)


async def ends(bootstrap_servers: str, topic: str, isolation: str = "read_committed") -> dict[TopicPartition, int]:
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap_servers, group_id=None, isolation_level=isolation
    ) as consumer:
        found: dict[TopicPartition, int] = await consumer.end_offsets(sorted(consumer.assignment()))
        return found


def caught_up(*supervisors: Supervisor, partitions: int) -> Callable[[], bool]:
    """Every partition has a lane in one of these, and no lane has anything left to do."""

    def check() -> bool:
        lanes = [lane for supervisor in supervisors for lane in supervisor.status()]
        return len(lanes) == partitions and all(lane.lag == 0 for lane in lanes)

    return check


def worker_process(bench: Bench) -> subprocess.Popen[bytes]:
    """A worker that can be killed: the same route in a process of its own."""
    route = bench.route
    given = [
        bench.bootstrap_servers,
        bench.group,
        route.source,
        route.destination.name,
        route.dead_letter.name,
        str(route.destination.partitions),
    ]
    return subprocess.Popen([sys.executable, "-m", "tests.lanes", *given])


async def _main(
    bootstrap_servers: str, group: str, source: str, destination: str, dead_letter: str, partitions: str
) -> None:
    count = int(partitions)
    limits = LimitSettings(transaction_records=200)
    route = Route(source, OutputTopic(destination, count), OutputTopic(dead_letter, count), ByWord(), limits=limits)
    async with Bench(bootstrap_servers, group, route).running() as supervisor:
        await supervisor.run()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
