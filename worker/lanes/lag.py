"""How far a lane is behind, in records and seconds, and which open transaction holds it back."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from aiokafka import TopicPartition

from worker.kafka.fetched import NO_TIMESTAMP
from worker.kafka.log_offsets import LogOffsets
from worker.kafka.open_transactions import OpenTransaction

BELIEVED = 30.0
"""Seconds for which the known end of a partition counts. After that it is unknown whether the lane has caught up."""


class Lag:
    """The lag of one lane. ``end`` is the last stable offset: the end of what can be read. ``now`` is Unix time in
    seconds."""

    def __init__(self) -> None:
        self.committed: int | None = None
        self.end: int | None = None
        self._end_noted = 0.0
        self._beginning = 0
        self._oldest = NO_TIMESTAMP
        self._no_age_before = 0

    @property
    def next_offset(self) -> int | None:
        """The offset of the oldest record that is not committed and that retention has not deleted."""
        return None if self.committed is None else max(self.committed, self._beginning)

    @property
    def records(self) -> int | None:
        if self.end is None or self.next_offset is None:
            return None
        return max(0, self.end - self.next_offset)

    def note_committed(self, offset: int) -> None:
        if offset != self.committed:
            self._oldest, self._no_age_before = NO_TIMESTAMP, 0
        self.committed = offset

    def note_end(self, end: int | None, now: float) -> None:
        self.end, self._end_noted = end, now

    def note_beginning(self, offset: int) -> None:
        """Note the partition's first offset."""
        if self.next_offset is not None and offset > self.next_offset:
            self._oldest = NO_TIMESTAMP
        self._beginning = offset

    def note_oldest(self, timestamp: int) -> None:
        """Note the timestamp (ms) of the record at ``next_offset``, or of the first readable one after it."""
        self._oldest = timestamp

    def note_no_age_before(self, offset: int) -> None:
        """Note that a look from ``place_to_look`` on found no timestamp below ``offset``: only markers, aborted
        records, or records without a timestamp. Where the look came to nothing at all, for instance because the brokers
        were slow, ``offset`` is the place itself."""
        self._no_age_before = offset

    def place_to_look(self) -> int | None:
        """The offset of the oldest uncommitted record where its age is unknown; None where it is known, or there is
        none."""
        if self.next_offset is None or self.end is None or self._oldest >= 0:
            return None
        place = max(self.next_offset, self._no_age_before)
        return place if place < self.end else None

    def seconds(self, now: float, in_hand: Iterable[int]) -> float | None:
        """Age of the oldest record that is not committed: by the first known timestamp (ms) of ``in_hand``, which are
        of fetched records, else by that of ``note_oldest``. 0 when caught up, None where unknown."""
        if self.records == 0:
            return 0.0 if now - self._end_noted <= BELIEVED else None
        if self.records is None:
            return None
        for timestamp in (*in_hand, self._oldest):
            if timestamp >= 0:
                return max(0.0, now - timestamp / 1000)
        return None


log = structlog.get_logger(__name__)

REPORT_AFTER = 30.0
"""Seconds that the last stable offset may stand still before its transaction is looked up and logged. Ordinary
transactions end sooner."""


class HeldBack:
    """Whether an open transaction holds back one partition. ``now`` is Unix time in seconds."""

    def __init__(self, partition: TopicPartition) -> None:
        self.partition = partition
        self.records: int | None = None
        self.transaction: OpenTransaction | None = None
        """The transaction, once it was looked up."""
        self._stable: int | None = None
        self._since: float | None = None
        self._end_then = self._end = 0

    def note(self, stable: int, end: int, now: float) -> None:
        """Note the last stable offset and the end of the log as of now."""
        self.records, self._end = max(0, end - stable), end
        if stable != self._stable or not self.records:
            self._moved_on(stable)
        if self.records and self._since is None:
            self._since, self._end_then = now, end
        self._stable = stable

    def seconds(self, now: float) -> float | None:
        """Seconds for which the last stable offset has stood still before further records; None while unknown."""
        if self.records is None:
            return None
        return 0.0 if self._since is None else max(0.0, now - self._since)

    def to_ask_about(self, now: float) -> LogOffsets | None:
        """The offsets to look the transaction up by, where the last stable offset has stood still for long and the
        transaction is unknown; else None."""
        if self.transaction is not None or self._stable is None or (self.seconds(now) or 0.0) < REPORT_AFTER:
            return None
        return LogOffsets(0, self._stable, self._end)

    def found(self, transaction: OpenTransaction) -> None:
        """Note and log the transaction that was looked up, unless another one is the first by now."""
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
        """Seconds for which nothing could be read although more was written; 0 where nothing was."""
        return (self.seconds(now) or 0.0) if self._end > self._end_then else 0.0

    @property
    def reason(self) -> str:
        """Why the lane is held back; the same text as long as the same transaction is open."""
        return f"held back by {self.transaction.cause}" if self.transaction else ""

    def _moved_on(self, stable: int) -> None:
        if self.transaction is not None:
            at = self.partition
            log.info(
                "no longer held back by an open transaction", topic=at.topic, partition=at.partition, offset=stable
            )
        self._since = self.transaction = None
