"""What has changed since a plan was made: each difference by name, for a plan is applied as it is or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from upcasters.fingerprint import kind_of
from worker.errors import WorkerError
from worker.replay.plan.file import Plan
from worker.replay.plan.identity import planned_route
from worker.replay.plan.marks import differing, record_digest
from worker.replay.plan.parts import PlannedRange
from worker.replay.ranges import Range
from worker.replay.reading import read_ranges
from worker.routes.chains import RouteChain

AGAIN = "make a new plan"
MOST_NAMED = 5


def refuse_other_route(plan: Plan, given: RouteChain) -> None:
    """What can be seen without the brokers. Raises WorkerError with a line for each difference."""
    lines = [f"plan: {line}" for line in plan.objections()]
    lines += _differences(plan, given)
    if lines:
        raise WorkerError("\n".join(lines))


def _differences(plan: Plan, given: RouteChain) -> Iterator[str]:
    planned, route, now = plan.route, given.route, planned_route(given)
    topics = {
        "destination": (planned.destination, route.destination),
        "dead_letter": (planned.dead_letter, route.dead_letter),
    }
    for name, (before, after) in topics.items():
        if before != after:
            yield f"plan: the route's {name} was {before}, now it is {after}: {AGAIN}"
    if kind_of(planned.chain_fingerprint) != kind_of(given.chain.fingerprint):
        yield f"plan: {other_kind(planned.chain_fingerprint, given.chain.fingerprint)}: {AGAIN}"
    elif planned.chain_fingerprint != given.chain.fingerprint:
        steps = _listed(_changed(planned.steps, now.steps), "step")
        yield (
            f"plan: the chain {route.chain} has fingerprint {given.chain.fingerprint}, the plan was made with "
            f"{planned.chain_fingerprint}{steps}: {AGAIN}, or use the chain of then"
        )
    if planned.config_fingerprint != now.config_fingerprint:
        changed = [f"{name} (was {planned.config.get(name)})" for name in _changed(planned.config, now.config)]
        yield (
            f"plan: the route's configuration has fingerprint {now.config_fingerprint}, the plan was made with "
            f"{planned.config_fingerprint}{_listed(changed, 'setting')}: {AGAIN}, or use the configuration of then"
        )


def other_kind(told: str, found: str) -> str:
    """What is said of two fingerprints that cannot be compared."""
    return (
        f"its chain's fingerprint ({told}) is of kind {kind_of(told)}, this worker makes kind {kind_of(found)} "
        f"({found}), so whether the chain is the same cannot be told"
    )


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [name for name in dict.fromkeys((*before, *now)) if before.get(name) != now.get(name)]


def _listed(names: Sequence[str], what: str) -> str:
    """``; changed: step a, step b``, and how many more."""
    shown = ", ".join(f"{what} {name}" for name in names[:MOST_NAMED])
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"; changed: {shown}{more}" if names else ""


def refuse_other_cluster(planned: str, found: str) -> None:
    if planned != found:
        raise WorkerError(
            f"plan: it is of cluster {planned or 'unknown'}, this is {found or 'unknown'}: correct "
            f"kafka.bootstrap_servers, or {AGAIN}"
        )


async def refuse_other_records(plan: Plan, offsets: AIOKafkaConsumer) -> None:
    """A topic made anew under the same name does not hold the plan's marks."""
    ranges = {each.partition: each for each in plan.ranges if each.marks}
    found = await digests_of(plan.topic, list(ranges.values()), offsets)
    for number, planned in ranges.items():
        wrong = differing(planned.marks, found[number])
        if wrong:
            raise WorkerError(
                f"{plan.topic} partition {number}: offset {wrong[0]} holds another record than the plan saw: "
                f"the topic was made anew; {AGAIN}"
            )


async def digests_of(
    topic: str, ranges: list[PlannedRange], consumer: AIOKafkaConsumer
) -> dict[int, dict[int, str | None]]:
    """The digests of the marked records, by partition and offset; None where a record is gone."""
    offsets = await consumer.log_offsets(TopicPartition(topic, each.partition) for each in ranges)
    found: dict[int, dict[int, str | None]] = {each.partition: {} for each in ranges}
    for turn in range(max((len(each.marks) for each in ranges), default=0)):
        asked = []
        for each in ranges:
            log = offsets[TopicPartition(topic, each.partition)]
            if turn < len(each.marks) and log.start <= each.marks[turn].offset < log.stable:
                asked.append(Range(each.partition, each.marks[turn].offset, each.marks[turn].offset + 1))
        async for piece in read_ranges(consumer, topic, asked):
            for record in piece.slice.records:
                found[piece.partition][record.offset or 0] = record_digest(record)
    return found
