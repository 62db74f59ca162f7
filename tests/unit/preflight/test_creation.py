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
    assert [(each.name, each.partitions) for each in made] == [("current", 2), ("legacy-dlt", 2), ("again", 2)]


def route(source: str, destination: str, dead_letter: str = "dlt") -> RouteSettings:
    return RouteSettings(source=source, destination=destination, dead_letter=dead_letter)


def created(routes: list[RouteSettings], *there: TopicFacts, partitions: int | None = None) -> dict[str, MissingTopic]:
    absent = {name: TopicFacts(name) for each in routes for name in (each.source, each.destination, each.dead_letter)}
    made = missing_topics(routes, absent | {each.name: each for each in there}, partitions, 3)
    assert len({each.name for each in made}) == len(made)
    return {each.name: each for each in made}


@pytest.mark.parametrize("turn", [1, -1])
def test_what_one_route_writes_and_another_reads_is_an_output(turn: int) -> None:
    routes = [route("a", "b"), route("b", "c"), route("c", "d", "other")][::turn]
    made = created(routes, TopicFacts("a", 6, {"max.message.bytes": "2000000"}, replicas=2))
    assert {(each.partitions, each.replicas) for each in made.values()} == {(6, 2)}
    assert {made[name].settings["max.message.bytes"] for name in "bcd"} == {"2000000"}
    assert {made[name].settings["retention.ms"] for name in "bcd"} == {"-1"}
    assert made["dlt"].settings["max.message.bytes"] == made["other"].settings["max.message.bytes"] == "2032768"


def test_a_topic_of_several_routes_has_room_for_the_largest_records_of_all() -> None:
    large, small = TopicFacts("a", 2, {"max.message.bytes": "5000000"}, replicas=1), TopicFacts("b", 2, replicas=3)
    for routes in ([route("a", "c"), route("b", "c")], [route("b", "c"), route("a", "c")]):
        made = created(routes, large, small)
        assert made["c"].settings["max.message.bytes"] == "5000000"
        assert made["dlt"].settings["max.message.bytes"] == "5032768"
    assert created([route("b", "c"), route("b", "c")], small)["c"].settings == KEPT


def test_a_topic_that_only_one_route_would_compact_is_not() -> None:
    compacted, other = TopicFacts("a", 2, {"cleanup.policy": "compact"}), TopicFacts("b", 2)
    made = created([route("a", "c"), route("b", "c"), route("a", "d")], compacted, other)
    assert made["c"].settings["cleanup.policy"] == "delete"
    assert made["d"].settings["cleanup.policy"] == "compact"
    assert made["dlt"].settings["cleanup.policy"] == "delete"


def test_a_route_in_place_has_one_topic_with_the_settings_of_an_output() -> None:
    in_place = RouteSettings(source="a", destination="a", dead_letter="dlt", lineage_headers=True)
    made = created([in_place], partitions=3)
    assert made["a"] == MissingTopic("a", 3, 3, KEPT)
