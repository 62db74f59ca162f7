"""Counts what became of the rows of one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from worker.archive.sources import ROW
from worker.replay.plan.file import OutcomeCounts


class Label(NamedTuple):
    """What is told of a row, in the columns of these names."""

    type: str
    from_version: str
    version: str
    outcome: str
    reason: str
    step: str
    fault: str


class Counts:
    """Rows of the source by label, and rows that are written as events. ``value`` is the column of the values."""

    def __init__(self, value: str, prefix: str) -> None:
        self._names = [prefix + name for name in Label._fields]
        self._row = prefix + ROW
        self._value = value
        self._by_label: Counter[Label] = Counter()
        self._produced = 0
        self._tombstones = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """One result. All rows of an event have one label."""
        grouped = pa.Table.from_batches([batch]).group_by(self._names, use_threads=False)
        told = grouped.aggregate([(self._row, "count_distinct"), (self._row, "count"), (self._value, "count")])
        for row in told.to_pylist():
            label = Label(*(row[name] or "" for name in self._names))
            self._by_label[label] += row[f"{self._row}_count_distinct"]
            if label.outcome in {"upcast", "passed"}:
                self._produced += row[f"{self._row}_count"]
            if label.outcome == "upcast":
                self._tombstones += row[f"{self._row}_count"] - row[f"{self._value}_count"]

    def labels(self) -> Iterator[tuple[Label, int]]:
        """Each label with the number of the source's rows that have it."""
        yield from self._by_label.items()

    def outcomes(self) -> OutcomeCounts:
        """As a plan and a receipt have them."""
        by: Counter[str] = Counter()
        skipped: Counter[str] = Counter()
        for label, count in self._by_label.items():
            by[label.outcome] += count
            if label.outcome == "skipped":
                skipped[label.reason or "-"] += count
        return OutcomeCounts(
            read=by.total(),
            upcast=by["upcast"],
            passed=by["passed"],
            skipped=dict(sorted(skipped.items())),
            dead_lettered=by["dead-lettered"],
            produced=self._produced,
            tombstones=self._tombstones,
        )


def first_rows(batch: pa.RecordBatch, label: Label, prefix: str, most: int) -> list[int]:
    """The first few rows of the source that have a label."""
    chosen = pc.equal(batch.column(prefix + "outcome"), label.outcome)
    if label.fault:
        chosen = pc.and_(chosen, pc.equal(batch.column(prefix + "fault"), label.fault))
    return list(batch.filter(chosen).column(prefix + ROW)[:most].to_pylist())
