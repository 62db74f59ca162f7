"""Makes a plan: turns the bounds into offsets, checks the topics, runs the chain over every record, and examines
samples.

Writes nothing to Kafka, joins no group, and starts no producer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from aiokafka import TopicPartition

from worker.errors import WorkerError
from worker.kafka.clients import KafkaClients, started
from worker.kafka.open_transactions import OpenTransaction, open_transactions
from worker.kafka.waiting import wait_for_broker
from worker.preflight.asking import ask_brokers
from worker.preflight.backlog import look_at_backlog
from worker.preflight.facts import Backlog, ClusterFacts
from worker.preflight.judge import judge, of_severity
from worker.progress import OnProgress
from worker.replay.plan.dry_run import DryRun, PlanOptions
from worker.replay.plan.file import Filters, Plan
from worker.replay.plan.identity import planned_route
from worker.replay.plan.overlap import warn_of_second_outputs
from worker.replay.ranges import Range, freeze, parse_end, parse_start
from worker.replay.reading import open_range_reader
from worker.replay.topics import cluster_id_of
from worker.routes.chains import RouteChain
from worker.runtime import VERSION
from worker.settings import Settings


async def make_plan(settings: Settings, given: RouteChain, wishes: PlanOptions, progress: OnProgress) -> Plan:
    """Returns the plan. Raises WorkerError where a replay could not work: the topics do not fit each other, or the
    offsets do not exist."""
    now = time.time()
    bounds = parse_start(wishes.start, now), parse_end(wishes.end, now)
    clients = KafkaClients(settings.kafka)
    await wait_for_broker(clients)
    only = _only(settings, given, wishes.filters)
    facts = await ask_brokers(clients, only)
    source = facts.topic(given.route.source)
    if not source.partitions:
        raise WorkerError(
            f"{source.name}: the topic does not exist, or the worker's user may not describe it: correct the route's "
            "source",
            code="UPC1206",
        )
    async with open_range_reader(clients, source.partitions) as consumer:
        frozen = await freeze(consumer, source.name, source.partitions, *bounds)
        ranges, hidden = frozen.ranges, await open_transactions(consumer, frozen.hidden)
        warnings = judged(only, given, facts, await first_look(clients, source.name, ranges))
        topics = source.name, given.route.destination
        twice = await warn_of_second_outputs(clients, settings.kafka.group_id, consumer, topics, ranges)
        dry_run = DryRun(clients, given, facts, wishes, ranges)
        await dry_run.read(consumer, progress)
    later_warnings = judged(only, given, facts, dry_run.trial.backlog())
    return Plan(
        created=datetime.fromtimestamp(now, UTC),
        worker_version=VERSION,
        cluster_id=await cluster_id_of(clients),
        asked_from=wishes.start,
        asked_to=wishes.end,
        route=planned_route(given),
        filters=wishes.filters,
        warnings=tuple(dict.fromkeys((*warnings, *later_warnings, *twice, *map(left_out, hidden)))),
        allowed=wishes.allow,
        **dry_run.findings(),
    )


def left_out(hidden: OpenTransaction) -> str:
    """The warning that a plan does not cover records behind an open transaction."""
    return f"left out of this plan: {hidden}: {hidden.fix}, then plan again, or plan the rest later"


def _only(settings: Settings, given: RouteChain, filters: Filters) -> Settings:
    """The settings with this route alone. Under filters nobody knows before which records will be written, so that
    what their age or number may do is only warned of."""
    route = given.route if filters == Filters() else given.route.model_copy(update={"short_retention": "warn"})
    return settings.model_copy(update={"routes": (route,)})


PEEK_BYTES = 64 * 1024


async def first_look(clients: KafkaClients, topic: str, ranges: Sequence[Range]) -> Backlog:
    """How old the first records of the range are, before all of it is read."""
    starts = {TopicPartition(topic, each.partition): each.start for each in ranges if each.offsets}
    if not starts:
        return Backlog()
    async with started(clients.reader(max_partition_fetch_bytes=PEEK_BYTES)) as consumer:
        found = await look_at_backlog(consumer, list(starts), starts)
    # The range may end before the partition does: how large it is only reading it tells.
    return replace(found, bytes_of_largest=0)


def judged(
    settings: Settings, given: RouteChain, facts: ClusterFacts, backlog: Backlog, *, but: str = ""
) -> tuple[str, ...]:
    """The warnings about the topics. Raises WorkerError with a line for each thing that cannot work; ``but`` names a
    topic that is not checked."""
    source = given.route.source
    about_range = replace(facts, backlogs={source: backlog})
    findings = [each for each in judge(about_range, settings, {source: given.traits}) if each.topic != but]
    refusals = of_severity(findings, "refuse")
    if refusals:
        raise WorkerError.of_lines(
            (str(each).replace("oldest unread record", "oldest planned record"), each.code) for each in refusals
        )
    warnings = tuple(str(finding) for finding in of_severity(findings, "warn"))
    return (*warnings, *_soon_unproved(facts, given.route.destination))


def _soon_unproved(facts: ClusterFacts, destination: str) -> Iterator[str]:
    if facts.topic(destination).has_policy("compact"):
        yield (
            f"{destination}: is compacted, and what Kafka has removed `upcast verify` cannot prove: verify right after "
            "the replay, and raise min.compaction.lag.ms until then"
        )
