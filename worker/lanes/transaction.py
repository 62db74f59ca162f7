"""One transaction of a lane: writes output, dead letters and the offset together, or nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Protocol

from msgspec.structs import replace

from upcasters.outcome import Stage
from worker.kafka.fetched import NO_TIMESTAMP, Slice, UnpackError
from worker.kafka.throttling import PRODUCE
from worker.lanes.bounded_pass import Journal, StartingPoint
from worker.lanes.breaker import Breaker
from worker.lanes.committed_offset import OffsetNote
from worker.lanes.counters import TransactionTrace
from worker.lanes.delivery import Delivery
from worker.lanes.faults import BlockedError, kind
from worker.lanes.fetch_buffer import FetchBuffer, SliceSize
from worker.lanes.outbox import Outbox
from worker.lanes.processing import Processor, Work
from worker.lanes.timeouts import Timeouts

LONG_WAIT = 1.0
"""Seconds. A quota on requests never asks to wait longer, and favours large transactions; when the brokers ask for
more, the transaction takes no further records."""


class Host(Protocol):
    """The part of the lane that a transaction uses."""

    @property
    def may_go_on(self) -> bool:
        """False when the transaction must take no further records."""

    @property
    def expects_more(self) -> bool:
        """Whether the partition has readable records that are not fetched yet."""

    async def sleep(self, seconds: float) -> None:
        """Wait until something changes, for ``seconds`` at most."""

    async def look_at_log(self, epochs: Mapping[int, int]) -> None:
        """Check the log after batches of these leader epochs were read, in this order, up to these offsets. Raises
        where records that were read before do not exist any more."""


class Transaction:
    """Runs once. Nothing counts before ``run`` has returned; when it raises, the transaction was aborted."""

    def __init__(
        self,
        host: Host,
        delivery: Delivery,
        processor: Processor,
        fetch_buffer: FetchBuffer,
        breaker: Breaker,
        slice_size: SliceSize,
        timeouts: Timeouts,
        source_partition: int,
        note: OffsetNote,
        journal: Journal | None = None,
        *,
        weigh: bool = False,
        trace: TransactionTrace | None = None,
    ) -> None:
        self._host = host
        self._delivery = delivery
        self._processor = processor
        self._fetch_buffer = fetch_buffer
        self._slice_size = slice_size
        self._timeouts = timeouts
        self.note = note
        """The note beside the offset: the last one, and the committed one after ``run``."""
        self._rested = self._began = time.monotonic()
        self.work = Work(
            Outbox(delivery.producer, source_partition), breaker.copy(), journal=journal and journal.copy(), weigh=weigh
        )
        self.position: int | None = None
        """The next offset; None while no records were taken."""
        self.trace_ids: Mapping[str, str] = {}
        """The ids of its trace span, where it has one."""
        self._trace = trace
        self._hits_a_wall = False
        self._epochs: dict[int, int] = {}
        self.first_offset = 0
        self.oldest = NO_TIMESTAMP
        self.stage: Stage = "produce"
        self.seconds = {"process": 0.0, "produce": 0.0, "commit": 0.0}

    async def run(self, max_records: int, max_seconds: float) -> None:
        try:
            await self._delivery.begin()
            await self._fill(max_records, time.monotonic() + max_seconds)
            await self._send_all()
            await self._look_at_log()
            await self._commit()
        except BaseException as error:
            self.work.outbox.forget()
            await self._delivery.abort()
            self._end_trace(kind(error))
            raise
        self._end_trace()

    def is_committed_by(self, beginning: StartingPoint) -> bool:
        """Whether this transaction, whose commit was not answered, is what the group was found at: at its offset, with
        the records that it wrote last."""
        theirs = beginning.note
        pairs = ((self.note.destination, theirs.destination), (self.note.dead_letter, theirs.dead_letter))
        others = any(own and own.is_own and found and found != own for own, found in pairs)
        return self.position == beginning.offset and not others

    def _end_trace(self, error: str = "") -> None:
        if self._trace and self.position is not None:
            self.trace_ids = self._trace.end(self.work.counters, self.seconds, error)

    async def _fill(self, max_records: int, ends: float) -> None:
        counters = self.work.counters
        while counters.consumed < max_records and not self.work.breaker.tripped and self._may_go_on:
            left = ends - time.monotonic()
            if left <= 0:
                return
            piece = self._take(min(max_records - counters.consumed, self._slice_size.records))
            if piece is not None:
                await self._work_on(piece)
            elif self._host.expects_more and not self._hits_a_wall:
                await self._host.sleep(left)
            else:
                return

    @property
    def _may_go_on(self) -> bool:
        wait = self._delivery.throttling.until(PRODUCE) - time.monotonic()
        return self._host.may_go_on and wait < LONG_WAIT

    @property
    def slowed(self) -> float:
        """Seconds from the begin until the brokers accept output again; 0 where they did not ask to wait."""
        until = self._delivery.throttling.until(PRODUCE)
        return max(until, time.monotonic()) - self._began if until > self._began else 0.0

    def _take(self, limit: int) -> Slice | None:
        """The next slice. Raises ``BlockedError`` at a batch that is too large when decompressed; the records before it
        are committed first."""
        try:
            return self._fetch_buffer.take(limit)
        except UnpackError as error:
            if self.position is None:
                raise BlockedError(str(error)) from error
            self._hits_a_wall = True
            return None

    async def _work_on(self, piece: Slice) -> None:
        if not self.work.counters.consumed and piece.records:
            first = piece.records[0]
            self.first_offset = first.offset or 0
            self.oldest = NO_TIMESTAMP if first.timestamp is None else first.timestamp
        if self._trace:
            self._trace.see(piece.records)
        await self._learn_schemas(piece)
        began = time.monotonic()
        with self._timed("process"):
            self._processor.process(piece, self.work)
        self._slice_size.note(len(piece.records), time.monotonic() - began)
        self.position = piece.next_offset
        self._epochs.update(piece.epochs)
        if self.work.outbox.has_full_batches:
            with self._timed("produce"):
                async with self._patience():
                    await self.work.outbox.send_full()
        if time.monotonic() - self._rested > self._timeouts.slice:
            await asyncio.sleep(0)
            self._rested = time.monotonic()

    async def _learn_schemas(self, piece: Slice) -> None:
        """Before the loop over the records, which waits for nothing. Where the registry does not answer, the lane waits
        and begins again."""
        schemas = self._processor.route.schemas
        if schemas is None:
            return
        before, self.stage = self.stage, "decode"
        await schemas.learn(piece.records)
        self.stage = before

    async def _send_all(self) -> None:
        with self._timed("produce"):
            async with self._patience():
                await self.work.outbox.send_all()

    def _patience(self) -> AbstractAsyncContextManager[None]:
        ends = self._began + self._delivery.may_take
        return self._delivery.throttling.patience(PRODUCE, self.patience, ends)

    @property
    def patience(self) -> float:
        """Seconds to wait for the brokers. Output is given up before the brokers time the transaction out: only then
        the next one is smaller, and on a slow line one of them fits."""
        operation = self._timeouts.operation
        return operation if self.stage == "commit" else min(operation, self._delivery.may_take)

    async def _look_at_log(self) -> None:
        """Check the log where the partition has a new leader."""
        if self._epochs and list(self._epochs) != [self.note.epoch]:
            await self._host.look_at_log(self._epochs)

    async def _commit(self) -> None:
        self.stage = "commit"
        with self._timed("commit"):
            if self.position is None:
                await self._delivery.abort()
            else:
                self.note = self._new_note()
                await self._delivery.commit(self.position, self.note.text)

    def _new_note(self) -> OffsetNote:
        work, route, written = self.work, self._processor.route, self.work.outbox.last_written
        return replace(
            self.note,
            breaker=work.breaker.note,
            journal=work.journal.close(work.counters) if work.journal else "",
            chain=route.chain,
            destination=written.get(route.destination.name, self.note.destination),
            dead_letter=written.get(route.dead_letter.name, self.note.dead_letter),
            epoch=next(reversed(self._epochs), self.note.epoch),
        )

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[what] += time.perf_counter() - start
