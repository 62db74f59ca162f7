"""One route: a source topic, the chain its events pass, and where they go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from upcasters.detection import StampAt
from upcasters.policy import DuplicateKeys, FutureVersionChoice, Policy, UnknownTypeChoice, ValidationChoice
from upcasters.readers import READER_NAMES, ReaderName
from worker.settings.compression import Codec, Compression, compression_of
from worker.settings.detection import Rule, TypeRules, VersionRules, detection
from worker.settings.kafka import KafkaSettings
from worker.settings.schemas import ReadsSettings, WritesSettings
from worker.settings.sections import Section, parse_text

DeliveryGuarantee = Literal["exactly-once", "at-least-once"]


def _legal_topic(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", name) or name in {".", ".."}:
        raise ValueError("must be a topic name: up to 249 letters, digits, dots, hyphens and underscores")
    return name


def _target(given: Any) -> Any:
    """A plain string is meant for the route's own type; the map is made once that is known."""
    if not isinstance(given, str | dict):
        told = "must be text (put it in quotes: 1.10 is 1.1 otherwise), or a map of type to version"
        raise ValueError(told)  # noqa: TRY004  # pydantic takes ValueErrors
    return parse_text(given) if isinstance(given, str) and given.lstrip().startswith("{") else given


def _readers(given: Any) -> Any:
    """One name stands for itself."""
    if isinstance(given, str):
        given = parse_text(given) if given.lstrip().startswith("[") else [given]
    return given


Topic = Annotated[str, AfterValidator(_legal_topic)]


class ValidateSettings(Section):
    target: ValidationChoice = Field(
        "always",
        description=(
            "Validate results against the target version's model: `always` makes dead letters of invalid results, "
            "`observe` counts and reports a share and writes them anyway (`sampled` is its old name), or `never`."
        ),
    )
    source: ValidationChoice = Field(
        "observe",
        description="Validate events against their own version's model first; `observe` and `never` as above.",
    )
    sample: float = Field(0.01, gt=0, le=1, description="Share of the events that `observe` validates; 1 is all.")


class BreakerSettings(Section):
    rate: float = Field(
        0.5,
        gt=0,
        le=1,
        description="The lane pauses when more than this share of the window is dead letters.",
    )
    window: PositiveInt = Field(1000, description="Number of the lane's last records over which the rate is computed.")
    count: NonNegativeInt = Field(
        0, description="The lane pauses after this many dead letters since it started; 0 means no limit."
    )
    resume: Literal["restart", "api"] = Field(
        "restart", description="What closes an open breaker: a restart too, or the API alone."
    )


class LimitSettings(Section):
    transaction_records: PositiveInt = Field(8000, description="Records in one transaction of a lane, at most.")
    transaction_seconds: PositiveFloat = Field(
        0.25, description="Seconds of work in one transaction of a lane, at most."
    )
    in_flight_bytes: PositiveInt = Field(
        4 * 1024 * 1024, description="Bytes fetched and not yet committed at which a lane stops fetching."
    )
    in_flight_records: PositiveInt = Field(
        100_000, description="Records fetched and not yet committed at which a lane stops fetching."
    )
    records_per_second: PositiveFloat | None = Field(
        None, description="Rate limit of the whole route; none means no limit."
    )


class RouteSettings(Section):
    source: Topic = Field(description="Topic to read.")
    destination: Topic = Field(description="Topic to write to.")
    dead_letter: Topic = Field(
        "", description="Topic of dead letters; default: `<source>-dlt`.", validate_default=False
    )
    chain: str = Field(
        "upcasters.devteam_runner:chain",
        description="The chain as `module:attribute`, or the name of an entry point.",
    )
    reads: ReadsSettings = Field(default_factory=ReadsSettings, description="How values stand in the source.")
    writes: WritesSettings = Field(default_factory=WritesSettings, description="How values stand in the destination.")
    event_type: TypeRules = Field(
        (),
        description="The events' type, or the rules that find it: `{header: …}`, `{field: …}`, "
        "`{cloudevents: type}`, `{schema: …}`; none means the chain's own.",
    )
    version: VersionRules = Field(
        (),
        description="Rules that find the version: `{header: …}`, `{field: …}`, `{cloudevents: …}`, `{schema: …}`, "
        "`shape`, `{default: …}`; none means the chain's own.",
    )
    stamp: StampAt = Field(
        "found",
        description="Where the new version is written: wherever a rule `found` the old one, or also where the `first` "
        "rule that reads a header or field would read it.",
    )
    readers: Annotated[
        tuple[ReaderName, ...] | None,
        BeforeValidator(_readers, json_schema_input_type=ReaderName | list[ReaderName] | None),
    ] = Field(
        None,
        description="What makes JSON of values that are nearly JSON, in this order, in front of all else: any of "
        f"{', '.join(f'`{name}`' for name in READER_NAMES)}; none means the chain's own, `[]` not even those.",
    )
    target: Annotated[str | dict[str, str], BeforeValidator(_target)] = Field(
        default_factory=dict,
        description="Version to bring events to, or a map of type to version; default: the current one.",
    )
    unknown_type: UnknownTypeChoice = Field(
        "dead-letter", description="What becomes of a type the chain does not know."
    )
    future_version: FutureVersionChoice = Field(
        "dead-letter", description="What becomes of a version newer than the chain knows."
    )
    duplicate_keys: DuplicateKeys = Field(
        "refuse-opened",
        description=(
            "Duplicate keys in an object: an event is refused where the chain opens the object (other objects keep "
            "both), with `refuse` also elsewhere; with `last-wins` an opened object keeps the last one."
        ),
    )
    validation: ValidateSettings = Field(
        default_factory=ValidateSettings,
        alias="validate",
        description="When events are validated against models.",
    )
    allow_loss: bool = Field(
        False, description="Downcast events also over steps that cannot be undone completely: what is lost stays lost."
    )
    delivery: DeliveryGuarantee = Field(
        "exactly-once", description="Transactions (exactly once), or produce before commit (at least once)."
    )
    compression: Codec | None = Field(
        None, description="Compression of the records produced; none means `kafka.compression` and its level."
    )
    compression_level: int | None = Field(None, description="Level of the route's own compression.")
    lineage_headers: bool = Field(
        False, description="Add `upcaster.*` headers that say where an output record came from."
    )
    include_values: bool = Field(False, description="Allow values of the event in error texts of dead letters.")
    producer_header: str | None = Field(
        None,
        min_length=1,
        description="Header that names an event's producer, for `upcast census --retire`; Kafka itself keeps none.",
    )
    short_retention: Literal["refuse", "warn"] = Field(
        "refuse",
        description="What to do at the start where a topic would delete old records as soon as they are written.",
    )
    breaker: BreakerSettings = Field(default_factory=BreakerSettings, description="When dead letters pause a lane.")
    limits: LimitSettings = Field(default_factory=LimitSettings, description="Bounds of work and memory.")

    @model_validator(mode="before")
    @classmethod
    def _name_dead_letter(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("dead_letter") is None and given.get("source"):
            return {**given, "dead_letter": f"{given['source']}-dlt"}
        return given

    @model_validator(mode="after")
    def _topics_differ(self) -> Self:
        if self.source == self.destination and not self.lineage_headers:
            raise ValueError(
                f"source and destination are both {self.source}: the worker would read what it writes; "
                "name another destination, or set lineage_headers: true, by which the worker recognises its own records"
            )
        if self.dead_letter in {self.source, self.destination}:
            raise ValueError(f"dead_letter is {self.dead_letter}, the route's source or destination: name another")
        return self

    @model_validator(mode="after")
    def _level_fits(self) -> Self:
        if self.compression is not None:
            compression_of(self.compression, self.compression_level)
        elif self.compression_level is not None:
            raise ValueError("compression_level is that of the route's own compression, which is not given: name it")
        return self

    @model_validator(mode="after")
    def _frames_fit(self) -> Self:
        asked = [rule for rule in (*self.event_type, *self.version) if rule.of_schema]
        if asked and not self.reads.framed:
            raise ValueError("a rule asks the schema, and reads.frame is none: name the frame of the source's values")
        if asked and self.stamp == "first":
            raise ValueError("stamp: first writes the version where a rule reads it, and a schema is no such place")
        if not self.writes.framed and (self.writes.schemas or self.writes.register_):
            raise ValueError(
                "writes names schemas, and writes.frame is none: name the frame of the destination's values"
            )
        passes = {"unknown_type": self.unknown_type, "future_version": self.future_version}
        for what in ("format", "frame"):
            before, after = getattr(self.reads, what), getattr(self.writes, what)
            if before != after and (wrong := [name for name in passes if passes[name] == "pass"]):
                raise ValueError(
                    f"{wrong[0]}: pass would bring values with the {what} {before} into {self.destination}, whose "
                    f"{what} is {after}: choose another policy"
                )
        return self

    @property
    def framed(self) -> bool:
        """Whether a schema registry is needed."""
        return self.reads.framed or self.writes.framed or self.writes.key is not None

    @property
    def by_schema(self) -> bool:
        """Whether values are read or written by their schemas, and are not JSON on both sides."""
        return {self.reads.format, self.writes.format} != {"json"}

    @model_validator(mode="after")
    def _target_has_a_type(self) -> Self:
        if isinstance(self.target, str) and self.fixed_type is None:
            raise ValueError("target must be a map of type to version, because event_type is not one fixed type")
        return self

    @property
    def fixed_type(self) -> str | None:
        """The one type of all events, where the route names it."""
        rules: tuple[Rule, ...] = self.event_type
        return rules[0].default if len(rules) == 1 else None

    def compression_beside(self, kafka: KafkaSettings) -> Compression:
        """The compression of what the route writes: its own, or else that of all routes."""
        if self.compression is None:
            return compression_of(kafka.compression, kafka.compression_level)
        return compression_of(self.compression, self.compression_level)

    def policy(self) -> Policy:
        """What the pure engine needs to know of this route."""
        target = {self.fixed_type or "": self.target} if isinstance(self.target, str) else self.target
        return Policy(
            detection=detection(self.event_type, self.version, self.stamp),
            target=target,
            unknown_type=self.unknown_type,
            future_version=self.future_version,
            duplicate_keys=self.duplicate_keys,
            validate_target=self.validation.target,
            validate_source=self.validation.source,
            sample_every=max(1, round(1 / self.validation.sample)),
            include_values=self.include_values,
            allow_loss=self.allow_loss,
            readers=self.readers,
        )
