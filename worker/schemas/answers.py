"""What a schema says of the events that were written by it: their type and version, by a route's rules. Pure."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from worker.schemas.known import KnownSchema
from worker.settings.detection import Rule
from worker.settings.schemas import SchemaRule


class Answers(NamedTuple):
    """None where the schema is not asked, or says nothing."""

    event_type: str | None = None
    version: str | None = None


class NoAnswerError(Exception):
    """The schema ought to say it and does not; says what was looked for."""


def rule_of(rules: tuple[Rule, ...]) -> Rule | None:
    """The rule among them that asks the schema."""
    return next((rule for rule in rules if rule.of_schema), None)


class SchemaReader:
    """``subject`` is the one whose versions are meant where a rule goes by their numbers."""

    def __init__(self, event_type: tuple[Rule, ...], version: tuple[Rule, ...], subject: str) -> None:
        self._event_type = event_type
        self._version = version
        self._subject = subject

    def answers(self, known: KnownSchema) -> Answers:
        """Raises NoAnswerError."""
        return Answers(self._ask(self._event_type, known, "type"), self._ask(self._version, known, "version"))

    def may_be_stale(self, known: KnownSchema) -> bool:
        """Whether a rule goes by places that this schema, which was kept for long, has got since."""
        rules = (rule_of(self._event_type), rule_of(self._version))
        by_number = any(rule and rule.of_schema and rule.of_schema.number for rule in rules)
        return by_number and not known.under(self._subject)

    def _ask(self, rules: tuple[Rule, ...], known: KnownSchema, what: str) -> str | None:
        rule = rule_of(rules)
        if rule is None or rule.of_schema is None:
            return None
        found = _matched(self._found(rule.of_schema, known), rule.pattern)
        if found is None and len(rules) == 1:
            raise NoAnswerError(
                f"schema {known} does not say the {what} of its events: {self._missing(rule.of_schema)}"
            )
        return found

    def _found(self, rule: SchemaRule, known: KnownSchema) -> str | None:
        if rule.number:
            named = {rule.number[str(each)] for each in known.under(self._subject) if str(each) in rule.number}
            return named.pop() if len(named) == 1 else None
        if rule.property:
            return known.properties.get(rule.property)
        return _at(known.text, rule.field)

    def _missing(self, rule: SchemaRule) -> str:
        if rule.number:
            return f"the rule's numbers name no version that it has under {self._subject}"
        return f"there is no property {rule.property}" if rule.property else f"there is nothing at {_shown(rule.field)}"


def _matched(found: str | None, pattern: str | None) -> str | None:
    if found is None or pattern is None:
        return found
    match = re.search(pattern, found)
    return match.group(1) if match else None


def _at(text: str, path: str | tuple[str, ...]) -> str | None:
    """A string or number inside the schema's own text; a dot leads inwards."""
    try:
        node: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    for key in path.split(".") if isinstance(path, str) else path:
        node = node.get(key) if isinstance(node, dict) else None
    if isinstance(node, bool) or not isinstance(node, str | int | float):
        return None
    return str(node)


def _shown(path: str | tuple[str, ...]) -> str:
    return path if isinstance(path, str) else ".".join(path)
