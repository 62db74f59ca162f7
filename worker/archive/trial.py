"""A dry run over one file: what would become of its rows, and samples that the plan looks at field by field."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from upcasters import Chain
from upcasters.arrow.columns import Found, texts_of
from upcasters.arrow.rows import Row
from upcasters.event import Event, SourcePartition
from worker.archive.counting import Counts, Label, first_rows
from worker.archive.sources import ROW
from worker.archive.tasks import OnShare, Results, Task
from worker.errors import WorkerError

LARGEST = 1024 * 1024
MOST_SAMPLE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Trial(Task):
    """Writes nothing. ``share`` is how many samples of each type and version to keep, ``places`` how many rows of each
    fault."""

    share: int = 0
    places: int = 5

    def do(self, number: int, chain: Chain, on_share: OnShare) -> Mapping[str, Any]:
        """Counts, labels, first rows of each fault, and samples; why not, where the file cannot be taken."""
        try:
            return self._tried(number, chain, on_share)
        except WorkerError as error:
            return {"refused": str(error)}

    def _tried(self, number: int, chain: Chain, on_share: OnShare) -> Mapping[str, Any]:
        source = self.unchanged(number)
        results = Results(self.work, chain, source, self.files[number].path)
        counts = Counts(self.work.columns.value, self.work.prefix)
        samples = _Samples(self, results)
        faults: dict[str, list[int]] = {}
        for given, made in results.batches():
            counts.add(made)
            samples.look(given, made)
            self._note_faults(counts, made, faults)
            on_share(source.share)
        return {
            "counts": counts.outcomes().model_dump(mode="json"),
            "labels": [[*label, count] for label, count in counts.labels()],
            "faults": faults,
            "samples": samples.kept,
        }

    def _note_faults(self, counts: Counts, made: pa.RecordBatch, faults: dict[str, list[int]]) -> None:
        for label, _ in counts.labels():
            known = faults.setdefault(label.fault, []) if label.fault else None
            if known is not None and len(known) < self.places:
                known += first_rows(made, label, self.work.prefix, self.places - len(known))


class _Samples:
    """The first events of each type and version, a bounded number and size of them."""

    def __init__(self, trial: Trial, results: Results) -> None:
        self._trial = trial
        self._found: Found = trial.work.columns.of(results.schema)
        self._taken: Counter[tuple[str, str]] = Counter()
        self._bytes = 0
        self.kept: list[dict[str, Any]] = []

    def look(self, given: pa.RecordBatch, made: pa.RecordBatch) -> None:
        chosen = list(self._chosen(made))
        if not chosen:
            return
        first = given.column(self._trial.work.prefix + ROW)[0].as_py()
        rows = given.take(pa.array([row - first for row in chosen], pa.int64()))
        for row, (event, place) in zip(chosen, events_of(rows, self._found), strict=True):
            size = len(event.value or b"")
            if size <= LARGEST and self._bytes + size <= MOST_SAMPLE_BYTES:
                self._bytes += size
                self.kept.append(_told(event, place, row))

    def _chosen(self, made: pa.RecordBatch) -> Iterator[int]:
        """Rows of the source that are upcast, while there are too few of their type and version."""
        upcast = made.filter(pc.equal(made.column(self._trial.work.prefix + "outcome"), "upcast"))
        names = [self._trial.work.prefix + name for name in ("type", "from_version", ROW)]
        last = -1
        for kind, version, row in zip(*(upcast.column(name).to_pylist() for name in names), strict=True):
            if row != last and self._taken[kind, version] < self._trial.share:
                self._taken[kind, version] += 1
                yield row
            last = row


def events_of(batch: pa.RecordBatch, found: Found) -> Iterator[tuple[Event, SourcePartition | None]]:
    """Each row as an event by itself, with its topic and partition where it has them."""
    row, placed = Row(batch, found), bool(found.topic and found.partition)
    for number, value in enumerate(texts_of(batch.column(found.value))):
        row.move(number, value)
        place = SourcePartition(row.topic, row.partition) if placed and row.is_placed else None
        yield Event(row.value, row.key, list(row.headers), row.timestamp, row.offset), place


def _told(event: Event, place: SourcePartition | None, row: int) -> dict[str, Any]:
    return {
        "row": row,
        "value": _text(event.value),
        "key": _text(event.key),
        "headers": [[name.encode("utf-8", "surrogateescape").hex(), _text(value)] for name, value in event.headers],
        "timestamp": event.timestamp,
        "offset": event.offset,
        "place": [place.topic, place.partition] if place else None,
    }


def _text(content: bytes | None) -> str | None:
    return None if content is None else b64encode(content).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


def sample_event(told: Mapping[str, Any]) -> tuple[Event, SourcePartition | None]:
    """What a task has told of a sample."""
    headers = [
        (bytes.fromhex(name).decode("utf-8", "surrogateescape"), _bytes(value)) for name, value in told["headers"]
    ]
    place = SourcePartition(*told["place"]) if told["place"] else None
    return Event(_bytes(told["value"]), _bytes(told["key"]), headers, told["timestamp"], told["offset"]), place


def label_of(told: list[Any]) -> tuple[Label, int]:
    """A label and its rows, as a task tells them."""
    return Label(*told[:-1]), told[-1]
