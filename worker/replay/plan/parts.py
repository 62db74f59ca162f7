"""The parts of a plan. Coordinates, paths and counts; never a value of an event."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PlanPart(BaseModel):
    """A part of the file: frozen, and strict about keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Coordinates(PlanPart):
    """Where a record stands in the source topic."""

    partition: int
    offset: int


class Mark(PlanPart):
    """A record by which the topic is known again: 16 hex digits over its timestamp, key, value and headers."""

    offset: int
    digest: str


class PlannedRange(PlanPart):
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


class PlannedRoute(PlanPart):
    """Topics, the chain and what of the configuration decides the output."""

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


class Filters(PlanPart):
    """Which records take part; an empty list lets all through. The rest is ``skipped``, reason ``filtered``.

    Keys are text, compared as UTF-8.
    """

    types: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    key_prefixes: tuple[str, ...] = ()


class TakenBefore(PlanPart):
    """What earlier redrives have taken of one fault in one partition: all before an offset with fewer rounds."""

    partition: int
    fingerprint: str
    limits: tuple[tuple[int, int], ...]


class Predecessor(PlanPart):
    """What the redrive before this one left beside its offset in Kafka, as a digest."""

    partition: int
    digest: str


class Redrive(PlanPart):
    """Makes a plan one of dead letters: its ranges are of the dead-letter topic. Fingerprint ``*`` means all faults.

    A letter that was redriven ``rounds`` times is left. ``aligned``: letters stand in their records' partitions.
    """

    fingerprints: tuple[str, ...]
    rounds: int
    aligned: bool
    oldest: int | None = None
    """The earliest timestamp (ms) of the records that are taken."""
    taken: tuple[TakenBefore, ...] = ()
    predecessors: tuple[Predecessor, ...] = ()


class OutcomeCounts(PlanPart):
    """``read`` is the sum of upcast, passed, skipped and dead-lettered; ``produced`` are records to the destination."""

    read: int = 0
    upcast: int = 0
    passed: int = 0
    skipped: dict[str, int] = Field(default_factory=dict)
    dead_lettered: int = 0
    produced: int = 0


class ObservedViolation(PlanPart):
    """Records that go on although they do not fit the model of ``version``: validation observes them, or a share."""

    event_type: str
    version: str
    path: str
    message: str
    records: int


class HopCount(PlanPart):
    """How many records take one hop of the chain. Empty versions mean that the events carry none."""

    event_type: str
    source: str
    target: str
    step: str
    records: int


class PassageCount(PlanPart):
    """Records that the chain changes, by type and version before and after. They add up to ``counts.upcast``."""

    event_type: str
    from_version: str
    to_version: str
    records: int


class FaultGroup(PlanPart):
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


class LostPath(PlanPart):
    """A path of sampled source events whose content reaches no path of the output, and that no step drops by name."""

    path: str
    event_type: str
    from_version: str
    to_version: str
    events: int
    samples: tuple[Coordinates, ...] = ()


class LossReport(PlanPart):
    """``compared`` events were looked at field by field. ``truncated``: there were more paths than are kept. The chain
    refuses every value but the one that was seen at the ``unjudged`` paths, so that nobody knows whether it arrives."""

    compared: int = 0
    unjudged: tuple[str, ...] = ()
    lost: tuple[LostPath, ...] = ()
    truncated: bool = False


class Determinism(PlanPart):
    """``compared`` events were upcast twice; ``different`` of them came out in two ways."""

    compared: int = 0
    different: int = 0
    samples: tuple[Coordinates, ...] = ()


class Estimate(PlanPart):
    """What a replay will cost. ``seconds`` and ``records_per_second`` are the dry run's own, as measured: reading and
    upcasting without writing, so a replay on the same machine takes no less. Bytes are of values, keys and headers."""

    seconds: float = 0.0
    records_per_second: int = 0
    input_bytes: int = 0
    output_records: int = 0
    output_bytes: int = 0
