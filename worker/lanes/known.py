"""What a worker knows of a partition's committed offset, over all the lanes that it has had of it."""

from __future__ import annotations

from dataclasses import dataclass

from worker.lanes.bounded import StartingPoint
from worker.lanes.faults import WentBackError
from worker.lanes.offset_note import Decision


@dataclass
class KnownOffset:
    """``offset`` was committed, after ``decision``. A group that is told to be before it is not believed, unless a
    person has decided so meanwhile."""

    offset: int = 0
    decision: Decision | None = None

    def take_up(self, beginning: StartingPoint) -> None:
        """Raises ``WentBackError``."""
        decision = beginning.note.decision
        if decision is not None and decision != self.decision:
            self.offset, self.decision = min(self.offset, decision.to), decision
        if beginning.offset < self.offset:
            raise WentBackError(self.offset, beginning.offset)
        self.offset = beginning.offset
