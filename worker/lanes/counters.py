"""The counts of one transaction, which become metrics when it commits; and the interface for tracing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from upcasters.event import SourceRecord
from upcasters.outcome import Fault, Passage, Violation


class Counters:
    """``consumed`` is always the sum of upcast, passed, skipped and dead-lettered (invariant I10)."""

    def __init__(self) -> None:
        self.upcast: dict[int, tuple[Passage, int]] = {}
        """Counts by identity of the passage: hashing it for every record would cost more than the upcast."""
        self.passed = 0
        self.tombstones = 0
        """Of the records produced: null values that the chain has made of events."""
        self.skipped: Counter[str] = Counter()
        self.dead_lettered: Counter[tuple[str, str]] = Counter()
        self.produced: Counter[str] = Counter()
        self.trimmed = 0
        self.violations: dict[tuple[str, str, str], tuple[Violation, int]] = {}
        """Observed violations: the first of each kind, and how many."""
        self.dead_letter_at: dict[tuple[str, str], int] = {}
        """The offset of the last dead letter of each kind."""
        self.slices: list[tuple[int, int, int]] = []
        """Of each slice: timestamp (ms) of its first record, number of records, offset of the first; for the
        end-to-end latency."""
        self.consumed = 0
        self.bytes = 0
        """Bytes of keys and values, counted only where the rate in bytes is limited."""

    def upcast_total(self) -> int:
        return sum(count for _, count in self.upcast.values())

    def add_upcast(self, passages: Sequence[Passage]) -> None:
        """Count the passages of a slice at once, in C."""
        identities = list(map(id, passages))
        by_identity = dict(zip(identities, passages, strict=True))
        for identity, count in Counter(identities).items():
            _, before = self.upcast.get(identity, (None, 0))
            self.upcast[identity] = (by_identity[identity], before + count)

    def add_dead_letter(self, fault: Fault, offset: int, *, trimmed: bool) -> None:
        kind = fault.stage, fault.error_type
        self.dead_lettered[kind] += 1
        self.dead_letter_at[kind] = offset
        self.trimmed += trimmed

    def add_violations(self, violations: Iterable[Violation]) -> None:
        for each in violations:
            kind = each.event_type, each.version, each.fault.fingerprint
            first, count = self.violations.get(kind, (each, 0))
            self.violations[kind] = first, count + 1

    def add_slice(self, oldest: int, records: int, offset: int) -> None:
        self.consumed += records
        if oldest >= 0:
            self.slices.append((oldest, records, offset))


class TransactionTrace(Protocol):
    """The trace of one transaction."""

    def see(self, records: Sequence[SourceRecord]) -> None:
        """Note records of the transaction."""

    def end(self, counters: Counters, seconds: Mapping[str, float], error: str = "") -> Mapping[str, str]:
        """End the span: the transaction is committed, or was aborted for ``error`` (a class name). Returns ids for
        exemplars; none where the trace is not recorded."""


class TransactionTracing(Protocol):
    def begin(self, topic: str, partition: int, destination: str) -> TransactionTrace: ...
