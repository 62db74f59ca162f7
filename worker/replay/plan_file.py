"""The plan: what a bounded pass would do, frozen, in a file that a person can review and `upcast replay` applies.

It holds coordinates, paths and counts, and never a value of an event. Lists in it are bounded.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.errors import WorkerError

FORMAT: Final = 1
KIND: Final = "upcast-plan"


class Part(BaseModel):
    """A part of the file: frozen, and strict about keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Coordinates(Part):
    """Where a record stands in the source topic."""

    partition: int
    offset: int


class Mark(Part):
    """A record by which the topic is known again: 16 hex digits over its timestamp, key, value and headers."""

    offset: int
    digest: str


class PlannedRange(Part):
    """``[start, end)`` of one partition. ``records`` can be fewer than offsets: markers, aborted and compacted ones.

    ``marks`` are a few records of the range; a topic made anew under the same name does not have them.
    """

    partition: int
    start: int
    end: int
    records: int = 0
    marks: tuple[Mark, ...] = ()

    @property
    def empty(self) -> bool:
        return self.start >= self.end


class PlannedRoute(Part):
    """Topics, the chain and what of the configuration decides the output."""

    source: str
    destination: str
    dead_letter: str
    chain: str
    chain_fingerprint: str
    config_fingerprint: str
    targets: dict[str, str] = Field(default_factory=dict)
    """Type -> version, where the route pins it."""


class Filters(Part):
    """Which records take part; an empty list lets all through. The rest is ``skipped``, reason ``filtered``.

    Keys are text, compared as UTF-8.
    """

    types: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    key_prefixes: tuple[str, ...] = ()


class OutcomeCounts(Part):
    """``read`` is the sum of upcast, passed, skipped and dead-lettered; ``produced`` are records to the destination."""

    read: int = 0
    upcast: int = 0
    passed: int = 0
    skipped: dict[str, int] = Field(default_factory=dict)
    dead_lettered: int = 0
    produced: int = 0


class HopCount(Part):
    """How many records take one hop of the chain. Empty versions mean that the events carry none."""

    event_type: str
    source: str
    target: str
    step: str
    records: int


class PassageCount(Part):
    """Records that the chain changes, by type and version before and after. They add up to ``counts.upcast``."""

    event_type: str
    from_version: str
    to_version: str
    records: int


class FaultGroup(Part):
    """Would-be dead letters with one fault. ``samples`` are the first few of them."""

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


class LostPath(Part):
    """A path of sampled source events whose content reaches no path of the output, and that no step drops by name."""

    path: str
    event_type: str
    from_version: str
    to_version: str
    events: int
    samples: tuple[Coordinates, ...] = ()


class LossReport(Part):
    """``compared`` events were looked at field by field. ``truncated``: there were more paths than are kept."""

    compared: int = 0
    lost: tuple[LostPath, ...] = ()
    truncated: bool = False


class Determinism(Part):
    """``compared`` events were upcast twice; ``different`` of them came out in two ways."""

    compared: int = 0
    different: int = 0
    samples: tuple[Coordinates, ...] = ()


class Estimate(Part):
    """What a replay will cost: seconds on a machine such as the planning one, and bytes of values, keys and headers."""

    seconds: float = 0.0
    input_bytes: int = 0
    output_records: int = 0
    output_bytes: int = 0


class Plan(Part):
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
    warnings: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    """Fault fingerprints and ``loss:PATH``, as given by the operator."""

    def content(self) -> dict[str, Any]:
        """The plan as plain JSON values."""
        return self.model_dump(mode="json")

    def digest(self) -> str:
        """SHA-256 of the content, in 64 hex digits: the same for the same plan, however the file is laid out."""
        canonical = json.dumps(self.content(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def replay_id(self) -> str:
        """The name of the one replay of this plan: 12 hex digits, safe in a group's name and in a header."""
        return self.digest()[:12]

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
    content = {**plan.content(), "digest": plan.digest()}
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    unfinished = path.with_name(path.name + ".part")
    try:
        unfinished.write_text(text, encoding="utf-8", errors="surrogatepass")
        unfinished.replace(path)
    except OSError as error:
        raise WorkerError(f"{path}: cannot write the plan: {error.strerror}: name another file with --out") from None


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
