"""Whether the topics can take what a plan would write: the start's own questions, asked about the plan's range."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from aiokafka import TopicPartition

from worker.errors import NEEDS_A_PERSON, WorkerError
from worker.kafka.clients import KafkaClients, started
from worker.preflight import Backlog, ClusterFacts, judge, of_severity
from worker.preflight.backlog import look_at_backlog
from worker.replay.ranges import Range
from worker.routes.chains import RouteChain
from worker.settings import Settings

PEEK_BYTES = 64 * 1024


async def first_look(clients: KafkaClients, topic: str, ranges: Sequence[Range]) -> Backlog:
    """The oldest of the first records of the range, before all of it is read."""
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
    """The warnings. Raises WorkerError with a line for each thing that cannot work; ``but`` names a topic that needs no
    judging."""
    source = given.route.source
    about_range = replace(facts, backlogs={source: backlog})
    findings = [each for each in judge(about_range, settings, {source: given.traits}) if each.topic != but]
    refusals = of_severity(findings, "refuse")
    if refusals:
        lines = [str(finding).replace("oldest unread record", "oldest planned record") for finding in refusals]
        raise WorkerError("\n".join(lines), NEEDS_A_PERSON)
    warnings = tuple(str(finding) for finding in of_severity(findings, "warn"))
    return (*warnings, *_soon_unproved(facts, given.route.destination))


def _soon_unproved(facts: ClusterFacts, destination: str) -> Iterator[str]:
    if facts.topic(destination).has_policy("compact"):
        yield (
            f"{destination}: is compacted, and what Kafka has removed `upcast verify` cannot prove: verify right after "
            "the replay, and raise min.compaction.lag.ms until then"
        )
