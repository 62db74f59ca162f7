"""What stands behind somebody's open transaction: it is there, and nobody can read it yet."""

from __future__ import annotations

import structlog
from aiokafka import TopicPartition

from worker.kafka.log_offsets import LogOffsets
from worker.kafka.open_transactions import OpenTransaction

log = structlog.get_logger(__name__)

TOLD_AFTER = 30.0
"""Seconds that the last stable offset may stand still. Ordinary transactions end sooner."""


class HeldBack:
    """Of one partition. Times are in seconds of the clock that is handed in."""

    def __init__(self, partition: TopicPartition) -> None:
        self.partition = partition
        self.records: int | None = None
        self.transaction: OpenTransaction | None = None
        """Whose it is, once somebody has asked."""
        self._stable: int | None = None
        self._since: float | None = None
        self._end_then = self._end = 0

    def note(self, stable: int, end: int, now: float) -> None:
        """The last stable offset and the end of the log, as of now."""
        self.records, self._end = max(0, end - stable), end
        if stable != self._stable or not self.records:
            self._moved_on(stable)
        if self.records and self._since is None:
            self._since, self._end_then = now, end
        self._stable = stable

    def seconds(self, now: float) -> float | None:
        """For how long the last stable offset has stood still in front of something; None while nothing is known."""
        if self.records is None:
            return None
        return 0.0 if self._since is None else max(0.0, now - self._since)

    def wants_to_be_told(self, now: float) -> LogOffsets | None:
        """What to ask about, where it has stood for long and nobody has asked whose it is."""
        if self.transaction is not None or self._stable is None or (self.seconds(now) or 0.0) < TOLD_AFTER:
            return None
        return LogOffsets(0, self._stable, self._end)

    def tell(self, transaction: OpenTransaction) -> None:
        """It is logged once. Another one may be in front by now."""
        if transaction.offset != self._stable or not self.records:
            return
        self.transaction = transaction
        log.warning(
            "held back by an open transaction",
            topic=transaction.topic,
            partition=transaction.partition,
            offset=transaction.offset,
            records=transaction.hidden,
            cause=transaction.cause,
            fix=transaction.fix,
        )

    def grows_for(self, now: float) -> float:
        """Seconds for which nothing can be read although more is written; 0 where nothing was."""
        return (self.seconds(now) or 0.0) if self._end > self._end_then else 0.0

    @property
    def reason(self) -> str:
        """Says the same as long as the same transaction is open."""
        return f"held back by {self.transaction.cause}" if self.transaction else ""

    def _moved_on(self, stable: int) -> None:
        if self.transaction is not None:
            at = self.partition
            log.info("not held back any more", topic=at.topic, partition=at.partition, offset=stable)
        self._since = self.transaction = None
