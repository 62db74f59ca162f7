"""Asks the brokers for the facts. Writes nothing, and joins no group."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InvalidTransactionTimeout,
    KafkaError,
    NoError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from worker.errors import WorkerError
from worker.kafka.aiokafka_internals.consumer import add_topics
from worker.kafka.brokers import answer_to_joining, limits_of, others_in
from worker.kafka.clients import KafkaClients, started
from worker.kafka.codes import UnstableOffsetCommitError
from worker.kafka.stable_offsets import END_IT, cannot_be_known, committed_by_group
from worker.kafka.tools import kafka_tool
from worker.kafka.topics import places_of, settings_of
from worker.preflight.backlog import look_at_backlog
from worker.preflight.facts import Backlog, BrokerLimits, ClusterFacts, Finding, TopicFacts
from worker.settings import RouteSettings, Settings

LOOKS_FOR_TOPICS = 3
SECONDS_BETWEEN_LOOKS = 0.3
TOPIC_DENIED = TopicAuthorizationFailedError.errno


async def gather_facts(
    clients: KafkaClients,
    settings: Settings,
    start_producers: bool,
    starts: Mapping[TopicPartition, int],
    ask_group: bool = False,
) -> ClusterFacts:
    """The facts. ``start_producers`` also tries the transactional ids, which leaves a trace in the brokers;
    ``ask_group`` asks whether the group would accept one more member."""
    async with started(clients.admin()) as admin:
        topics, denied = await _topics(admin, _names(settings.routes))
        brokers = len((await admin.describe_cluster())["brokers"])
        sources = [topics[route.source] for route in settings.routes if topics[route.source].partitions]
        told = await asyncio.gather(*(_committed(admin, settings.kafka.group_id, source) for source in sources))
        limits, denied_group = await _limits(admin, settings, ask_group and not any(each.denied for each in told))
    committed = {place: offset for each in told for place, offset in each.offsets.items()}
    sources = [source for source, each in zip(sources, told, strict=True) if not each.undecided]
    (backlogs, denied_reads), (denied_ids, refused) = await asyncio.gather(
        _backlogs(clients, sources, {**starts, **committed}), _denied_ids(clients, settings, start_producers)
    )
    new = {route.destination for route in settings.routes if backlogs.get(route.source, Backlog()).new}
    return ClusterFacts(
        now=int(time.time() * 1000),
        filled=await _filled(clients, [topics[name] for name in new if topics[name].partitions]),
        topics=topics,
        backlogs=backlogs,
        denied=(
            *denied,
            *(finding for each in told for finding in each.denied),
            *denied_group,
            *denied_reads,
            *denied_ids,
        ),
        undecided=tuple(finding for each in told for finding in each.undecided),
        brokers=brokers,
        limits=replace(limits, refusals=limits.refusals | refused),
    )


async def topic_facts(clients: KafkaClients, names: Iterable[str]) -> tuple[dict[str, TopicFacts], int]:
    """What the brokers say about topics, and how many brokers there are.

    Raises WorkerError with one line for each topic that we may not see.
    """
    async with started(clients.admin()) as admin:
        topics, denied = await _topics(admin, list(dict.fromkeys(names)))
        brokers = len((await admin.describe_cluster())["brokers"])
    if denied:
        raise WorkerError.of_lines((str(each), each.code) for each in denied)
    return topics, brokers


def _names(routes: Iterable[RouteSettings]) -> list[str]:
    names = [name for route in routes for name in (route.source, route.destination, route.dead_letter)]
    return list(dict.fromkeys(names))


async def _listed(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The partitions of each topic. It lists all topics, since asking for one by name could make the broker
    create it. A broker learns of a new topic a moment after its creation: ask again before one counts as missing.
    """
    listed: dict[str, list[dict[str, Any]]] = {}
    for attempt in range(LOOKS_FOR_TOPICS):
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS * min(attempt, 1))
        listed = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}
        if listed.keys() >= set(names):
            break
    return listed


async def _topics(admin: AIOKafkaAdminClient, names: Sequence[str]) -> tuple[dict[str, TopicFacts], list[Finding]]:
    listed = await _listed(admin, names)
    configs: dict[str, dict[str, str]] = {}
    denied: list[Finding] = []
    for name, error_code, settings in await settings_of(admin, names):
        configs[name] = settings
        if error_code == TOPIC_DENIED and name not in listed:
            denied.append(_denied(name, "topic", "DESCRIBE"))
    hidden = {finding.topic for finding in denied}
    facts = {}
    for name in names:
        partitions = listed.get(name, [])
        replicas = min((len(each["replicas"]) for each in partitions), default=0)
        facts[name] = TopicFacts(name, len(partitions), configs.get(name, {}), name not in hidden, replicas)
    return facts, denied


@dataclass(frozen=True)
class _Committed:
    """The group's committed offsets of a source, or why they are unknown."""

    offsets: Mapping[TopicPartition, int] = field(default_factory=dict)
    denied: tuple[Finding, ...] = ()
    undecided: tuple[Finding, ...] = ()


async def _committed(admin: AIOKafkaAdminClient, group: str, source: TopicFacts) -> _Committed:
    places = places_of(source.name, source.partitions)
    try:
        offsets = await committed_by_group(admin, group, places)
    except GroupAuthorizationFailedError:
        return _Committed(denied=(_denied(group, "group", "READ"),))
    except UnstableOffsetCommitError as error:
        found = f"{cannot_be_known(group, error)}, so the backlog was not checked"
        return _Committed(undecided=(Finding("undecided", source.name, found, f"try again; {END_IT}", code="UPC1322"),))
    return _Committed({place: answer.offset for place, answer in offsets.items()})


async def _backlogs(
    clients: KafkaClients, sources: Sequence[TopicFacts], committed: Mapping[TopicPartition, int]
) -> tuple[dict[str, Backlog], list[Finding]]:
    backlogs: dict[str, Backlog] = {}
    denied: list[Finding] = []
    if not sources:
        return backlogs, denied
    reader = clients.reader(max_partition_fetch_bytes=64 * 1024)
    add_topics(reader, [source.name for source in sources])
    async with started(reader):
        for source in sources:
            partitions = places_of(source.name, source.partitions)
            try:
                backlogs[source.name] = await look_at_backlog(reader, partitions, committed)
            except TopicAuthorizationFailedError:
                denied.append(_denied(source.name, "topic", "READ"))
    return backlogs, denied


async def _filled(clients: KafkaClients, destinations: Sequence[TopicFacts]) -> frozenset[str]:
    """The destinations that hold records, also such as cannot be read yet; without those that the worker's user may not
    read."""
    if not destinations:
        return frozenset()
    reader = clients.reader()
    add_topics(reader, [each.name for each in destinations])
    places = [TopicPartition(each.name, number) for each in destinations for number in range(each.partitions)]
    try:
        async with started(reader):
            offsets = await reader.log_offsets(places)
    except TopicAuthorizationFailedError:
        return frozenset()
    return frozenset(place.topic for place in places if not offsets[place].empty)


async def _limits(
    admin: AIOKafkaAdminClient, settings: Settings, ask_group: bool
) -> tuple[BrokerLimits, tuple[Finding, ...]]:
    """The brokers' limits, and whether access to the group is denied, which shows also where no source is visible."""
    told, group = await limits_of(admin), settings.kafka.group_id
    try:
        answer = await answer_to_joining(admin, settings.kafka) if ask_group else NoError
    except GroupAuthorizationFailedError:  # already where its coordinator is asked for
        answer = GroupAuthorizationFailedError
    if answer is GroupAuthorizationFailedError:
        return BrokerLimits(told), (_denied(group, "group", "READ"),)
    if answer is NoError:
        return BrokerLimits(told), ()
    return BrokerLimits(told, frozenset({answer.errno}), *await others_in(admin, group)), ()


async def _denied_ids(
    clients: KafkaClients, settings: Settings, start_producers: bool
) -> tuple[list[Finding], frozenset[int]]:
    """Transactional ids that are denied, and the error codes of other refusals. The lanes' own ids are not tried: that
    would fence a running lane."""
    routes = [route for route in settings.routes if route.delivery == "exactly-once" and start_producers]
    ids = [f"{settings.kafka.group_id}:{route.source}:preflight" for route in routes]
    answers = await asyncio.gather(*(_answer_to_starting(clients, transactional_id) for transactional_id in ids))
    denied = [
        _denied(transactional_id.removesuffix("preflight"), "transactional id", "WRITE", prefixed=True)
        for transactional_id, answer in zip(ids, answers, strict=True)
        if answer is TransactionalIdAuthorizationFailed
    ]
    return denied, frozenset({answer.errno for answer in answers if answer is InvalidTransactionTimeout})


async def _answer_to_starting(clients: KafkaClients, transactional_id: str) -> type[KafkaError]:
    answer: type[KafkaError] = NoError
    try:
        async with started(clients.transactional_producer(transactional_id)):
            pass
    except (TransactionalIdAuthorizationFailed, InvalidTransactionTimeout) as refused:
        answer = type(refused)
    return answer


def _denied(name: str, kind: str, operation: str, prefixed: bool = False) -> Finding:
    option = {"topic": "--topic", "group": "--group", "transactional id": "--transactional-id"}[kind]
    pattern = " --resource-pattern-type prefixed" if prefixed else ""
    return Finding(
        "refuse",
        name,
        f"the broker's ACLs deny the worker's user {operation} on this {kind}",
        f"run `{kafka_tool('acls')} --add --allow-principal User:NAME --operation {operation} "
        f"{option} {name}{pattern}`",
        code="UPC1323",
    )
