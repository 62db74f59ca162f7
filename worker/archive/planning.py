"""Makes a plan: a dry run over all files, and its samples looked at field by field."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from upcasters import Chain, Event
from upcasters.event import SourcePartition
from upcasters.operations.choice import walk
from upcasters.operations.events import SetKey
from upcasters.outcome import Upcast
from worker.archive.counting import Label
from worker.archive.files import ArchivedFile, ArchiveFault, ArchivePlan, ArchiveWork, KindCount, RowPlace, total
from worker.archive.meter import Meter
from worker.archive.runners import Runner
from worker.archive.sources import Source, SourceFile, is_empty, list_files
from worker.archive.tasks import Work
from worker.archive.trial import Trial, label_of, sample_event
from worker.errors import WorkerError
from worker.progress import OnProgress
from worker.replay.plan.data_loss import Loss
from worker.replay.plan.file import Determinism, OutcomeCounts, PassageCount
from worker.replay.plan.samples import Sample
from worker.runtime import VERSION

MOST_FAULTS = 500
MOST_REFUSALS = 20


@dataclass(frozen=True)
class PlanWishes:
    """``sample`` events of each type and version are compared, ``places`` rows of each fault and lost path kept."""

    sample: int = 100
    places: int = 5
    allow: tuple[str, ...] = ()


def make_plan(work: Work, made: ArchiveWork, wishes: PlanWishes, runner: Runner, show: OnProgress) -> ArchivePlan:
    """Look at every file. Raises WorkerError, with a line for each file that cannot be taken."""
    began = time.monotonic()
    files = list_files(work.archive, made.include)
    chain = work.load()
    trial = Trial(work, tuple(files), share=max(1, -(-wishes.sample // len(files))), places=wishes.places)
    meter = Meter({number: file.size for number, file in enumerate(files)}, show)
    found = dict(meter.watch(runner(trial, range(len(files)), meter.part)))
    _refuse([told["refused"] for _, told in sorted(found.items()) if "refused" in told])
    results = [found[number] for number in range(len(files))]
    tally = _Tally(files, wishes.places)
    for number, told in enumerate(results):
        tally.add(number, told)
    samples = _samples(chain, work, results, wishes.sample)
    loss = Loss(chain, work.policy, wishes.places)
    return ArchivePlan(
        created=datetime.now(UTC).replace(microsecond=0),
        worker_version=VERSION,
        work=made,
        files=tuple(
            ArchivedFile(path=file.path, size=file.size, modified=file.modified, rows=counts.read, counts=counts)
            for file, counts in zip(files, tally.counts, strict=True)
        ),
        counts=total(tally.counts),
        census=tally.census(chain),
        passages=tally.passages(),
        dead_letters=tally.faults(),
        dead_letters_truncated=len(tally.by_fault) > MOST_FAULTS,
        loss=loss.look(samples),
        determinism=_determinism(chain, work, samples, wishes.places),
        seconds=round(time.monotonic() - began, 1),
        warnings=tuple(_warnings(chain, work, files)),
        allowed=wishes.allow,
    )


def _refuse(lines: Sequence[str]) -> None:
    if lines:
        more = [f"and {len(lines) - MOST_REFUSALS:,} more files"] if len(lines) > MOST_REFUSALS else []
        raise WorkerError("\n".join([*lines[:MOST_REFUSALS], *more]), code="UPC1951")


@dataclass
class _Tally:
    files: Sequence[SourceFile]
    places: int
    counts: list[OutcomeCounts] = field(default_factory=list)
    kinds: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    ways: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    by_fault: dict[str, tuple[Label, int, list[RowPlace]]] = field(default_factory=dict)

    def add(self, number: int, told: Mapping[str, Any]) -> None:
        """What a task has told of one file."""
        self.counts.append(OutcomeCounts.model_validate(told["counts"]))
        for label, count in map(label_of, told["labels"]):
            reason = label.reason if label.outcome in {"passed", "skipped"} else ""
            self.kinds[label.type, label.from_version, label.outcome, reason] += count
            if label.outcome == "upcast":
                self.ways[label.type, label.from_version, label.version] += count
            if label.fault:
                first, before, known = self.by_fault.get(label.fault, (label, 0, []))
                rows = told["faults"].get(label.fault, ())
                more = [RowPlace(path=self.files[number].path, row=row) for row in rows]
                self.by_fault[label.fault] = (first, before + count, (known + more)[: self.places])

    def census(self, chain: Chain) -> tuple[KindCount, ...]:
        """In the chain's own order; what it does not know behind it."""
        order = {node: place for place, node in enumerate(chain.versions)}
        ordered = sorted(self.kinds, key=lambda kind: (order.get(kind[:2], len(order)), kind))
        return tuple(
            KindCount(event_type=kind[0], version=kind[1], outcome=kind[2], reason=kind[3], rows=self.kinds[kind])
            for kind in ordered
        )

    def passages(self) -> tuple[PassageCount, ...]:
        return tuple(
            PassageCount(event_type=event_type, from_version=before, to_version=after, records=count)
            for (event_type, before, after), count in sorted(self.ways.items())
        )

    def faults(self) -> tuple[ArchiveFault, ...]:
        """Most first."""
        ordered = sorted(self.by_fault.items(), key=lambda item: (-item[1][1], item[0]))
        return tuple(
            ArchiveFault(
                fingerprint=fingerprint,
                count=count,
                error_type=label.reason.partition(":")[0],
                event_type=label.type,
                from_version=label.from_version,
                where=label.step,
                samples=tuple(places),
            )
            for fingerprint, (label, count, places) in ordered[:MOST_FAULTS]
        )


def _samples(chain: Chain, work: Work, results: Iterable[Mapping[str, Any]], most: int) -> list[Sample]:
    """As many of each type and version as were asked for; their coordinates are the file's number and the row."""
    upcaster, taken, kept = chain.upcaster(work.policy), Counter[tuple[str, str]](), []
    for number, told in enumerate(results):
        for each in told["samples"]:
            event, place = sample_event(each)
            source = SourcePartition(place.topic if place else work.archive, number)
            sampled = Event(event.value, event.key, event.headers, event.timestamp, each["row"])
            outcome = upcaster.upcast(sampled, source)
            if isinstance(outcome, Upcast):
                kind = (outcome.passage.event_type, outcome.passage.from_version)
                taken[kind] += 1
                if taken[kind] <= most:
                    kept.append(Sample(sampled, source, outcome))
    return kept


def _determinism(chain: Chain, work: Work, samples: Sequence[Sample], most: int) -> Determinism:
    upcaster = chain.upcaster(work.policy)
    different = [each for each in samples if upcaster.upcast(each.event, each.source) != each.outcome]
    return Determinism(
        compared=len(samples),
        different=len(different),
        samples=tuple(each.coordinates for each in different[:most]),
    )


def _warnings(chain: Chain, work: Work, files: Sequence[SourceFile]) -> Iterable[str]:
    if not is_empty(work.destination):
        yield f"{work.destination} is not empty, so that a run will be refused: plan with another --to"
    found = work.columns.of(Source(work.archive, files[0].path, work.prefix).schema())
    if not found.key and any(isinstance(each, SetKey) for step in chain.steps for each in walk(step.operations)):
        yield "the chain gives events another key, and the archive has no column for it: the new keys are not written"
