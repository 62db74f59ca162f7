"""The plan file: what a bounded pass would do. A person reviews it, `upcast replay` or `upcast dlq redrive` applies it.

Its parts hold coordinates, paths and counts; never a value of an event."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from upcast_authoring.counted import counted
from worker.replay.sealed_file import FileKind, FilePart, SealedFile


class Coordinates(FilePart):
    """Where a record stands in the source topic."""

    partition: int
    offset: int


class Mark(FilePart):
    """A record that identifies the topic: its offset, and 16 hex digits over its timestamp, key, value and headers."""

    offset: int
    digest: str


class PlannedRange(FilePart):
    """``[start, end)`` of one partition. ``records`` can be fewer than offsets: markers, aborted and compacted ones.

    ``marks`` are a few records of the range; a topic that was deleted and created again does not have them.
    """

    partition: int
    start: int
    end: int
    records: int = 0
    marks: tuple[Mark, ...] = ()

    @property
    def empty(self) -> bool:
        return self.start >= self.end


class PlannedRoute(FilePart):
    """The topics, the chain, and the settings that decide the output."""

    source: str
    destination: str
    dead_letter: str
    chain: str
    chain_fingerprint: str
    config_fingerprint: str
    targets: dict[str, str] = Field(default_factory=dict)
    """Type -> version, where the route pins it."""
    config: dict[str, str] = Field(default_factory=dict)
    """The settings behind the fingerprint, each as JSON."""
    steps: dict[str, str] = Field(default_factory=dict)
    """The chain's steps by id, each with a fingerprint of its own."""


class Filters(FilePart):
    """Which records take part; an empty list selects all. The others are ``skipped`` for the reason ``filtered``.

    Keys are text, compared as UTF-8.
    """

    types: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    key_prefixes: tuple[str, ...] = ()


class TakenBefore(FilePart):
    """What earlier redrives took of one fault in one partition: every letter below ``offset`` that was redriven fewer
    than ``rounds`` times."""

    partition: int
    fingerprint: str
    limits: tuple[tuple[int, int], ...]


class Predecessor(FilePart):
    """The state of the previous redrive: a digest of the account that it committed beside its offset."""

    partition: int
    digest: str


class Redrive(FilePart):
    """The part that makes a plan one of a redrive: its ranges are of the dead-letter topic. The fingerprint ``*``
    selects all faults. A letter that was redriven ``rounds`` times is not taken. ``aligned``: each letter stands in the
    partition of the record that it was.
    """

    fingerprints: tuple[str, ...]
    rounds: int
    aligned: bool
    oldest: int | None = None
    """The earliest timestamp (ms) of the records that are taken."""
    taken: tuple[TakenBefore, ...] = ()
    predecessors: tuple[Predecessor, ...] = ()


class OutcomeCounts(FilePart):
    """``read`` is the sum of upcast, passed, skipped and dead-lettered; ``produced`` are records to the destination.

    ``tombstones`` are those of them that the chain has made null values on purpose. A file says nothing of it where
    there are none, as those did that were written before.
    """

    read: int = 0
    upcast: int = 0
    passed: int = 0
    skipped: dict[str, int] = Field(default_factory=dict)
    dead_lettered: int = 0
    produced: int = 0
    tombstones: int = 0

    @model_serializer(mode="wrap")
    def _told(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        told: dict[str, Any] = handler(self)
        if not self.tombstones:
            del told["tombstones"]
        return told


class ObservedViolation(FilePart):
    """Records that are written although they violate the model of ``version``, because validation only observes."""

    event_type: str
    version: str
    path: str
    message: str
    records: int


class HopCount(FilePart):
    """How many records take one hop of the chain. Empty versions mean that the events carry none."""

    event_type: str
    source: str
    target: str
    step: str
    records: int


class PassageCount(FilePart):
    """Records that the chain changes, by type and version before and after. They add up to ``counts.upcast``."""

    event_type: str
    from_version: str
    to_version: str
    records: int


class FaultGroup(FilePart):
    """Records that would become dead letters with the same fault. ``samples`` are the first few of them."""

    fingerprint: str
    count: int
    stage: str
    error_type: str
    event_type: str = ""
    from_version: str = ""
    to_version: str = ""
    step: str = ""
    path: str = ""
    samples: tuple[Coordinates, ...] = ()


class LostPath(FilePart):
    """A path of sampled source events whose content does not reach the output, although no step drops it by name."""

    path: str
    event_type: str
    from_version: str
    to_version: str
    events: int
    samples: tuple[Coordinates, ...] = ()


class LossReport(FilePart):
    """``compared`` events were compared field by field. ``truncated``: more paths were lost than are listed. At the
    ``unjudged`` paths the chain accepts only the value that was there, so that the comparison cannot tell whether it
    arrives."""

    compared: int = 0
    unjudged: tuple[str, ...] = ()
    lost: tuple[LostPath, ...] = ()
    truncated: bool = False


class Determinism(FilePart):
    """``compared`` events were upcast twice; ``different`` of them came out in two ways."""

    compared: int = 0
    different: int = 0
    samples: tuple[Coordinates, ...] = ()


class Estimate(FilePart):
    """What a replay will cost. ``seconds`` and ``records_per_second`` are the dry run's own, as measured: reading and
    upcasting without writing, so a replay on the same machine takes no less. Bytes are of values, keys and headers."""

    seconds: float = 0.0
    records_per_second: int = 0
    input_bytes: int = 0
    output_records: int = 0
    output_bytes: int = 0


ID_DIGITS = 12


class Plan(SealedFile):
    """The whole file."""

    kind: Literal["upcast-plan"] = "upcast-plan"
    format: Literal[1] = 1
    created: datetime
    worker_version: str
    cluster_id: str
    asked_from: str
    asked_to: str
    route: PlannedRoute
    filters: Filters = Filters()
    redrive: Redrive | None = None
    """Only in a plan of `upcast dlq redrive`."""
    ranges: tuple[PlannedRange, ...]
    counts: OutcomeCounts = OutcomeCounts()
    passages: tuple[PassageCount, ...] = ()
    hops: tuple[HopCount, ...] = ()
    dead_letters: tuple[FaultGroup, ...] = ()
    dead_letters_truncated: bool = False
    """There were more kinds of faults than a plan lists; the counts are complete."""
    loss: LossReport = LossReport()
    determinism: Determinism = Determinism()
    estimate: Estimate = Estimate()
    observed: tuple[ObservedViolation, ...] = ()
    warnings: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    """Fault fingerprints and ``loss:PATH``, as given by the operator."""

    @property
    def replay_id(self) -> str:
        """The id of the replay of this plan: hex digits, safe in a group's name and in a header."""
        return self.digest()[:ID_DIGITS]

    @property
    def topic(self) -> str:
        """What is read."""
        return self.route.source if self.redrive is None else self.route.dead_letter

    @property
    def activity(self) -> str:
        return "replay" if self.redrive is None else "redrive"

    @property
    def dead_letters_allowed(self) -> int:
        """How many dead letters the dry run found. A plan is only applied when all of them are allowed by
        fingerprint."""
        return sum(group.count for group in self.dead_letters)

    def objections(self) -> list[str]:
        """Why the plan must not be applied, a line each: what would be lost, become a dead letter or come out
        differently the second time, and was not allowed."""
        allowed = set(self.allowed)
        lines = [_dead(group) for group in self.dead_letters if group.fingerprint not in allowed]
        lines += [_lost(lost) for lost in self.loss.lost if f"loss:{lost.path}" not in allowed]
        if self.dead_letters_truncated:
            lines.append("more kinds of dead letters than a plan can list: correct the chain, or plan a smaller range")
        if self.loss.truncated:
            lines.append("more lost paths than a plan can list: correct the chain, or plan one type at a time")
        if self.determinism.different:
            lines.append(_different(self.determinism))
        return lines


def _dead(group: FaultGroup) -> str:
    place = " ".join(part for part in (group.step, group.path) if part)
    at = f" at {place}" if place else ""
    dead, them = counted(group.count, "dead letter"), "it" if group.count == 1 else "them"
    return (
        f"{dead}, {group.error_type} in {group.stage}{at}{_first(group.samples)}: correct the chain, or allow {them} "
        f"with --allow {group.fingerprint}"
    )


def _lost(lost: LostPath) -> str:
    return (
        f"{lost.path} of {lost.event_type} {lost.from_version} does not reach {lost.to_version}"
        f"{_first(lost.samples)}: drop it by name in a step, or allow it with --allow 'loss:{lost.path}'"
    )


def _different(found: Determinism) -> str:
    return (
        f"{found.different} of {found.compared} events came out differently the second time"
        f"{_first(found.samples)}: a step depends on something beside the event; make it pure"
    )


def _first(samples: tuple[Coordinates, ...]) -> str:
    if not samples:
        return ""
    return f" (first at partition {samples[0].partition}, offset {samples[0].offset})"


PLAN_FILE = FileKind(
    Plan,
    name="plan",
    written_by="`upcast plan --out`",
    fix_content="make a new plan with `upcast plan`",
    fix_unwritable="name another file",
)
read_plan, write_plan = PLAN_FILE.read, PLAN_FILE.write


def kept_plan(path: Path) -> str:
    """The id of the replay whose plan is in the file at ``path``; empty where there is no file. Raises WorkerError
    where the file is no plan, since it would be overwritten."""
    if not path.exists():
        return ""
    return str(PLAN_FILE.content_of(path).get("digest"))[:ID_DIGITS]
