"""The plan: what a bounded pass would do, frozen, in a file that a person can review and `upcast replay` applies.

It holds coordinates, paths and counts, and never a value of an event. Lists in it are bounded.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from worker.errors import WorkerError
from worker.replay.plan.parts import (
    Coordinates,
    Determinism,
    Estimate,
    FaultGroup,
    Filters,
    HopCount,
    LossReport,
    LostPath,
    ObservedViolation,
    OutcomeCounts,
    PassageCount,
    PlannedRange,
    PlannedRoute,
    PlanPart,
    Redrive,
)
from worker.replay.sealed import digest_of, write_sealed

FORMAT: Final = 1
ID_DIGITS = 12
KIND: Final = "upcast-plan"


class Plan(PlanPart):
    """The whole file. ``digest`` is over all the rest, so that an edit by hand is seen."""

    kind: Literal["upcast-plan"] = KIND
    format: Literal[1] = FORMAT
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
    """There were more kinds of faults than are kept; the counts are complete all the same."""
    loss: LossReport = LossReport()
    determinism: Determinism = Determinism()
    estimate: Estimate = Estimate()
    observed: tuple[ObservedViolation, ...] = ()
    warnings: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    """Fault fingerprints and ``loss:PATH``, as given by the operator."""

    def content(self) -> dict[str, Any]:
        """The plan as plain JSON values."""
        return self.model_dump(mode="json")

    def digest(self) -> str:
        """SHA-256 of the content, in 64 hex digits: the same for the same plan, however the file is laid out."""
        return digest_of(self.content())

    @property
    def replay_id(self) -> str:
        """The name of the one replay of this plan: hex digits, safe in a group's name and in a header."""
        return self.digest()[:ID_DIGITS]

    @property
    def topic(self) -> str:
        """What is read."""
        return self.route.source if self.redrive is None else self.route.dead_letter

    @property
    def word(self) -> str:
        return "replay" if self.redrive is None else "redrive"

    @property
    def dead_letters_allowed(self) -> int:
        """How many were found when it was made; one that is applied has them all allowed by name."""
        return sum(group.count for group in self.dead_letters)

    def objections(self) -> list[str]:
        """What would be lost, dead-lettered or not the same twice, and was not allowed; a line each. Such a plan is
        not applied."""
        allowed = set(self.allowed)
        lines = [_dead(group) for group in self.dead_letters if group.fingerprint not in allowed]
        lines += [_lost(lost) for lost in self.loss.lost if f"loss:{lost.path}" not in allowed]
        if self.dead_letters_truncated:
            lines.append("more kinds of dead letters than a plan lists: mend the chain, or plan a smaller range")
        if self.loss.truncated:
            lines.append("more lost paths than a plan lists: mend the chain, or plan one type at a time")
        if self.determinism.different:
            lines.append(_different(self.determinism))
        return lines


def _dead(group: FaultGroup) -> str:
    place = " ".join(part for part in (group.step, group.path) if part)
    at = f" at {place}" if place else ""
    return (
        f"{group.count} dead letters, {group.error_type} in {group.stage}{at}{_first(group.samples)}: "
        f"mend them, or allow them with --allow {group.fingerprint}"
    )


def _lost(lost: LostPath) -> str:
    return (
        f"{lost.path} of {lost.event_type} {lost.from_version} reaches no path of {lost.to_version}"
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


def write_plan(plan: Plan, path: Path) -> None:
    """Write the file, whole or not at all. Raises WorkerError where that cannot be."""
    try:
        write_sealed(plan.content(), path)
    except OSError as error:
        raise WorkerError(f"{path}: cannot write the plan: {error.strerror}: name another file") from None


def kept_plan(path: Path) -> str:
    """The id of the replay whose plan is in the file; empty where there is no file. Raises WorkerError where it holds
    anything else: that would be overwritten."""
    if not path.exists():
        return ""
    return str(_content(path).get("digest"))[:ID_DIGITS]


def read_plan(path: Path) -> Plan:
    """Raises WorkerError for a file that is missing, no plan, of a newer version, or edited since it was written."""
    content = _content(path)
    if content.get("format") != FORMAT:
        raise WorkerError(
            f"{path}: a plan of format {content.get('format')}, this worker reads {FORMAT}: "
            "make it again with `upcast plan`, or use the worker that wrote it"
        )
    digest = content.pop("digest", None)
    try:
        plan = Plan.model_validate(content)
    except ValidationError as error:
        place = ".".join(map(str, error.errors(include_input=False)[0]["loc"]))
        raise WorkerError(f"{path}: {place} is wrong: make the plan again with `upcast plan`") from None
    if digest != plan.digest():
        raise WorkerError(
            f"{path}: its content does not fit its digest, so it was edited: make it again with `upcast plan`"
        )
    return plan


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8", errors="surrogatepass"))
    except OSError as error:
        raise WorkerError(f"{path}: cannot read the plan: {error.strerror}: name the file of `upcast plan`") from None
    except ValueError:
        content = None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise WorkerError(f"{path}: is no plan: name the file that `upcast plan --out` wrote")
    return content
