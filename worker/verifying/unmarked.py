"""Records of the destination that tell nothing of where they came from, judged by what they are.

A live worker writes no lineage headers unless it is told to. Every chain keeps timestamps, and keys unless a step makes
new ones; so such a record may be a second output of a source record in the range only where it has key and timestamp of
one. It is one where the value is the same, too, and nothing else explains it: a source record that the replay has not
written may have become the same. Where the value is another one, and nothing explains it, nobody can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain

from upcasters.event import SourceRecord
from worker.kafka.fetched import timestamp_of
from worker.verifying.findings import Findings
from worker.verifying.oracle import Output
from worker.verifying.others import OffsetSet

MOST_HELD = 50_000
"""Records that are judged at a time, each some 700 bytes here; the source is read again for each such lot."""

RecordPosition = tuple[int, int]
"""Partition and offset."""


def digest(value: bytes | None) -> bytes:
    return b"" if value is None else blake2b(value, digest_size=16).digest()


@dataclass(slots=True)
class Alike:
    """Unmarked records of one key and timestamp, by the digests of their values: those that are the ``same`` as what
    was written of a record in range, and ``others``. ``origin`` is the first record in range that has both, too."""

    origin: RecordPosition | None = None
    same: dict[bytes, list[RecordPosition]] = field(default_factory=dict)
    others: dict[bytes, list[RecordPosition]] = field(default_factory=dict)

    def take(self, value: bytes) -> bool:
        return _take(self.same, value) or _take(self.others, value)

    def take_any(self) -> None:
        if self.others:
            _take(self.others, next(iter(self.others)))


def _take(places: dict[bytes, list[RecordPosition]], value: bytes) -> bool:
    if value not in places:
        return False
    places[value].pop()
    if not places[value]:
        del places[value]
    return True


class UnmarkedRecords:
    """As many of them as are held at a time. First all records in range go by (``compare``), then all that may explain
    them (``explain``); what is left then is told."""

    def __init__(self) -> None:
        self._alike: dict[int, Alike] = {}
        self._times: set[int] = set()
        self._written: dict[int, OffsetSet] = {}
        self.count = 0

    def add(self, partition: int, record: SourceRecord) -> None:
        timestamp = timestamp_of(record.timestamp)
        alike = self._alike.setdefault(hash((timestamp, record.key)), Alike())
        alike.others.setdefault(digest(record.value), []).append((partition, record.offset or 0))
        self._times.add(timestamp)
        self.count += 1

    def concerns(self, record: SourceRecord) -> bool:
        """Whether it has the timestamp of any of them; others need not be asked about."""
        return timestamp_of(record.timestamp) in self._times

    def compare(self, origin: RecordPosition, record: SourceRecord, outputs: Sequence[Output]) -> None:
        """A record in range, and what was written of it."""
        for output in outputs:
            _, timestamp, key, value, _ = output.content
            made = digest(value)
            for alike in filter(None, (self._of(timestamp, key), self._of(timestamp, record.key))):
                alike.origin = alike.origin or origin
                self._written.setdefault(origin[0], OffsetSet()).add(origin[1])
                if made in alike.others:
                    alike.same[made] = alike.others.pop(made)

    def keep_suspects(self) -> bool:
        """Forget those that no record in range has to do with; whether any is left."""
        self._alike = {key: alike for key, alike in self._alike.items() if alike.origin}
        return bool(self._alike)

    def explain(self, origin: RecordPosition, record: SourceRecord, outputs: Sequence[Output]) -> None:
        """Any source record. One of which nothing was written may be behind one of them for each of its ``outputs``,
        and behind one of another value, if another chain made it."""
        if origin[1] in self._written.get(origin[0], ()):
            return
        exact = [self._take_exact(output) for output in outputs]
        alike = self._of(timestamp_of(record.timestamp), record.key)
        if alike and not any(exact):
            alike.take_any()

    def tell(self, findings: Findings, destination: str) -> None:
        """Where nothing explains them."""
        for partition, (origin, offset, count) in sorted(self._left(same=True).items()):
            findings.add(
                "doubled by another pass",
                f"{destination} partition {partition}, offset {offset} (of {_named(origin)}): {count:,} records that "
                "do not tell their source are what was written of records in range, once more, so readers see them "
                "twice: replay into an empty topic, and start the live worker with --after",
                count,
            )
        for partition, (origin, offset, count) in sorted(self._left(same=False).items()):
            findings.leave_open(
                "of unknown origin",
                f"{destination} partition {partition}, offset {offset} (as {_named(origin)}): {count:,} records that "
                "do not tell their source have key and timestamp of records in range, and other values: another "
                "producer wrote them, or a worker with another chain",
                count,
            )

    def _left(self, *, same: bool) -> dict[int, tuple[RecordPosition, int, int]]:
        """By partition of the destination: origin and offset of the first, and how many there are."""
        left: dict[int, tuple[RecordPosition, int, int]] = {}
        for alike in self._alike.values():
            if alike.origin is None:
                continue
            for partition, offset in chain(*(alike.same if same else alike.others).values()):
                origin, first, count = left.get(partition, (alike.origin, offset, 0))
                before = first <= offset
                left[partition] = (origin if before else alike.origin, min(first, offset), count + 1)
        return left

    def _of(self, timestamp: int, key: bytes | None) -> Alike | None:
        return self._alike.get(hash((timestamp, key)))

    def _take_exact(self, output: Output) -> bool:
        _, timestamp, key, value, _ = output.content
        alike = self._of(timestamp, key)
        return alike is not None and alike.take(digest(value))


def _named(origin: RecordPosition) -> str:
    return f"source partition {origin[0]}, offset {origin[1]}"
