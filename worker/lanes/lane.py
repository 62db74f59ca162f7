"""One lane: the work on one assigned partition, from its producer's start to its drain.

The order that makes it exact, kept by ``_start``: the producer starts (which fences the partition's last
owner and settles what he left open), only then the committed offset is read, sought, and records are
accepted. After anything unclear the producer is thrown away and all of this happens again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from upcasters.event import SourcePartition
from worker.dead_letters import Reporter
from worker.kafka_internals import NO_TIMESTAMP, Fetched
from worker.lanes.breaker import Breaker
from worker.lanes.delivery import AtLeastOnce, Clients, Delivery, ExactlyOnce
from worker.lanes.faults import (
    DENIED,
    FENCED,
    TIMESTAMP_ERRORS,
    BlockedError,
    CommittedPastEndError,
    GapError,
    NotAssignedError,
    PoisonError,
    RefusedError,
    denied,
    kind,
    pause_before_retry,
    refusal,
)
from worker.lanes.intake import Intake
from worker.lanes.outbox import batch_bytes
from worker.lanes.processing import Processor
from worker.lanes.rate import Throttle
from worker.lanes.state import LaneState, StateMachine
from worker.lanes.status import LaneStatus
from worker.lanes.timing import Timing
from worker.lanes.transaction import Transaction
from worker.metrics import WorkerMetrics
from worker.route import Route

log = structlog.get_logger(__name__)

NARROWER = 8
"""How much smaller each transaction is on the way to the one record that a broker refuses."""


@dataclass(frozen=True)
class Surroundings:
    """What all lanes of a process share.

    ``offsets`` is a client of no group that only looks up where partitions begin and end: the brokers answer
    the questions of one connection in order, and on the consumer's they would wait for its fetches.
    """

    consumer: AIOKafkaConsumer
    offsets: AIOKafkaConsumer
    clients: Clients
    reporter: Reporter
    metrics: WorkerMetrics
    timing: Timing
    clock: Callable[[], float] = time.time

    @property
    def group(self) -> str:
        return self.reporter.group


class Lane:
    """``run`` is its life, in a task of its own; the other public methods may be called at any time meanwhile."""

    def __init__(
        self,
        partition: TopicPartition,
        route: Route,
        surroundings: Surroundings,
        throttle: Throttle,
        breaker: Breaker,
        *,
        paused: bool = False,
    ) -> None:
        self.partition = partition
        self.route = route
        self.breaker = breaker
        self.committed: int | None = None
        self.end: int | None = None
        self.last_step = time.monotonic()
        """When the lane last got anywhere; a lane with work to do and no step for long is stuck."""
        self._around = surroundings
        self._throttle = throttle
        self._paused = paused
        self._draining = False
        self._machine = StateMachine(self._log_transition)
        self._wake = asyncio.Event()
        self._intake = Intake(route.limits.in_flight_bytes)
        self._gap: GapError | None = None
        source = SourcePartition(partition.topic, partition.partition)
        self._processor = Processor(route, source, surroundings.reporter, surroundings.clock)
        self._delivery: Delivery | None = None
        self._transaction: Transaction | None = None
        self._position: int | None = None
        self._oldest_dropped = NO_TIMESTAMP
        self._behind_since: float | None = None
        self._blocked = ""
        self._max_records = route.limits.transaction_records
        self._attempts = 0

    # What others may know.

    @property
    def state(self) -> LaneState:
        return self._machine.state

    @property
    def wants_more(self) -> bool:
        return self.state is LaneState.RUNNING and self._intake.has_room

    @property
    def is_full(self) -> bool:
        return self.state is LaneState.RUNNING and not self._intake.has_room

    @property
    def in_flight_bytes(self) -> int:
        return self._intake.bytes

    @property
    def in_flight_records(self) -> int:
        return self._intake.records + (self._transaction.work.tally.consumed if self._transaction else 0)

    @property
    def lag(self) -> int | None:
        if self.end is None or self.committed is None:
            return None
        return max(0, self.end - self.committed)

    def lag_seconds(self, now: float) -> float | None:
        """Age of the oldest record that is not committed; while it has not been seen, since when it has been there."""
        if self.lag == 0:
            return 0.0
        in_work = self._transaction.oldest if self._transaction else NO_TIMESTAMP
        for timestamp in (in_work, self._intake.oldest, self._oldest_dropped):
            if timestamp >= 0:
                return max(0.0, now - timestamp / 1000)
        return None if self._behind_since is None else now - self._behind_since

    def is_stuck(self, now: float) -> bool:
        """Whether the lane has work that it should be doing and has not moved for very long. ``now`` is monotonic."""
        busy = self.state is LaneState.RUNNING and (bool(self._intake) or self._transaction is not None)
        return busy and now - self.last_step > self._around.timing.stuck_after

    def status(self) -> LaneStatus:
        return LaneStatus(
            topic=self.partition.topic,
            partition=self.partition.partition,
            state=self.state,
            reason=self._machine.reason,
            position=self._position,
            committed=self.committed,
            end=self.end,
            lag=self.lag,
            lag_seconds=self.lag_seconds(self._around.clock()),
            in_flight_records=self.in_flight_records,
            in_flight_bytes=self.in_flight_bytes,
            breaker=self.breaker.tripped,
        )

    # What others may ask for.

    def put(self, fetched: Fetched) -> None:
        """Take what was fetched; ``wake`` sets the lane to work. Never refused: the fetcher has moved on already."""
        try:
            self._intake.put(fetched)
        except GapError as gap:
            self._gap = gap
            self.wake()

    def note_end(self, end: int | None) -> None:
        """Where the partition ends now, as far as anything there can be read."""
        self.end = end
        if not self.lag:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = self._around.clock()

    def pause(self) -> None:
        self._paused = True
        self._wake.set()

    def resume(self) -> None:
        """Go on; closes an open breaker and tries a blocked record again."""
        self._paused = False
        self._blocked = ""
        self.breaker = self.breaker.closed()
        self._wake.set()

    def wake(self) -> None:
        """Look again at what there is to do."""
        self._wake.set()

    def drain(self) -> None:
        """Finish what is open and end. ``run`` returns when that is done."""
        if self._draining or self.state is LaneState.STOPPED:
            return
        self._draining = True
        self._machine.move(LaneState.DRAINING)
        self._wake.set()

    # What a transaction asks.

    @property
    def may_go_on(self) -> bool:
        return not (self._draining or self._paused or self._gap)

    @property
    def expects_more(self) -> bool:
        return self.end is not None and self._intake.next_offset < self.end

    async def sleep(self, seconds: float | None) -> None:
        """Until something changes, ``seconds`` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    # The life of the lane.

    async def run(self) -> None:
        """Work until drained. Raises ``WorkerError`` where no lane of this process can go on."""
        try:
            while not self._draining:
                await self._live()
        finally:
            self.drain()
            await self._discard()
            self._intake.close()
            self._machine.move(LaneState.STOPPED)

    async def _live(self) -> None:
        """The life of one producer: until the lane is drained, or something unclear happens."""
        try:
            await self._start()
            while await self._something_to_do():
                await self._transact()
            await self._stop_producer()
        except DENIED as error:
            raise denied(error) from error
        except BlockedError as error:
            await self._discard()
            await self._wait_while_blocked(str(error))
        except Exception as error:  # noqa: BLE001  (whatever it was: nothing is lost by starting again)
            await self._discard()
            await self._recover(error)

    async def _start(self) -> None:
        self._move(LaneState.STARTING)
        self._gap = None
        if self.partition not in self._around.consumer.assignment():
            raise NotAssignedError("the partition is not ours at the moment")
        self._delivery = self._new_delivery()
        async with asyncio.timeout(self._around.timing.start):
            await self._delivery.start()
            offset = await self._start_offset()
        self.committed = self._position = offset
        self._move(LaneState.RUNNING)
        self._begin_reading(offset)
        self.last_step = time.monotonic()

    def _begin_reading(self, offset: int) -> None:
        """Nothing may wait between the two: what comes in has to begin here."""
        self._around.consumer.seek(self.partition, offset)
        self._intake.open_at(offset)
        self._oldest_dropped = NO_TIMESTAMP

    async def _start_offset(self) -> int:
        """The group's offset; the partition's beginning where there is none, or retention has passed it."""
        around, partition = self._around, self.partition
        committed: int | None = await around.consumer.committed(partition)
        beginning: int = (await around.offsets.beginning_offsets([partition]))[partition]
        end: int = (await around.offsets.end_offsets([partition]))[partition]
        self.note_end(end)
        if committed is None:
            return beginning
        if committed < beginning:
            lost = beginning - committed
            log.error("retention deleted records that were never read", offsets=lost, **self._names())
            return beginning
        if committed > end:
            raise CommittedPastEndError(
                f"the group has committed offset {committed}, the partition ends at {end}: it was made anew "
                "or has lost records; reset the group's offset to where reading shall go on"
            )
        return committed

    async def _something_to_do(self) -> bool:
        """Wait for records that may be worked on now. False when the lane is to end."""
        while not self._draining:
            if self._gap:
                raise self._gap
            self._settle_state()
            delay = self._throttle.delay(time.monotonic())
            if self.state is LaneState.RUNNING and self._intake and not delay:
                return True
            await self.sleep(delay or None)
        return False

    def _settle_state(self) -> None:
        """A lane that waits for an operator holds no records: they are fetched again when it goes on."""
        if self.breaker.tripped:
            self._hold(LaneState.BREAKER_OPEN, self.breaker.tripped)
        elif self._paused:
            self._hold(LaneState.PAUSED, "paused by an operator")
        elif self.state is not LaneState.RUNNING:
            assert self._position is not None  # noqa: S101  (_start set it)
            self._begin_reading(self._position)
            self._move(LaneState.RUNNING)

    def _hold(self, state: LaneState, reason: str) -> None:
        if self.state is LaneState.RUNNING:
            self._oldest_dropped = self._intake.oldest
            self._intake.close()
        self._move(state, reason)

    async def _transact(self) -> None:
        transaction = self._new_transaction()
        try:
            records = min(self._max_records, self._throttle.allowance() or self._max_records)
            await transaction.run(records, self.route.limits.transaction_seconds)
        finally:
            self.last_step = time.monotonic()
        self._account(transaction)
        self._transaction = None

    def _account(self, transaction: Transaction) -> None:
        """The transaction is committed: now it counts."""
        if transaction.position is None:
            return
        work, metrics, topic = transaction.work, self._around.metrics, self.partition.topic
        self.committed = self._position = transaction.position
        self.breaker = work.breaker
        self._processor.forget_before(transaction.position)
        self.note_end(self.end)
        self._max_records = min(self.route.limits.transaction_records, self._max_records * 2)
        self._attempts = 0
        self._throttle.spend(work.tally.consumed, time.monotonic())
        metrics.add(topic, self.partition.partition, self.route.destination.name, work.tally, self._around.clock())
        metrics.observe(topic, transaction.seconds)

    # After something went wrong.

    async def _recover(self, error: Exception) -> None:
        """Make up our mind about the error, then wait as long as it takes to be worth another try."""
        stage = self._transaction.stage if self._transaction else "fetch"
        pause = self._learn_from(error)
        self._transaction = None
        self._around.metrics.retries.labels(stage, kind(error)).inc()
        if not isinstance(error, PoisonError | RefusedError):
            self._around.metrics.errors.labels(stage, kind(error)).inc()
        if self._blocked:
            await self._wait_while_blocked(self._blocked)
            return
        self._move(LaneState.REBUILDING, f"{kind(error)}: {error}")
        until = time.monotonic() + pause
        while not self._draining and (left := until - time.monotonic()) > 0:
            await self.sleep(left)

    def _learn_from(self, error: Exception) -> float:
        """What to do differently next time; returns how long to wait before it."""
        timing = self._around.timing
        if isinstance(error, PoisonError):
            self._processor.refusals[error.offset] = error.fault
            return 0.0
        if isinstance(error, RefusedError) and self._transaction:
            return self._narrow_down(error, self._transaction)
        if isinstance(error, FENCED):
            return timing.fenced_pause
        self._attempts += 1
        return pause_before_retry(self._attempts - 1, timing.first_pause, timing.longest_pause)

    def _narrow_down(self, error: RefusedError, transaction: Transaction) -> float:
        """Smaller transactions until the refused record stands alone; then it becomes a dead letter."""
        records, offset = transaction.work.tally.consumed, transaction.first_offset
        if records > 1:
            self._max_records = max(1, records // NARROWER)
        elif error.topic == self.route.destination.name:
            self._processor.refusals[offset] = refusal(error)
        elif isinstance(error.cause, TIMESTAMP_ERRORS) and offset not in self._processor.restamped:
            self._processor.restamped.add(offset)
        else:
            self._blocked = f"{error.topic} refuses the dead letter of offset {offset}: {kind(error)}"
        return 0.0

    async def _wait_while_blocked(self, reason: str) -> None:
        self._blocked = reason
        self._transaction = None
        self._move(LaneState.BLOCKED, reason)
        while self._blocked and not self._draining:
            await self.sleep(None)

    # Small parts.

    def _new_delivery(self) -> Delivery:
        around = self._around
        size = batch_bytes((self.route.destination, self.route.dead_letter))
        if self.route.delivery == "exactly-once":
            return ExactlyOnce(around.clients, around.group, self.partition, size, around.timing)
        return AtLeastOnce(around.clients, around.consumer, self.partition, size, around.timing)

    def _new_transaction(self) -> Transaction:
        assert self._delivery is not None  # noqa: S101  (_start made it)
        self._transaction = Transaction(
            self,
            self._delivery,
            self._processor,
            self._intake,
            self.breaker,
            self._around.timing,
            self.partition.partition,
        )
        return self._transaction

    async def _stop_producer(self) -> None:
        if self._delivery:
            await self._delivery.stop()
            self._delivery = None

    async def _discard(self) -> None:
        """Close the intake first: what is fetched from now on would have to be fetched again."""
        self._intake.close()
        if self._delivery:
            delivery, self._delivery = self._delivery, None
            await delivery.discard()

    def _move(self, to: LaneState, reason: str = "") -> None:
        """While draining there is no other way."""
        if not self._draining:
            self._machine.move(to, reason)

    def _log_transition(self, before: LaneState, after: LaneState, reason: str) -> None:
        troubled = after in {LaneState.REBUILDING, LaneState.BREAKER_OPEN, LaneState.BLOCKED}
        level = log.warning if troubled else log.info
        level("lane", before=before, state=after, **self._names(), **({"reason": reason} if reason else {}))

    def _names(self) -> dict[str, str | int]:
        return {"topic": self.partition.topic, "partition": self.partition.partition}
