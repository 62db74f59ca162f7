"""What the lanes of a process share: clients, metrics and limits, and the questions that each asks at its start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from upcasters.event import SourcePartition
from upcasters.outcome import Violation
from worker.dead_letters import Reporter
from worker.kafka.clients import started
from worker.kafka.codes import UnstableOffsetCommitError
from worker.kafka.log_offsets import LogOffsets
from worker.kafka.stable_offsets import applies_late, committed_by_group_of, committed_with_note
from worker.kafka.topics import settings_of
from worker.lanes.bounded_pass import Bounds, StartingPoint
from worker.lanes.committed_offset import read_note
from worker.lanes.counters import TransactionTrace, TransactionTracing
from worker.lanes.delivery import AtLeastOnce, ClientFactory, Delivery, ExactlyOnce
from worker.lanes.lane_position import SeenCommits, compare_with_seen
from worker.lanes.outbox import batch_bytes
from worker.lanes.processing import Processor
from worker.lanes.rate_limits import Quota
from worker.lanes.timeouts import Timeouts
from worker.metrics import WorkerMetrics
from worker.routes.route import OutputTopic, Route

MakeProcessor = Callable[[Route, SourcePartition, Reporter, Callable[[], float]], Processor]

log = structlog.get_logger(__name__)

MOST_LOGGED = 1_000
"""The number of kinds of observed violations that a process logs."""
ANSWER = 5.0
"""Seconds that the brokers have to answer how large records may be."""
LIMIT = "max.message.bytes"


AT_ONCE = 32
"""Lanes that start at the same time. More would wait for each other in the brokers, and all would time out together."""
PATIENCE = 2.0
"""Seconds after which a lane that still starts does not count: where a broker is away, its lanes do not hold up
others."""


class StartLimit:
    """``async with start_limit.one():`` waits for one of ``at_once`` places. Each is free again after ``patience``
    seconds, also where the start goes on."""

    def __init__(self, at_once: int = AT_ONCE, patience: float = PATIENCE) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._patience = patience

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        await self._free.acquire()
        held = True

        def release() -> None:
            nonlocal held
            if held:
                held = False
                self._free.release()

        slow = asyncio.get_running_loop().call_later(self._patience, release)
        try:
            yield
        finally:
            slow.cancel()
            release()


Look = Callable[[], Awaitable[None]]


class SharedLook:
    """Shares the checks ``look`` between callers. A call returns when a check that began after it has returned; with
    ``once``, when any has. An error of a check reaches each of its callers, from that check or from the next one."""

    def __init__(self, look: Look, *, once: bool = False) -> None:
        self._look = look
        self._once = once
        self._begun = 0
        self._came_back = 0
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self) -> None:
        before = 0 if self._once else self._begun
        async with self._one_at_a_time:
            if self._came_back > before:
                return
            self._begun += 1
            await self._look()
            self._came_back = self._begun


@dataclass(frozen=True)
class LaneContext:
    """What the lanes share. ``offsets`` is a consumer without a group that only looks up where partitions begin and
    end: brokers answer the requests of one connection in order, and on the consumer's they would wait for its fetches.
    """

    consumer: AIOKafkaConsumer
    offsets: AIOKafkaConsumer
    clients: ClientFactory
    reporter: Reporter
    metrics: WorkerMetrics
    quota: Quota
    timeouts: Timeouts
    clock: Callable[[], float] = time.time
    bounds: Bounds | None = None
    make_processor: MakeProcessor = Processor
    tracing: TransactionTracing | None = None
    look_at_others: Look | None = None
    """Awaited by a lane before its first record, when others can see its announcement: checks for passes over the same
    offsets. Raises WorkerError."""
    start_limit: StartLimit = field(default_factory=StartLimit)
    seen_commits: SeenCommits = field(default_factory=SeenCommits)
    logged: set[str] = field(default_factory=set)
    """Fingerprints of observed violations that were logged."""
    unreadable: set[str] = field(default_factory=set)
    """Output topics that the worker may not read, as was logged."""

    def new_trace(self, route: Route, partition: TopicPartition) -> TransactionTrace | None:
        if self.tracing is None:
            return None
        return self.tracing.begin(partition.topic, partition.partition, route.destination.name)

    def new_processor(self, route: Route, partition: TopicPartition) -> Processor:
        source = SourcePartition(partition.topic, partition.partition)
        return self.make_processor(route, source, self.reporter, self.clock)

    def new_delivery(self, route: Route, partition: TopicPartition) -> Delivery:
        delivery = self._delivery(route, partition)
        delivery.throttling.on_wait = self.quota.note_wait
        return delivery

    def _delivery(self, route: Route, partition: TopicPartition) -> Delivery:
        size = batch_bytes((route.destination, route.dead_letter))
        if route.delivery == "exactly-once":
            return ExactlyOnce(self.clients, self.reporter.group, partition, size, self.timeouts)
        return AtLeastOnce(self.clients, self.consumer, partition, size, self.timeouts)

    async def begin(self, partition: TopicPartition) -> StartingPoint:
        """The offset to begin at, and the partition's end now. Raises KafkaError, and in a bounded pass WorkerError.

        A lane begins at the group's offset, or at the partition's first offset where the group has none or retention
        has deleted it. A bounded pass has rules of its own.
        """
        if self.bounds:
            return await self.bounds.begin(partition, self.consumer, self.offsets)
        found = await self._committed_beside_others(partition)
        offsets: LogOffsets = (await self.offsets.log_offsets([partition]))[partition]
        beginning, end = offsets.start, offsets.stable
        if found is None:
            return StartingPoint(beginning, end, forgotten=True)
        committed, note = found.offset, read_note(found.metadata)
        if committed < beginning and not note.finding:
            self._log_deleted(partition, beginning - committed)
            return StartingPoint(beginning, end, note=note)
        return StartingPoint(committed, end, note=note, committed=True)

    async def _committed_beside_others(self, partition: TopicPartition) -> OffsetAndMetadata | None:
        """The group's offset, asked for together with offsets that this worker has seen committed. Raises
        ``WentBackError`` where the brokers do not know those any more: then the answer is not to be believed. Up to
        Kafka 3.9 a coordinator answers only when it has loaded, and its loss of one offset says nothing of others."""
        witnesses = self.seen_commits.beside(partition)
        if witnesses:
            try:
                found = await committed_by_group_of(self.consumer, [partition, *witnesses], self.timeouts.unstable)
            except UnstableOffsetCommitError as error:
                if partition in error.partitions:
                    raise
            else:
                if not applies_late(self.consumer):
                    compare_with_seen(witnesses, found)
                return found.get(partition)
        return await committed_with_note(self.consumer, partition, self.timeouts.unstable)

    async def committed(self, partition: TopicPartition) -> int:
        """The group's offset; 0 where it has none, or not any more."""
        found = await committed_with_note(self.consumer, partition, self.timeouts.unstable)
        return found.offset if found else 0

    def applies_late(self, route: Route) -> bool:
        """Whether the brokers may apply the offset of a transaction as that of the transaction before it."""
        return route.delivery == "exactly-once" and applies_late(self.consumer)

    async def offset_is_known(self, partition: TopicPartition) -> bool:
        """Whether the group's offset is known and needs no decision by a person. False also where the brokers do not
        answer."""
        try:
            async with asyncio.timeout(self.timeouts.operation):
                found = await committed_with_note(self.consumer, partition, patience=0)
        except (KafkaError, TimeoutError):
            return False
        return found is None or read_note(found.metadata).finding is None

    def log_violations(self, topic: str, violations: Iterable[Violation]) -> None:
        """Log each kind of observed violation once; the metric counts them all."""
        for each in violations:
            fault = each.fault
            if fault.fingerprint in self.logged or len(self.logged) >= MOST_LOGGED:
                continue
            self.logged.add(fault.fingerprint)
            log.warning(
                "events violate their model and are written anyway",
                topic=topic,
                event_type=each.event_type,
                version=each.version,
                path=fault.path,
                reason=fault.message,
            )

    async def with_sizes_of_now(self, route: Route) -> Route:
        """The route with the current ``max.message.bytes`` of its topics; unchanged where the brokers do not answer."""
        try:
            async with asyncio.timeout(ANSWER):
                sizes = await self._sizes((route.destination.name, route.dead_letter.name))
        except (KafkaError, TimeoutError, OSError):
            return route

        def now(topic: OutputTopic) -> OutputTopic:
            return replace(topic, max_message_bytes=sizes.get(topic.name, topic.max_message_bytes))

        return replace(route, destination=now(route.destination), dead_letter=now(route.dead_letter))

    async def _sizes(self, topics: Iterable[str]) -> dict[str, int]:
        async with started(self.clients.admin()) as admin:
            told = await settings_of(admin, topics)
        return {name: int(settings[LIMIT]) for name, _, settings in told if LIMIT in settings}

    def _log_deleted(self, partition: TopicPartition, offsets: int) -> None:
        """Log records that retention deleted unread as an error, and count them."""
        log.error(
            "retention deleted records that were never read",
            topic=partition.topic,
            partition=partition.partition,
            offsets=offsets,
        )
        self.metrics.error("fetch", "RetentionOvertook", offsets)
