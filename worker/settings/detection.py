"""How a route's configuration names the rules that find an event's type and version."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from upcasters.detection import (
    Always,
    Detection,
    FromCloudEvents,
    FromField,
    FromHeader,
    FromShape,
    StampAt,
    TypeRule,
    VersionRule,
)
from worker.settings.schemas import SchemaRule
from worker.settings.sections import Section, parse_text

SCHEMA_TYPE = "upcaster.schema.type"
SCHEMA_VERSION = "upcaster.schema.version"
"""Headers that stand for what a schema says, where an event is looked at without its frame. No record has them."""


class Rule(Section):
    """One rule: exactly one of its keys, and ``pattern`` beside ``cloudevents`` only."""

    header: str | None = Field(None, description="The value of this record header.")
    field: str | tuple[str, ...] | None = Field(
        None,
        description="The string or number at this path of the value; a list of keys where keys hold dots.",
    )
    cloudevents: str | None = Field(None, description="This CloudEvents attribute, from headers or envelope.")
    pattern: str | None = Field(None, description="Regular expression whose first group is the answer.")
    shape: bool = Field(False, description="Which fields are there, as the chain declares it (write `shape`).")
    of_schema: SchemaRule | None = Field(
        None, alias="schema", description="What the schema says that the frame of the value names."
    )
    default: str | None = Field(None, description="The value where no other rule matches.")

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        names = ("header", "field", "cloudevents", "shape", "of_schema", "default")
        if len([key for key in names if getattr(self, key)]) != 1:
            raise ValueError("a rule has exactly one of header, field, cloudevents, shape, schema and default")
        if self.pattern and (self.shape or self.default or (self.of_schema and self.of_schema.number)):
            raise ValueError("pattern goes with header, field or cloudevents, and with property or field of a schema")
        return self

    def type_rule(self) -> TypeRule:
        if self.of_schema:
            return FromHeader(SCHEMA_TYPE)
        if self.header:
            return FromHeader(self.header, self.pattern)
        if self.field:
            return FromField(self.field, self.pattern)
        if self.cloudevents:
            return FromCloudEvents(self.cloudevents, self.pattern)
        return Always(self.default or "")

    def version_rule(self) -> VersionRule:
        if self.of_schema:
            return FromHeader(SCHEMA_VERSION)
        return FromShape() if self.shape else self.type_rule()


def _as_list(given: Any) -> Any:
    if isinstance(given, str) and given.lstrip().startswith(("[", "{")):
        given = parse_text(given)
    return list(given) if isinstance(given, list | tuple) else [given]


def _type_rules(given: Any) -> Any:
    """A plain string is the type itself."""
    return [{"default": rule} if isinstance(rule, str) else rule for rule in _as_list(given)]


def _version_rules(given: Any) -> Any:
    """The word ``shape`` is the rule; any other plain string is the version itself."""
    words = {"shape": {"shape": True}}
    return [words.get(rule, {"default": rule}) if isinstance(rule, str) else rule for rule in _as_list(given)]


def _default_last(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    if any(rule.default for rule in rules[:-1]):
        raise ValueError("a default counts only where no other rule matches: put it last")
    return rules


def _schema_alone(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Whoever reads the frame need not ask the others then."""
    if any(rule.of_schema for rule in rules) and any(not (rule.of_schema or rule.default) for rule in rules):
        raise ValueError("a rule with schema stands alone, or before a default: leave out the others")
    if len([rule for rule in rules if rule.of_schema]) > 1:
        raise ValueError("two rules ask the schema: keep one of them")
    return rules


def _no_shape(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    if any(rule.shape for rule in rules):
        raise ValueError("shape detects versions, not types")
    return rules


_OneOrMore = str | Rule | list[str | Rule]

TypeRules = Annotated[
    tuple[Rule, ...],
    BeforeValidator(_type_rules, json_schema_input_type=_OneOrMore),
    AfterValidator(_no_shape),
    AfterValidator(_schema_alone),
    AfterValidator(_default_last),
]
VersionRules = Annotated[
    tuple[Rule, ...],
    BeforeValidator(_version_rules, json_schema_input_type=_OneOrMore),
    AfterValidator(_schema_alone),
    AfterValidator(_default_last),
]


def detection(event_type: tuple[Rule, ...], version: tuple[Rule, ...], stamp: StampAt = "found") -> Detection:
    return Detection(
        event_type=tuple(rule.type_rule() for rule in event_type),
        version=tuple(rule.version_rule() for rule in version),
        stamp=stamp,
    )
