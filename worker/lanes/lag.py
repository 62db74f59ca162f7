"""How far a lane is behind: in records always, in seconds as exactly as can be known."""

from __future__ import annotations

from collections.abc import Iterable


class Lag:
    """``end`` is the last stable offset: what can be read. Times are in seconds of the clock that is handed in."""

    def __init__(self) -> None:
        self.committed: int | None = None
        self.end: int | None = None
        self._behind_since: float | None = None

    @property
    def records(self) -> int | None:
        if self.end is None or self.committed is None:
            return None
        return max(0, self.end - self.committed)

    def note_committed(self, offset: int, now: float) -> None:
        self.committed = offset
        self.note_end(self.end, now)

    def note_end(self, end: int | None, now: float) -> None:
        self.end = end
        if not self.records:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = now

    def seconds(self, now: float, oldest: Iterable[int]) -> float | None:
        """Age of the first of ``oldest`` (timestamps in ms) that is known.

        Where none is, since when there has been something to read; None where there never was.
        """
        if self.records == 0:
            return 0.0
        for timestamp in oldest:
            if timestamp >= 0:
                return max(0.0, now - timestamp / 1000)
        return None if self._behind_since is None else now - self._behind_since
