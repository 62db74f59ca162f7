"""The records that a lane has fetched and not yet processed: bounded, in order and without a gap. Also the size of the
slices that it takes."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator

from aiokafka.errors import KafkaError

from worker.kafka.fetched import NO_TIMESTAMP, Fetched, Slice, UnpackError, timestamp_of
from worker.lanes.faults import GapError

FIRST = 16
LONGEST = 0.25
"""Seconds that a slice may keep the event loop from heartbeats, probes and other lanes. A step that takes a second for
each record would otherwise block it for minutes, and the group would give the partition to the next worker, which would
do no better."""


class SliceSize:
    """The number of records in a lane's slices. It begins small: how slow a chain is shows only when it runs."""

    def __init__(self) -> None:
        self.records = FIRST

    def note(self, records: int, seconds: float) -> None:
        """Note that a slice of ``records`` took ``seconds``."""
        if seconds > LONGEST:
            self.records = max(1, int(records * LONGEST / seconds))
        elif records >= self.records:
            self.records = min(SLICE, self.records * 2)


SLICE = 256
"""The most records of a slice."""


class FetchBuffer:
    """Closed until ``open_at`` says where to begin; a fetch that does not begin where the last one ended is an error.

    With a ``bound`` it ends at that offset: records at or past it are dropped, and no more are fetched.
    """

    def __init__(self, max_bytes: int, max_records: int) -> None:
        self._max_bytes = max_bytes
        self._max_records = max_records
        self._waiting: deque[Fetched] = deque()
        self._slices: Iterator[Slice] = iter(())
        self._rest: Slice | None = None
        self._begun = False
        self._following = NO_TIMESTAMP
        self._open = False
        self.bound: int | None = None
        self.next_offset = 0
        """The offset at which the next fetch has to begin."""
        self.bytes = 0
        self.records = 0

    def __bool__(self) -> bool:
        return self._rest is not None or bool(self._waiting)

    @property
    def has_room(self) -> bool:
        in_bounds = self.bytes < self._max_bytes and self.records < self._max_records
        return self._open and in_bounds and not self._reaches_bound(self.next_offset)

    def oldest(self) -> int:
        """Timestamp (ms) of the first waiting record, -1 where unknown. Where only decoding tells, the next slice is
        decoded and kept for ``take``."""
        if self._rest is None:
            if self._following >= 0:
                return self._following
            if self._waiting and not self._begun and self._waiting[0].oldest >= 0:
                return self._waiting[0].oldest
            with contextlib.suppress(KafkaError, UnpackError):
                self._rest = self._next_slice()
        return timestamp_of(self._rest.records[0].timestamp) if self._rest and self._rest.records else NO_TIMESTAMP

    def close(self) -> None:
        """Drop everything and accept nothing more; it will all be fetched again."""
        self._waiting.clear()
        self._slices, self._rest = iter(()), None
        self._begun, self._following = False, NO_TIMESTAMP
        self._open = False
        self.bytes = self.records = 0

    def open_at(self, offset: int) -> None:
        self.close()
        self._open = True
        self.next_offset = offset

    def put(self, fetched: Fetched) -> None:
        """Add a fetch. Raises ``GapError`` where it does not begin at ``next_offset``. Before ``open_at`` fetches are
        dropped: they are of an earlier position."""
        if not self._open:
            return
        if fetched.offset != self.next_offset:
            raise GapError(f"fetched from offset {fetched.offset}, expected {self.next_offset}")
        self._waiting.append(fetched)
        self.next_offset = fetched.next_offset
        self.bytes += fetched.size
        self.records += fetched.count

    def take(self, limit: int) -> Slice | None:
        """The next records, ``limit`` at most; None where none wait. It decodes, so it may raise KafkaError and
        UnpackError."""
        piece = self._rest or self._next_slice()
        if piece is None:
            return None
        self._rest, self._begun, self._following = None, True, piece.following
        if len(piece.records) > limit:
            self._rest = piece._replace(records=piece.records[limit:])
            first_of_rest = self._rest.records[0].offset or 0
            piece = piece._replace(records=piece.records[:limit], next_offset=first_of_rest)
        elif self._reaches_bound(piece.next_offset):
            self.close()
        elif piece.next_offset == self._end_of_first():
            self._done_with_first()
        return piece

    def _next_slice(self) -> Slice | None:
        piece = next(self._slices, None)
        if piece is None and self._waiting:
            self._slices = self._waiting[0].slices(SLICE)
            piece = next(self._slices, None)
        return piece and self._within_bound(piece)

    def _within_bound(self, piece: Slice) -> Slice:
        bound = self.bound
        if bound is None or piece.next_offset <= bound:
            return piece
        return piece._replace(records=[each for each in piece.records if (each.offset or 0) < bound], next_offset=bound)

    def _reaches_bound(self, offset: int) -> bool:
        return self.bound is not None and offset >= self.bound

    def _end_of_first(self) -> int:
        return self._waiting[0].next_offset

    def _done_with_first(self) -> None:
        done = self._waiting.popleft()
        self._slices = iter(())
        self._begun = False
        self.bytes -= done.size
        self.records -= done.count
