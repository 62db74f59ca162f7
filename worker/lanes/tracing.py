"""What a lane tells of its transactions to whoever traces them; nobody does, unless it is set up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from upcasters.event import SourceRecord
from worker.lanes.tally import Counters


class TransactionTrace(Protocol):
    """One transaction."""

    def see(self, records: Sequence[SourceRecord]) -> None:
        """These records are part of it."""

    def end(self, tally: Counters, seconds: Mapping[str, float], error: str = "") -> Mapping[str, str]:
        """It is committed, or was taken back because of ``error`` (a class name). Returns the ids that exemplars carry,
        none where nobody records it."""


class TransactionTracing(Protocol):
    def begin(self, topic: str, partition: int, destination: str) -> TransactionTrace: ...
