"""The topics that a route lacks, made as the rules of ``judge`` want them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter

from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from upcast_authoring.counted import counted
from worker.errors import MAY_PASS, WorkerError
from worker.kafka.clients import KafkaClients, started
from worker.kafka.waiting import wait_for_broker
from worker.preflight.facts import TopicFacts
from worker.preflight.gather import topic_facts
from worker.preflight.judge import DEAD_LETTER_HEADERS
from worker.settings import RouteSettings, Settings

USUAL_REPLICAS = 3
"""Of a source that is created, where there are as many brokers."""

USUAL_BYTES = 1_048_588
"""Kafka's own default of max.message.bytes, for a source that is created."""


@dataclass(frozen=True)
class MissingTopic:
    """``replicas`` is how many brokers have each partition; ``settings`` are Kafka's names and values."""

    name: str
    partitions: int
    replicas: int
    settings: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [counted(self.partitions, "partition"), counted(self.replicas, "replica")]
        return ", ".join([*parts, *(f"{name}={value}" for name, value in self.settings.items())])


async def create_missing(
    settings: Settings, routes: Iterable[RouteSettings], partitions: int | None, *, dry_run: bool
) -> tuple[list[MissingTopic], list[str]]:
    """Create what the routes lack; returns what was (``dry_run``: would be) created, and the names of what is there.

    ``partitions`` are those of sources that are missing. Raises WorkerError.
    """
    clients = KafkaClients(settings.kafka)
    await wait_for_broker(clients)
    routes = list(routes)
    names = [name for route in routes for name in (route.source, route.destination, route.dead_letter)]
    facts, brokers = await topic_facts(clients, names)
    missing = missing_topics(routes, facts, partitions, brokers)
    there = [name for name in dict.fromkeys(names) if facts[name].partitions]
    if missing and not dry_run:
        await _create(clients, missing)
    return missing, there


def missing_topics(
    routes: Iterable[RouteSettings], facts: Mapping[str, TopicFacts], partitions: int | None, brokers: int
) -> list[MissingTopic]:
    """By name once each, a route's source before its outputs. Raises WorkerError where a source that no route writes is
    missing and nobody said how large it is."""
    made: dict[str, MissingTopic] = {}
    for route in _from_source_to_source(routes):
        source = facts[route.source] if route.source not in made else _facts_of(made[route.source])
        count = source.partitions or partitions
        if count is None:
            raise WorkerError(
                f"{route.source}: the topic does not exist: give --partitions N, and it is created, too", code="UPC1206"
            )
        replicas = source.replicas or min(USUAL_REPLICAS, brokers)
        for topic in (
            MissingTopic(route.source, count, replicas),
            MissingTopic(route.destination, count, replicas, _of_destination(source)),
            MissingTopic(route.dead_letter, count, replicas, _of_dead_letters(source)),
        ):
            if not facts[topic.name].partitions:
                made[topic.name] = _merged(made.get(topic.name), topic)
    return list(made.values())


def _from_source_to_source(routes: Iterable[RouteSettings]) -> list[RouteSettings]:
    """What writes a topic comes before what reads it. The settings let no routes lead round."""
    listed = list(routes)
    writers: dict[str, set[str]] = {}
    for route in listed:
        if route.source != route.destination:
            writers.setdefault(route.destination, set()).add(route.source)
    order = list(TopologicalSorter(writers).static_order())
    return sorted(listed, key=lambda route: order.index(route.source) if route.source in order else len(order))


def _facts_of(made: MissingTopic) -> TopicFacts:
    """As if it were created already, for the routes that read it."""
    return TopicFacts(made.name, made.partitions, made.settings, replicas=made.replicas)


def _merged(one: MissingTopic | None, other: MissingTopic) -> MissingTopic:
    """What a topic has to be for two routes: as large as for the first, an output's settings before a source's, with
    room for the largest records of both. What only one of them would compact is not: it loses nothing of the other."""
    if one is None or not other.settings:
        return one or other
    if not one.settings:
        return replace(one, settings=other.settings)
    both = (one.settings, other.settings)
    settings = {**one.settings, **other.settings}
    if one.settings.get("cleanup.policy") != other.settings.get("cleanup.policy"):
        settings["cleanup.policy"] = "delete"
    if "max.message.bytes" in settings:
        settings["max.message.bytes"] = str(max(int(each.get("max.message.bytes", USUAL_BYTES)) for each in both))
    return replace(one, settings=settings)


def _of_destination(source: TopicFacts) -> dict[str, str]:
    """Events keep their timestamps, so a retention by time would delete a history as it arrives."""
    kept = {"retention.ms": "-1", "message.timestamp.type": "CreateTime"}
    if source.has_policy("compact"):
        kept["cleanup.policy"] = source.config["cleanup.policy"]
    if largest := source.number("max.message.bytes"):
        kept["max.message.bytes"] = str(largest)
    return kept


def _of_dead_letters(source: TopicFacts) -> dict[str, str]:
    largest = source.number("max.message.bytes") or USUAL_BYTES
    return {
        "retention.ms": "-1",
        "message.timestamp.type": "CreateTime",
        "cleanup.policy": "delete",
        "max.message.bytes": str(largest + DEAD_LETTER_HEADERS),
    }


async def _create(clients: KafkaClients, missing: Iterable[MissingTopic]) -> None:
    wanted = [
        NewTopic(each.name, each.partitions, each.replicas, topic_configs=dict(each.settings)) for each in missing
    ]
    try:
        async with started(clients.admin()) as admin:
            answer = await admin.create_topics(wanted)
    except KafkaError as error:
        raise WorkerError(f"topics could not be created: {type(error).__name__}", MAY_PASS, code="UPC1208") from error
    refused = [
        f"{name}: could not be created: {next(iter(message), None) or for_code(code).description}"
        for name, code, *message in answer.topic_errors
        if code not in (0, TopicAlreadyExistsError.errno)
    ]
    if refused:
        raise WorkerError("\n".join(refused), code="UPC1208")
