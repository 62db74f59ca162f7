"""The circuit breaker of a lane: opens when too many of the last records became dead letters."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from worker.settings import BreakerSettings

OPEN = "breaker open: "


@dataclass
class Breaker:
    """Counts dead letters by the ordinal of their records, so that other records cost nothing.

    A transaction works on a copy, which replaces the lane's own when the transaction commits: records that
    are read again after an abort are not counted twice. ``tripped`` says why it is open and is empty while it
    is not.
    """

    policy: BreakerSettings
    seen: int = 0
    dead: deque[int] = field(default_factory=deque)
    total: int = 0
    tripped: str = ""

    @property
    def note(self) -> str:
        """The text for the offset's note: that it is open, where a restart must not close it."""
        return OPEN + self.tripped if self.tripped and self.policy.resume == "api" else ""

    def remember(self, note: str) -> None:
        """Open it where the note says so."""
        if self.policy.resume == "api" and note.startswith(OPEN):
            self.tripped = self.tripped or note.removeprefix(OPEN)

    def copy(self) -> Breaker:
        return replace(self, dead=self.dead.copy())

    def closed(self) -> Breaker:
        """A closed breaker without counts."""
        return Breaker(self.policy)

    def dead_letter(self, index: int) -> None:
        """Count a dead letter: the record ``index`` places after those counted by ``advance``."""
        self.dead.append(self.seen + index)
        self.total += 1
        self._judge(self.seen + index + 1)

    def advance(self, records: int) -> None:
        """Count ``records`` as processed."""
        self.seen += records
        if self.dead:
            self._judge(self.seen)

    def _judge(self, seen: int) -> None:
        policy = self.policy
        while self.dead and self.dead[0] < seen - policy.window:
            self.dead.popleft()
        if self.tripped:
            return
        if seen >= policy.window and len(self.dead) > policy.rate * policy.window:
            self.tripped = f"{len(self.dead)} of the last {policy.window} records became dead letters"
        elif policy.count and self.total >= policy.count:
            self.tripped = f"{self.total} records became dead letters"
