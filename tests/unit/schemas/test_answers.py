"""What a schema says of its events, by number, property or field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from worker.schemas.answers import Answers, NoAnswerError, SchemaReader
from worker.schemas.known import KnownSchema, Place
from worker.settings.detection import Rule

SCHEMA = {"title": "Order", "x-version": "1.1", "about": {"no": 7, "is": True, "a.b": "dotted"}}


def known(*places: tuple[str, int], **properties: str) -> KnownSchema:
    return KnownSchema(
        "JSON", json.dumps(SCHEMA), 12, places=tuple(Place(*each) for each in places), properties=properties
    )


def rules(*given: dict[str, Any]) -> tuple[Rule, ...]:
    return tuple(Rule.model_validate(each) for each in given)


def version(schema: KnownSchema, rule: dict[str, Any], *more: dict[str, Any]) -> str | None:
    return SchemaReader((), rules(rule, *more), "o-value").answers(schema).version


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ({"schema": {"field": "x-version"}}, "1.1"),
        ({"schema": {"field": "about.no"}}, "7"),
        ({"schema": {"field": ["about", "a.b"]}}, "dotted"),
        ({"schema": {"field": "title"}, "pattern": "^(.)"}, "O"),
        ({"schema": {"property": "chain"}}, "2.0"),
        ({"schema": {"property": "chain"}, "pattern": r"^(\d+)\."}, "2"),
        ({"schema": {"number": {3: "1.0", 4: "1.1"}}}, "1.0"),
    ],
)
def test_a_schema_says_it(rule: dict[str, Any], answer: str) -> None:
    assert version(known(("other-value", 4), ("o-value", 3), chain="2.0"), rule) == answer


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"schema": {"field": "none.at.all"}}, "nothing at none.at.all"),
        ({"schema": {"field": "about.is"}}, "nothing at about.is"),
        ({"schema": {"property": "none"}}, "no property none"),
        ({"schema": {"number": {9: "1.0"}}}, "no version that it has under o-value"),
        ({"schema": {"number": {3: "1.0", 4: "1.1"}}}, "no version that it has under o-value"),
        ({"schema": {"field": "title"}, "pattern": "^(x)"}, "nothing at title"),
    ],
)
def test_what_it_does_not_say_is_an_error_or_the_defaults_answer(rule: dict[str, Any], told: str) -> None:
    twice = known(("o-value", 3), ("o-value", 4))
    with pytest.raises(NoAnswerError, match=told):
        version(twice, rule)
    assert version(twice, rule, {"default": "1.0"}) is None


def test_a_type_is_asked_for_in_the_same_way() -> None:
    reader = SchemaReader(rules({"schema": {"field": "title"}}), rules({"default": "1"}), "o-value")
    assert reader.answers(known()) == Answers("Order", None)


def test_a_schema_from_disk_may_have_got_places_since() -> None:
    by_number = SchemaReader((), rules({"schema": {"number": {1: "1.0"}}}), "o-value")
    assert by_number.may_be_stale(known(("p-value", 1)))
    assert not by_number.may_be_stale(known(("o-value", 7)))
    assert not SchemaReader((), rules({"schema": {"field": "title"}}), "o-value").may_be_stale(known())


def test_a_schema_that_is_no_json_says_nothing() -> None:
    with pytest.raises(NoAnswerError):
        version(KnownSchema("JSON", "[" * 100_000, 1), {"schema": {"field": "title"}})
