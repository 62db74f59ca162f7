"""Topics are made as the rules of the preflight want them."""

from __future__ import annotations

import pytest

from worker.errors import WorkerError
from worker.preflight.creation import MissingTopic, missing_topics
from worker.preflight.facts import TopicFacts
from worker.settings import RouteSettings

ROUTE = RouteSettings(source="legacy", destination="current", dead_letter="legacy-dlt")
KEPT = {"retention.ms": "-1", "message.timestamp.type": "CreateTime"}


def facts(**topics: TopicFacts) -> dict[str, TopicFacts]:
    absent = {name: TopicFacts(name) for name in ("legacy", "current", "legacy-dlt", "again", "again-dlt")}
    return absent | {each.name: each for each in topics.values()}


def test_outputs_are_as_large_as_their_source() -> None:
    source = TopicFacts(
        "legacy", 6, {"max.message.bytes": "2000000", "cleanup.policy": "delete", "retention.ms": "1"}, replicas=2
    )
    assert missing_topics([ROUTE], facts(source=source), None, 1) == [
        MissingTopic("current", 6, 2, {**KEPT, "max.message.bytes": "2000000"}),
        MissingTopic("legacy-dlt", 6, 2, {**KEPT, "cleanup.policy": "delete", "max.message.bytes": "2032768"}),
    ]


def test_a_compacted_source_has_a_compacted_destination_and_dead_letters_that_stay() -> None:
    source = TopicFacts("legacy", 1, {"cleanup.policy": "compact,delete"})
    current, dead_letters = missing_topics([ROUTE], facts(source=source), None, 1)
    assert current.settings["cleanup.policy"] == "compact,delete"
    assert dead_letters.settings["cleanup.policy"] == "delete"


def test_what_is_there_stays() -> None:
    source, current = TopicFacts("legacy", 3), TopicFacts("current", 1)
    assert [each.name for each in missing_topics([ROUTE], facts(a=source, b=current), None, 1)] == ["legacy-dlt"]


def test_a_source_is_created_where_somebody_says_how_large() -> None:
    assert [(each.name, each.partitions, each.replicas) for each in missing_topics([ROUTE], facts(), 4, 5)] == [
        ("legacy", 4, 3),
        ("current", 4, 3),
        ("legacy-dlt", 4, 3),
    ]
    with pytest.raises(WorkerError, match=r"^legacy: the topic does not exist: give --partitions N"):
        missing_topics([ROUTE], facts(), None, 1)


def test_a_topic_of_two_routes_is_created_once() -> None:
    second = RouteSettings(source="current", destination="again", dead_letter="legacy-dlt")
    made = missing_topics([ROUTE, second], facts(source=TopicFacts("legacy", 2)), 5, 1)
    assert [each.name for each in made] == ["current", "legacy-dlt", "again"]
