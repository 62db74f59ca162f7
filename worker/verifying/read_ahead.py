"""Reads the source ahead, as far as a batch of the destination reaches, with what must have become of its records."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import islice
from operator import itemgetter

from upcasters.event import SourceRecord
from worker.kafka.fetched import timestamp_of
from worker.replay.digest import Content, RunningDigest, contents
from worker.replay.reading import Piece
from worker.verifying.oracle import Expected, Oracle, Output
from worker.verifying.redrives import LetterOracle

Open = Callable[[Sequence[SourceRecord]], Sequence[SourceRecord]]
Judged = tuple[SourceRecord, Expected]


class StretchedDigest:
    """A digest that begins new stretches at the same offsets as the receipt's."""

    def __init__(self, stretches: Sequence[int]) -> None:
        self.digest = RunningDigest()
        self._stretches = deque(stretches)

    def add(self, records: Sequence[Content]) -> None:
        while self._stretches and records and records[-1][0] >= self._stretches[0]:
            cut = bisect_left(records, self._stretches.popleft(), key=itemgetter(0))
            self.digest.add(records[:cut])
            self.digest.begin_stretch()
            records = records[cut:]
        self.digest.add(records)


class Ahead:
    """Source records that were read and are not matched yet. ``source`` is the digest of all that was read. For a
    redrive ``opened`` first restores the records of the letters.
    """

    def __init__(
        self,
        pieces: AsyncIterator[Piece],
        oracle: Oracle | LetterOracle,
        stretches: Sequence[int],
        opened: Open | None = None,
    ) -> None:
        self._pieces = pieces
        self._opened = opened
        self._expect = oracle.expect
        self._judged: deque[Judged] = deque()
        self._outputs = 0
        self.source = StretchedDigest(stretches)
        self.times: tuple[int, int] | None = None
        """The least and the greatest timestamp of what was read."""

    async def more(self) -> bool:
        """Whether there is a record to take; reads more where there is none."""
        while not self._judged and await self._read():
            pass
        return bool(self._judged)

    async def reach(self, outputs: int) -> list[Judged]:
        """The next records whose outputs add up to ``outputs``, without taking them. Empty where no number of records
        does."""
        while self._outputs < outputs and await self._read():
            pass
        if self._outputs < outputs:
            return []
        records = 0
        for _, expected in self._judged:
            if outputs <= 0:
                break
            outputs -= len(expected.outputs)
            records += 1
        return list(islice(self._judged, records)) if not outputs else []

    def take(self) -> Judged:
        judged = self._judged.popleft()
        self._outputs -= len(judged[1].outputs)
        return judged

    def drop(self, judged: Sequence[Judged]) -> None:
        """Take the records that ``reach`` returned."""
        for _ in judged:
            self._judged.popleft()
        self._outputs -= sum([len(expected.outputs) for _, expected in judged])

    async def _read(self) -> bool:
        piece = await anext(self._pieces, None)
        if piece is None:
            return False
        records, expect = piece.slice.records, self._expect
        self.source.add(contents(records))
        if self._opened is not None:
            records = self._opened(records)
        self._note_times(records)
        judged = [(record, expect(record)) for record in records]
        self._judged += judged
        self._outputs += sum([len(expected.outputs) for _, expected in judged])
        return True

    def _note_times(self, records: Sequence[SourceRecord]) -> None:
        if records:
            times = [timestamp_of(record.timestamp) for record in records]
            least, greatest = self.times or (times[0], times[0])
            self.times = min(least, *times), max(greatest, *times)


def outputs_of(judged: Sequence[Judged]) -> list[Output]:
    return [output for _, expected in judged for output in expected.outputs]
