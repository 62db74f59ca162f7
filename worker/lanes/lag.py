"""How far a lane is behind: in records always, in seconds as exactly as can be known."""

from __future__ import annotations

from collections.abc import Iterable

from worker.kafka.fetched import NO_TIMESTAMP

BELIEVED = 30.0
"""Seconds for which the end of a partition is believed. After that nobody knows whether the lane has caught up."""


class Lag:
    """``end`` is the last stable offset: what can be read. Times are in seconds of the clock that is handed in."""

    def __init__(self) -> None:
        self.committed: int | None = None
        self.end: int | None = None
        self._end_noted = 0.0
        self._beginning = 0
        self._oldest = NO_TIMESTAMP
        self._looked_at: tuple[int | None, int | None] | None = None

    @property
    def next_offset(self) -> int | None:
        """Where the oldest record is that is not committed and that retention has left."""
        return None if self.committed is None else max(self.committed, self._beginning)

    @property
    def records(self) -> int | None:
        if self.end is None or self.next_offset is None:
            return None
        return max(0, self.end - self.next_offset)

    def note_committed(self, offset: int) -> None:
        if offset != self.committed:
            self._oldest = NO_TIMESTAMP
        self.committed = offset

    def note_end(self, end: int | None, now: float) -> None:
        self.end, self._end_noted = end, now

    def note_beginning(self, offset: int) -> None:
        """Retention has come to this offset."""
        if self.next_offset is not None and offset > self.next_offset:
            self._oldest = NO_TIMESTAMP
        self._beginning = offset

    def note_oldest(self, timestamp: int) -> None:
        """Timestamp (ms) of the record at ``next_offset``, or of the first that can be read behind it; -1 where
        somebody has looked and found none."""
        self._oldest = timestamp
        self._looked_at = self.next_offset, self.end

    def place_to_look(self) -> int | None:
        """The offset of a record whose age nobody knows; None where there is none, or somebody has looked already."""
        looked = self._looked_at == (self.next_offset, self.end)
        return self.next_offset if self.records and self._oldest < 0 and not looked else None

    def seconds(self, now: float, in_hand: Iterable[int]) -> float | None:
        """Age of the oldest record that is not committed: the first known of ``in_hand`` (timestamps in ms of what was
        fetched), else what ``note_oldest`` told. 0 when caught up. None where it is not known."""
        if self.records == 0:
            return 0.0 if now - self._end_noted <= BELIEVED else None
        if self.records is None:
            return None
        for timestamp in (*in_hand, self._oldest):
            if timestamp >= 0:
                return max(0.0, now - timestamp / 1000)
        return None
