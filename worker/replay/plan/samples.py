"""Keeps samples during a dry run, a bounded number of events of each type and version, and examines them after it.

Each sample is then upcast a second time: a step that depends on the clock or on other events gives another result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from upcasters.event import Event, SourcePartition, SourceRecord
from upcasters.outcome import Outcome, Passage, Upcast
from worker.lanes.counters import Counters
from worker.replay.plan.file import Coordinates, Determinism
from worker.replay.reading import Piece
from worker.routes.route import RecordUpcaster

MOST_BYTES = 32 * 1024 * 1024
LARGEST = 1024 * 1024
EventVersion = tuple[str, str]
RecordsOf = Callable[[Piece], Iterable[tuple[SourceRecord, SourcePartition]]]
"""The records of a piece that are for the chain, each with where it came from."""


class Sample(NamedTuple):
    """An event, its place in the source, and the outcome of its first upcast."""

    event: Event
    source: SourcePartition
    outcome: Upcast

    @property
    def coordinates(self) -> Coordinates:
        return Coordinates(partition=self.source.partition, offset=self.event.offset or 0)


class Samples:
    """Half of each version's share are its first events, so that rare ones are there; the rest is spread over all."""

    def __init__(self, upcaster: RecordUpcaster, share: int, offsets: int, records_of: RecordsOf) -> None:
        self._upcaster = upcaster
        self._records_of = records_of
        self._share = share
        self._early = (share + 1) // 2
        self._stride = max(1, offsets // share)
        self._seen: Counter[EventVersion] = Counter()
        self._taken: Counter[EventVersion] = Counter()
        self._bytes = 0
        self._kept: list[Sample] = []

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._kept)

    def look(self, piece: Piece, counters: Counters) -> None:
        """Choose samples from a piece; ``counters`` say what became of it."""
        wanted: Counter[EventVersion] = Counter()
        for passage, count in counters.upcast.values():
            wanted[_version(passage)] += self._wants(_version(passage), count)
        if wanted.total():
            self._take(piece, wanted)

    def _wants(self, version: EventVersion, count: int) -> int:
        before = self._seen[version]
        self._seen[version] += count
        taken, after = self._taken[version], before + count
        if taken < self._early:
            return min(count, self._early - taken)
        return min(self._share - taken, after // self._stride - before // self._stride)

    def _take(self, piece: Piece, wanted: Counter[EventVersion]) -> None:
        for record, source in self._records_of(piece):
            outcome = self._upcaster.upcast(record, source)
            if not isinstance(outcome, Upcast) or not wanted[_version(outcome.passage)]:
                continue
            wanted[_version(outcome.passage)] -= 1
            self._keep(record, source, outcome)
            if not wanted.total():
                return

    def _keep(self, record: SourceRecord, source: SourcePartition, outcome: Upcast) -> None:
        size = len(record.value or b"")
        if size > LARGEST or self._bytes + size > MOST_BYTES:
            return
        self._bytes += size
        self._taken[_version(outcome.passage)] += 1
        event = Event(record.value, record.key, list(record.headers), record.timestamp, record.offset)
        self._kept.append(Sample(event, source, outcome))

    def determinism(self, most: int) -> Determinism:
        """Upcast each sample once more. Returns ``most`` coordinates of those that come out differently."""
        different = [each for each in self._kept if self._again(each) != each.outcome]
        return Determinism(
            compared=len(self._kept),
            different=len(different),
            samples=tuple(each.coordinates for each in different[:most]),
        )

    def _again(self, sample: Sample) -> Outcome:
        return self._upcaster.upcast(sample.event, sample.source)


def _version(passage: Passage) -> EventVersion:
    return (passage.event_type, passage.from_version)
