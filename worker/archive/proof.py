"""Checks one file: whether what was written of it is all of it, once, in order, as it was or as the chain makes it.

It reads the source and what was written side by side. That nothing is missing, doubled or out of order, and that no
other column has changed, is seen in the rows themselves. The chain's reference, which takes each hop by itself, upcasts
a sample again; it shares no code with what wrote the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from upcasters import Chain
from upcasters.arrow.columns import Found, texts_of
from upcasters.errors import InvalidEvent
from upcasters.event import Event, SourcePartition
from upcasters.outcome import DeadLettered, Skipped
from upcasters.outcome import Passed as PassedEvent
from upcasters.validation import Validator
from worker.archive.counting import Counts
from worker.archive.outputs import DEAD_LETTERS, EVENTS, SKIPPED
from worker.archive.sources import ROW, Source, Unreadable, first_line
from worker.archive.tasks import OnShare, Task
from worker.archive.trial import events_of
from worker.archive.written import Written
from worker.errors import WorkerError
from worker.replay.plan.file import OutcomeCounts

MOST_EXAMPLES = 10
EVERY = 100
SOURCE = "source"
"""What is found of the archive itself: it decides nothing about what was written."""


@dataclass(frozen=True)
class Proof(Task):
    """``every``: one of so many rows, and each that left no event, is upcast again. ``counts`` are the receipt's."""

    counts: tuple[OutcomeCounts, ...] = ()
    every: int = EVERY

    def do(self, number: int, chain: Chain, on_share: OnShare) -> Mapping[str, Any]:
        """What was found, by kind."""
        path = self.files[number].path
        seen = _Seen(path)
        again, held = 0, OutcomeCounts()
        try:
            source = self.unchanged(number)
            checked = _File(self, chain, source, path, seen)
            for batch in source.batches():
                checked.look(batch)
                on_share(source.share)
            checked.finish(self.counts[number])
            again, held = checked.again, checked.counts.outcomes()
        except WorkerError as error:
            seen.add(SOURCE, str(error))
        except Unreadable as error:
            seen.add("unreadable", f"{path}: {first_line(error)}")
        return {
            "kinds": dict(seen.kinds),
            "examples": seen.examples,
            "again": again,
            "counts": held.model_dump(mode="json"),
        }


@dataclass
class _Seen:
    """Findings of one file."""

    path: str
    kinds: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, place: str, count: int = 1) -> None:
        self.kinds[kind] += count
        known = self.examples.setdefault(kind, [])
        if len(known) < MOST_EXAMPLES:
            known.append(place)

    def at(self, kind: str, row: int, why: str = "") -> None:
        self.add(kind, f"{self.path} row {row:,}{': ' if why else ''}{why}")


class _File:
    def __init__(self, proof: Proof, chain: Chain, source: Source, path: str, seen: _Seen) -> None:
        work = proof.work
        self._prefix, self._seen, self._every = work.prefix, seen, proof.every
        self._reference = chain.upcaster(work.policy).reference
        self._models = {
            node: Validator(version.model) for node, version in chain.versions.items() if version.model is not None
        }
        self._given = source.schema()
        self._found: Found = work.columns.of(self._given)
        self._written = {
            kind: Written(work.destination, path, kind, self._prefix) for kind in (EVENTS, DEAD_LETTERS, SKIPPED)
        }
        self._changing = {self._found.value, self._found.key, self._found.headers} - {""}
        self._next = 0
        self.counts = Counts(self._found.value, self._prefix)
        self.again = 0

    def look(self, given: pa.RecordBatch) -> None:
        """The next rows of the source, and all that was written of them."""
        first, self._next = self._next, self._next + given.num_rows
        made = {kind: written.until(self._next) for kind, written in self._written.items()}
        self._cover(first, made)
        for kind, table in made.items():
            for batch in table.combine_chunks().to_batches() if table.num_rows else ():
                self.counts.add(batch)
                self._compare(given, first, kind, batch)
                if kind == EVENTS:
                    self._validate(batch)
        self._again(given, first, made)

    def finish(self, told: OutcomeCounts) -> None:
        """Nothing may be left, and the counts are those of the receipt."""
        for kind, written in self._written.items():
            if left := written.until(None).num_rows:
                self._seen.add("without a source", f"{self._seen.path}: {left:,} rows in {kind}", left)
        if (found := self.counts.outcomes()) != told:
            self._seen.add(
                "other counts", f"{self._seen.path}: the receipt says {_shown(told)}, the files hold {_shown(found)}"
            )

    def _cover(self, first: int, made: Mapping[str, pa.Table]) -> None:
        rows: list[int] = []
        for kind, table in made.items():
            found = table.column(self._prefix + ROW).to_pylist()
            if found != sorted(found):
                self._seen.add("out of order", f"{self._seen.path}: rows {found[0]:,} and behind it in {kind}")
            rows += dict.fromkeys(found) if kind == EVENTS else found
        expected = range(first, self._next)
        if len(rows) == len(expected) and sorted(rows) == list(expected):
            return
        times = Counter(rows)
        for row in times.keys() - set(expected):
            self._seen.at("out of order", row)
        for row in expected:
            if times[row] != 1:
                self._seen.at("missing" if not times[row] else "written twice", row)

    def _compare(self, given: pa.RecordBatch, first: int, kind: str, batch: pa.RecordBatch) -> None:
        """Columns that no chain changes are as they were; all of them in a row of which nothing came."""
        rows = batch.column(self._prefix + ROW)
        known = pc.and_(pc.greater_equal(rows, first), pc.less(rows, first + given.num_rows))
        same = known if kind != EVENTS else pc.and_(known, pc.equal(batch.column(self._prefix + "outcome"), "passed"))
        for names, which in (
            ([name for name in self._given.names if name not in self._changing], known),
            (sorted(self._changing), same),
        ):
            chosen = batch.filter(which)
            before = given.take(pc.subtract(chosen.column(self._prefix + ROW), first))
            for name in names:
                self._equal(name, before.column(name), chosen.column(name), chosen.column(self._prefix + ROW))

    def _equal(self, name: str, before: pa.Array, after: pa.Array, rows: pa.Array) -> None:
        if after.type != before.type:
            after = after.cast(before.type)
        if not before.equals(after):
            pairs = zip(rows.to_pylist(), before.to_pylist(), after.to_pylist(), strict=True)
            for row, was, now in pairs:
                # What is no number equals nothing, not even itself.
                if was != now and repr(was) != repr(now):
                    self._seen.at("changed", row, f"column {name} is not as it was")

    def _validate(self, batch: pa.RecordBatch) -> None:
        kinds = zip(*(batch.column(self._prefix + name).to_pylist() for name in ("type", "version", ROW)), strict=True)
        for value, (event_type, version, row) in zip(texts_of(batch.column(self._found.value)), kinds, strict=True):
            model = self._models.get((event_type, version))
            if model is not None and value is not None:
                try:
                    model.check(value)
                except InvalidEvent as error:
                    self._seen.at("invalid", row, f"{event_type} {version} at {error}")

    def _again(self, given: pa.RecordBatch, first: int, made: Mapping[str, pa.Table]) -> None:
        """Upcast a sample by the reference, and each row that left no event."""
        silent = {row for kind in (DEAD_LETTERS, SKIPPED) for row in made[kind].column(self._prefix + ROW).to_pylist()}
        rows = range(first, self._next)
        chosen = sorted({row for row in rows if row % self._every == 0} | {row for row in silent if row in rows})
        found: dict[int, list[tuple[Any, ...]]] = {row: [] for row in chosen}
        wanted = pa.array(chosen, pa.int64())
        for table in filter(len, made.values()):
            kept = table.filter(pc.is_in(table.column(self._prefix + ROW), wanted)).combine_chunks()
            for batch in kept.to_batches():
                for row, told in self._told(batch):
                    found[row].append(told)
        events = events_of(given.take(pc.subtract(wanted, first)), self._found)
        for row, (event, place) in zip(chosen, events, strict=True):
            if self._expected(event, place) != found[row]:
                self._seen.at("not what the chain makes", row)
        self.again += len(chosen)

    def _told(self, batch: pa.RecordBatch) -> Iterator[tuple[int, tuple[Any, ...]]]:
        names = ("type", "from_version", "version", "outcome", "fault")
        rows = batch.column(self._prefix + ROW).to_pylist()
        labels = zip(*(batch.column(self._prefix + name).to_pylist() for name in names), strict=True)
        for row, label, (event, _) in zip(rows, labels, events_of(batch, self._found), strict=True):
            yield row, (event.value, event.key, list(event.headers), *(text or "" for text in label))

    def _expected(self, event: Event, place: SourcePartition | None) -> list[tuple[Any, ...]]:
        outcome = self._reference.upcast(event, place)
        as_it_is = (event.value, event.key, list(event.headers))
        if isinstance(outcome, DeadLettered):
            fault = outcome.fault
            return [(*as_it_is, fault.event_type, fault.from_version, "", "dead-lettered", fault.fingerprint)]
        way = outcome.passage
        if isinstance(outcome, Skipped):
            return [(*as_it_is, way.event_type, way.from_version, "", "skipped", "")]
        fate = "passed" if isinstance(outcome, PassedEvent) else "upcast"
        return [
            (
                record.value,
                record.key if self._found.key else None,
                list(record.headers) if self._found.headers else [],
                *(way.event_type, way.from_version, way.to_version, fate, ""),
            )
            for record in outcome.output(event)
        ]


def _shown(counts: OutcomeCounts) -> str:
    skipped = sum(counts.skipped.values())
    return (
        f"{counts.upcast:,} upcast, {counts.passed:,} passed, {skipped:,} skipped, {counts.dead_lettered:,} "
        f"dead-lettered, {counts.produced:,} written"
    )
