"""How many records are worked on before everything else gets its turn: fewer where the chain is slow."""

from __future__ import annotations

from worker.lanes.intake import SLICE

FIRST = 16
LONGEST = 0.25
"""Seconds without heartbeats, probes and other lanes. A step that takes a second for each record would otherwise keep
the loop from them for minutes, the group would give the partition away, and the next owner would fare no better."""


class SliceSize:
    """Belongs to a lane, and begins carefully: how slow a chain is shows only when it runs."""

    def __init__(self) -> None:
        self.records = FIRST

    def note(self, records: int, seconds: float) -> None:
        """So many records took so long."""
        if seconds > LONGEST:
            self.records = max(1, int(records * LONGEST / seconds))
        elif records >= self.records:
            self.records = min(SLICE, self.records * 2)
