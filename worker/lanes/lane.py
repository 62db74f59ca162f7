"""One lane: processes one assigned partition, from the start of its producer to its drain.

The producer starts and finds the offset to begin at (``LaneProducer``), the lane seeks, and only then accepts records.
After any error whose effect is unclear it discards the producer and starts again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import structlog
from aiokafka import TopicPartition

from worker.errors import NEEDS_A_PERSON, WorkerError
from worker.kafka.aiokafka_internals.quota_patches import throttling_of
from worker.kafka.fetched import NO_TIMESTAMP, Fetched
from worker.kafka.login import LoginRefusedError
from worker.kafka.refusals import ending
from worker.kafka.stable_offsets import TooOldBrokerError
from worker.kafka.throttling import FETCH
from worker.lanes.bounded_pass import StartingPoint
from worker.lanes.breaker import Breaker
from worker.lanes.faults import (
    FENCED,
    BlockedError,
    GapError,
    HeldOffsetError,
    NotAssignedError,
    OtherLogError,
    UndecidedError,
    is_too_large,
    kind,
    reason,
)
from worker.lanes.fetch_buffer import FetchBuffer, SliceSize
from worker.lanes.lag import HeldBack, Lag
from worker.lanes.lane_context import LaneContext
from worker.lanes.lane_position import KnownOffset, LanePosition
from worker.lanes.lane_producer import LaneProducer
from worker.lanes.rate_limits import THROTTLED, Throttle
from worker.lanes.recovery import Recovery, stage_of
from worker.lanes.state import LaneState, LaneStatus, MeasuredLane, StateMachine, TransitionLog
from worker.lanes.transaction import Transaction
from worker.lanes.truncation import TruncationCheck
from worker.routes.route import Route

log = structlog.get_logger(__name__)

LATELY = 2.0
"""For how many seconds after a wait that a quota asked for the lane's status still names the quota."""


class Lane:
    """``run`` does all work, in a task of its own; the other public methods may be called at any time meanwhile."""

    _fetch_error: Exception | None = None
    _has_looked = False

    def __init__(
        self,
        partition: TopicPartition,
        route: Route,
        lane_context: LaneContext,
        throttle: Throttle,
        breaker: Breaker,
        known: KnownOffset | None = None,
        *,
        paused: bool = False,
    ) -> None:
        self.partition = partition
        self.route = route
        self.breaker = breaker
        self.lag = Lag()
        self.held_back = HeldBack(partition)
        self.last_step = time.monotonic()
        """When the lane last made progress (monotonic); a lane that has work and makes none for long is stuck."""
        self._context = lane_context
        self._throttle = throttle
        self._busy_since = self.last_step
        self._paused = paused
        self._draining = False
        self._machine = StateMachine(TransitionLog(topic=partition.topic, partition=partition.partition))
        self._wake = asyncio.Event()
        self._fetch_buffer = FetchBuffer(route.limits.in_flight_bytes, route.limits.in_flight_records)
        self._processor = lane_context.new_processor(route, partition)
        self._producer = LaneProducer(partition, lane_context)
        self._position = LanePosition(known)
        self._slice_size = SliceSize()
        self._transaction: Transaction | None = None
        self._unanswered: Transaction | None = None
        """One that failed while committing, until the group's offset tells whether it is committed."""
        self._blocked = ""
        self._recovery = Recovery(route, self._processor, lane_context.timeouts, lane_context.quota)

    # What others may know.

    @property
    def known(self) -> KnownOffset:
        """What the next lane of this partition has to know."""
        return self._position.known

    @property
    def state(self) -> LaneState:
        return self._machine.state

    @property
    def wants_more(self) -> bool:
        return self.state is LaneState.RUNNING and self._fetch_buffer.has_room

    @property
    def is_full(self) -> bool:
        return self.state is LaneState.RUNNING and not self._fetch_buffer.has_room

    @property
    def in_flight_bytes(self) -> int:
        return self._fetch_buffer.bytes

    @property
    def in_flight_records(self) -> int:
        return self._fetch_buffer.records + (self._transaction.work.counters.consumed if self._transaction else 0)

    def lag_seconds(self, now: float) -> float | None:
        return self.lag.seconds(now, self._in_hand())

    def place_to_look(self) -> int | None:
        """The offset of the next record, where its age is not known; else None."""
        return None if any(each >= 0 for each in self._in_hand()) else self.lag.place_to_look()

    def is_stuck(self, now: float) -> bool:
        """Whether the lane has work and has made no progress for very long. ``now`` is monotonic."""
        since = max(self.last_step, self._busy_since, self._producer.throttled_until)
        return self._is_busy and now - since > self._context.timeouts.stuck_after

    @property
    def _is_busy(self) -> bool:
        return self.state is LaneState.RUNNING and (bool(self._fetch_buffer) or self._transaction is not None)

    @property
    def _slowed_by(self) -> str:
        """The quota that slows a running lane; empty where none does. A wait counts for ``LATELY`` seconds after its
        end."""
        lately, fetching = time.monotonic() - LATELY, throttling_of(self._context.consumer).until(FETCH)
        if self.state is not LaneState.RUNNING or max(self._producer.throttled_until, fetching) < lately:
            return ""
        return f"{THROTTLED} ({'produce' if self._producer.throttled_until >= lately else 'fetch'})"

    @property
    def _why_slow(self) -> str:
        return self._context.clients.login.refused or self.held_back.reason or self._slowed_by

    def measured(self) -> MeasuredLane:
        return MeasuredLane(self.status(), self.held_back.records, self.held_back.seconds(self._context.clock()))

    def status(self) -> LaneStatus:
        return LaneStatus(
            topic=self.partition.topic,
            partition=self.partition.partition,
            state=self.state,
            reason=self._machine.reason or self._why_slow,
            position=self._position.offset,
            committed=self.lag.committed,
            end=self.lag.end,
            lag=self.lag.records,
            lag_seconds=self.lag_seconds(self._context.clock()),
            in_flight_records=self.in_flight_records,
            in_flight_bytes=self.in_flight_bytes,
            breaker=self.breaker.tripped,
            since=datetime.fromtimestamp(self._machine.since, UTC),
        )

    # What others may ask for.

    def put(self, fetched: Fetched) -> None:
        """Take what was fetched; ``wake`` then starts the work. Never raises: the fetcher has moved on already."""
        if not self._is_busy:
            self._busy_since = time.monotonic()
        try:
            self._fetch_buffer.put(fetched)
        except GapError as gap:
            self.refuse(gap)

    def refuse(self, error: Exception) -> None:
        """Start again, because of an error of the fetch."""
        self._fetch_error = error
        self.wake()

    def note_end(self, stable: int | None, end: int | None = None) -> None:
        """Note the last stable offset and the log's end as of now; None where unknown. Lag counts up to the bound,
        where there is one."""
        bound, now = self._fetch_buffer.bound, self._context.clock()
        self.lag.note_end(stable if stable is None or bound is None else min(stable, bound), now)
        if bound is None and stable is not None and end is not None:
            self.held_back.note(stable, end, now)

    def pause(self) -> None:
        self._paused = True
        self._wake.set()

    def resume(self) -> None:
        """Go on: close an open breaker, and try a blocked record again."""
        self._paused = False
        self._blocked = ""
        if self.breaker.tripped:
            self.breaker = self.breaker.closed()
        self._wake.set()

    def wake(self) -> None:
        """Check again what there is to do."""
        self._wake.set()

    def drain(self) -> None:
        """Finish the open transaction and end. ``run`` returns when that is done."""
        if self._draining or self.state is LaneState.STOPPED:
            return
        self._draining = True
        self._machine.move(LaneState.DRAINING)
        self._wake.set()

    # What a transaction asks.

    @property
    def may_go_on(self) -> bool:
        return not (self._draining or self._paused or self._fetch_error)

    @property
    def expects_more(self) -> bool:
        return self.lag.end is not None and self._fetch_buffer.next_offset < self.lag.end

    async def sleep(self, seconds: float | None) -> None:
        """Wait until something changes, for ``seconds`` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    async def look_at_log(self, epochs: Mapping[int, int]) -> None:
        """Check that records read before are still in the log. Raises ``OtherLogError``, and in a bounded pass
        WorkerError."""
        looking = TruncationCheck(self._producer.delivery.producer.client, self._context.timeouts.second_look)
        if not await looking.is_another_log(self.partition, {**self._position.epochs, **epochs}):
            return
        if self._context.bounds:
            raise WorkerError(
                f"{self.partition.topic}:{self.partition.partition}: {OtherLogError()}: make a new plan", code="UPC1402"
            )
        raise OtherLogError

    # The life of the lane.

    async def run(self) -> None:
        """Process the partition until drained. Raises ``WorkerError`` for a fault that ends the process."""
        try:
            while not self._draining:
                await self._live()
        finally:
            self.drain()
            await self._discard()
            if not await self._producer.end_what_is_open(self.route):
                await self._producer.leave(self.route, self._position.own)
            self._machine.move(LaneState.STOPPED)

    async def _live(self) -> None:
        """Work with one producer, until the lane is drained or an error occurs."""
        try:
            await self._start()
            while await self._something_to_do():
                await self._transact()
            await self._producer.stop()
        except WorkerError:
            raise
        except TooOldBrokerError as error:
            raise WorkerError(f"kafka: {error.args[0]}", NEEDS_A_PERSON, code="UPC1204") from error
        except BlockedError as error:
            await self._discard()
            await self._wait_while_blocked(error)
        except Exception as error:  # noqa: BLE001  (whatever it was: nothing is lost by starting again)
            why = self._why(error)
            await self._discard()
            await self._recover(error, why)

    async def _start(self) -> None:
        self._move(LaneState.STARTING)
        async with self._context.start_limit.one():
            if not self._draining:
                await self._start_now()

    async def _start_now(self) -> None:
        self._fetch_error = None
        if self.partition not in self._context.consumer.assignment():
            raise NotAssignedError("the group does not assign the partition to this worker at the moment")
        beginning = await self._producer.start(self.route, self._position.known, self._position.own)
        await self._look_at_others()
        self._take_up(beginning)
        self.last_step = time.monotonic()

    async def _look_at_others(self) -> None:
        """Check for other passes over the same offsets. Both announce themselves before they check, so at least one of
        them sees the other."""
        if self._context.look_at_others and not self._has_looked:
            await self._context.look_at_others()
        self._has_looked = True

    def _take_up(self, beginning: StartingPoint) -> None:
        unanswered, self._unanswered = self._unanswered, None
        if self._position.take_up(beginning):
            # What the brokers remember of the breaker counts.
            self.breaker = self.breaker.closed()
            self.breaker.remember(beginning.note.breaker)
        elif unanswered and unanswered.is_committed_by(beginning):
            self._count(unanswered)
        self._fetch_buffer.bound = beginning.bound
        self.note_end(beginning.end)
        self._note_committed(beginning.offset)
        self._move(LaneState.RUNNING)
        self._begin_reading(beginning.offset)

    def _begin_reading(self, offset: int) -> None:
        """Seek and accept records. Nothing may be awaited between the two: the first fetch has to begin here."""
        self._context.consumer.seek(self.partition, offset)
        self._fetch_buffer.open_at(offset)

    async def _something_to_do(self) -> bool:
        """Wait for records that may be processed now. Returns False when the lane drains or has reached its bound."""
        while not self._draining:
            if self._fetch_error:
                raise self._fetch_error
            if self._at_bound:
                self.drain()
                return False
            self._update_state()
            if self._position.note.breaker and not self.breaker.tripped:
                await self._take_back_note()
            # Between two transactions nothing runs out meanwhile.
            delay = max(self._throttle.delay(time.monotonic()), self._producer.throttled_until - time.monotonic())
            if self.state is LaneState.RUNNING and self._fetch_buffer and delay <= 0:
                return True
            await self.sleep(delay if delay > 0 else None)
        return False

    async def _take_back_note(self) -> None:
        """Commit that the breaker is closed, so that it is closed after a restart, too."""
        note = self._position.note_without_breaker()
        await self._producer.commit_note(self._position.begun, note)
        self._position.note = note

    def _update_state(self) -> None:
        """Pause or resume. A lane that waits for an operator drops its records: they are fetched again when it goes
        on."""
        if self.breaker.tripped:
            self._hold(LaneState.BREAKER_OPEN, self.breaker.tripped)
        elif self._paused:
            self._hold(LaneState.PAUSED, "paused by an operator")
        elif self.state is not LaneState.RUNNING:
            self._begin_reading(self._position.begun)
            self._move(LaneState.RUNNING)

    def _hold(self, state: LaneState, reason: str) -> None:
        if self.state is LaneState.RUNNING:
            self._drop_fetched()
        self._move(state, reason)

    async def _transact(self) -> None:
        idle = time.monotonic() - self.last_step > self._context.timeouts.believed
        if (self._position.is_committed and idle) or self._context.applies_late(self.route):
            await self._look_at_offset()
        transaction = self._new_transaction()
        try:
            most = self._recovery.max_records
            records = min(most, self._throttle.allowance() or most)
            await transaction.run(records, self.route.limits.transaction_seconds)
        finally:
            self.last_step = time.monotonic()
        self._account(transaction)
        self._transaction = None

    async def _look_at_offset(self) -> None:
        """Compare the group's offset with the lane's. A topic that is deleted and created again at once looks unchanged
        to a consumer, and its records below the consumer's position would be skipped; but the group's offset is deleted
        with the topic. Where brokers apply offsets late, the last transaction's has to be applied before the next one
        sends its own."""
        async with asyncio.timeout(self._context.timeouts.operation):
            now = await self._context.committed(self.partition)
        self._position.compare(now)

    def _note_committed(self, offset: int) -> None:
        self.lag.note_committed(offset)
        if self._position.is_committed:
            self._context.seen_commits.note(self.partition, self._position.known)

    def _account(self, transaction: Transaction) -> None:
        """Go on behind a committed transaction."""
        if transaction.position is None:
            return
        work, context = transaction.work, self._context
        self._position.committed(transaction.position, transaction.note, work.journal, to_group=context.bounds is None)
        self._note_committed(transaction.position)
        self._recovery.succeeded(transaction, transaction.position)
        self._throttle.spend(work.counters.consumed, time.monotonic(), work.counters.bytes)
        if context.bounds:
            context.bounds.committed(self.partition, transaction.position, work.journal)
        self._count(transaction)

    def _count(self, transaction: Transaction) -> None:
        """Have metrics, log and breaker know the records of a committed transaction."""
        work, context, now = transaction.work, self._context, self._context.clock()
        self.breaker = work.breaker
        topic, partition = self.partition
        context.metrics.add(topic, partition, self.route.destination.name, work.counters, now, transaction.trace_ids)
        context.metrics.observe(topic, transaction.seconds)
        context.log_violations(topic, (each for each, _ in work.counters.violations.values()))

    # After something went wrong.

    def _why(self, error: Exception) -> str:
        """Why the lane starts again, in words. Asked before the producer is discarded, which knows the brokers' last
        refusal."""
        if refused := self._context.clients.login.refused:
            return refused
        answer = self._producer.last_refusal if isinstance(error, TimeoutError) else None
        patience = self._transaction.patience if self._transaction else self._context.timeouts.start
        return reason(answer or error, stage_of(self._transaction), patience)

    async def _recover(self, error: Exception, why: str) -> None:
        """Decide what to do after the error, then wait until another attempt is worthwhile. A worker waits for a
        missing right to be granted, a bounded pass does not."""
        if fault := ending(error, at_work=self._context.bounds is None):
            raise fault from error
        if isinstance(error, FENCED):
            self._producer.fenced()
        if refused := self._context.clients.login.refused:
            # Whatever failed, aiokafka says no more than that a node is not ready.
            error = LoginRefusedError(refused)
        failed, self._transaction = self._transaction, None
        if failed and failed.stage == "commit" and not isinstance(error, FENCED):
            self._unanswered = failed
        try:
            learned = is_too_large(error) and await self._learn_sizes()
            pause = 0.0 if learned else self._recovery.pause_after(error, failed)
        except BlockedError as blocked:
            await self._wait_while_blocked(blocked)
            return
        metrics, stage = self._context.metrics, stage_of(failed)
        metrics.retry(stage, kind(error))
        if pause:
            metrics.error(stage, kind(error))
        self._move(LaneState.REBUILDING, why)
        until = time.monotonic() + pause
        while not self._draining and (left := until - time.monotonic()) > 0:
            await self.sleep(left)

    async def _wait_while_blocked(self, error: BlockedError) -> None:
        """Wait for a person, who resumes the route or commits a decision; or for the end of a transaction that holds
        the group's offset."""
        self._blocked = str(error)
        self._transaction = None
        self._move(LaneState.BLOCKED, self._blocked)
        await self._producer.end_what_is_open(self.route)
        timeouts = self._context.timeouts
        look = {HeldOffsetError: timeouts.look_again, UndecidedError: timeouts.look_for_decision}.get(type(error))
        while self._blocked and not self._draining:
            await self.sleep(look)
            if look and await self._context.offset_is_known(self.partition):
                self._blocked = ""
        if not self._draining:
            await self._learn_sizes()

    async def _learn_sizes(self) -> bool:
        """Ask for the topics' ``max.message.bytes``; returns whether they changed, so that the same transaction may
        succeed."""
        before = self.route
        self.route = self._processor.route = await self._context.with_sizes_of_now(before)
        if self.route == before:
            return False
        sizes = {each.name: each.max_message_bytes for each in (self.route.destination, self.route.dead_letter)}
        names = {"topic": self.partition.topic, "partition": self.partition.partition}
        log.warning("max.message.bytes of a topic has changed", **names, sizes=sizes)
        return True

    # Small parts.

    def _new_transaction(self) -> Transaction:
        self._transaction = Transaction(
            self,
            self._producer.delivery,
            self._processor,
            self._fetch_buffer,
            self.breaker,
            self._slice_size,
            self._context.timeouts,
            self.partition.partition,
            self._position.note,
            self._position.journal,
            weigh=self._throttle.bytes_per_second is not None,
            trace=self._context.new_trace(self.route, self.partition),
        )
        return self._transaction

    @property
    def _at_bound(self) -> bool:
        bound, offset = self._fetch_buffer.bound, self._position.offset
        return bound is not None and offset is not None and offset >= bound

    async def _discard(self) -> None:
        """Drop what was fetched, and discard the producer."""
        self._drop_fetched()
        await self._producer.discard()

    def _drop_fetched(self) -> None:
        """Drop what was fetched, which will be fetched again, but remember its age."""
        if (oldest := next((each for each in self._in_hand() if each >= 0), None)) is not None:
            self.lag.note_oldest(oldest)
        self._fetch_buffer.close()

    def _in_hand(self) -> Iterator[int]:
        """Timestamps (ms) of the oldest records that are not committed: of the transaction, then of the buffer; -1
        where unknown."""
        yield self._transaction.oldest if self._transaction else NO_TIMESTAMP
        yield self._fetch_buffer.oldest()

    def _move(self, to: LaneState, reason: str = "") -> None:
        """Change the state; a draining lane keeps its state."""
        if not self._draining:
            self._machine.move(to, reason)
