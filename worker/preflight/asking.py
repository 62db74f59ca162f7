"""Asks the brokers before the first record is read, and refuses what cannot work, with the fix."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import stamina
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from worker.errors import WorkerError
from worker.kafka.clients import KafkaClients
from worker.kafka.refusals import unanswered
from worker.kafka.waiting import may_pass
from worker.preflight.facts import ChainTraits, ClusterFacts
from worker.preflight.gather import gather_facts
from worker.preflight.judge import judge, of_severity
from worker.settings import Settings

log = structlog.get_logger(__name__)

TIMEOUT = 60.0
RETRY_SECONDS = 20.0

Starts = Mapping[TopicPartition, int]
NO_STARTS: Starts = {}


@stamina.retry(on=may_pass, attempts=None, timeout=RETRY_SECONDS, wait_initial=0.1, wait_max=1.0, wait_jitter=0.1)
async def _gather(
    clients: KafkaClients, settings: Settings, start_producers: bool, starts: Starts, ask_group: bool
) -> ClusterFacts:
    async with asyncio.timeout(TIMEOUT):
        return await gather_facts(clients, settings, start_producers, starts, ask_group)


async def ask_brokers(
    clients: KafkaClients,
    settings: Settings,
    start_producers: bool = False,
    starts: Starts = NO_STARTS,
    ask_group: bool = False,
) -> ClusterFacts:
    """The facts about the routes' topics, the worker's rights and the brokers' limits. ``starts`` are the first offsets
    of partitions for which the group has none, where that is not their beginning; ``ask_group`` says whether to ask the
    group if it accepts a member. Raises WorkerError where the brokers do not answer."""
    try:
        return await _gather(clients, settings, start_producers, starts, ask_group)
    except (KafkaError, TimeoutError) as error:
        raise unanswered(error, "questions about topics and group", TIMEOUT) from error


async def refuse_what_cannot_work(
    clients: KafkaClients, settings: Settings, traits: Mapping[str, ChainTraits], starts: Starts = NO_STARTS
) -> ClusterFacts:
    """Log the warnings; raise ``WorkerError`` with one line a refusal."""
    facts = await ask_brokers(clients, settings, start_producers=True, starts=starts, ask_group=True)
    findings = judge(facts, settings, traits)
    for finding in (*of_severity(findings, "warn"), *of_severity(findings, "undecided")):
        log.warning("preflight", topic=finding.topic, found=finding.found, fix=finding.fix, code=finding.code)
    refusals = of_severity(findings, "refuse")
    if refusals:
        raise WorkerError.of_lines((str(each), each.code) for each in refusals)
    return facts
