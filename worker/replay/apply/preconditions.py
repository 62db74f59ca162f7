"""Checks before a replay writes: cluster, route and chain are those of the plan, its records still exist, and the
destination agrees with the progress that Kafka and the ledger have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from upcasters.context import last_header
from upcasters.event import SourceRecord
from upcasters.fingerprint import kind_of
from worker.dead_letters import LETTER_OFFSET, REPLAY_ID
from worker.errors import WorkerError
from worker.kafka.clients import KafkaClients
from worker.kafka.codes import UnstableOffsetCommitError
from worker.kafka.log_offsets import LogOffsets
from worker.kafka.refusals import answered
from worker.lanes.delivery import successor
from worker.lanes.lineage import OFFSET
from worker.ledger import Ledger
from worker.replay.apply.account import NotOurNote, PartitionAccount, is_of
from worker.replay.plan.file import Plan, PlannedRange
from worker.replay.plan.identity import differing, planned_route, record_digest
from worker.replay.plan.overlap import MOST_NAMED, refuse_live, warn_of_second_outputs
from worker.replay.ranges import Range
from worker.replay.reading import Piece, open_range_reader, read_ranges
from worker.replay.topics import Reached, cluster_id_of, committed_of, partition_counts
from worker.routes.chains import RouteChain
from worker.settings.group_names import live_group

FENCING_SECONDS = 30.0
TAIL = 2_000
"""How many of the last offsets are read in the search for output of a replay that nothing remembers."""

log = structlog.get_logger(__name__)


async def refuse_forgotten(
    replay_id: str, topic: str, partitions: Sequence[int], consumer: AIOKafkaConsumer, clients: KafkaClients
) -> None:
    """Raises WorkerError where the destination's last records are output of this replay, although neither Kafka's
    offsets nor the ledger know it."""
    found = await _offsets(topic, partitions, consumer)
    starts = {number: each.stable - TAIL for number, each in found.items()}
    async for number, record in _records(replay_id, topic, starts, found, (consumer, clients)):
        raise WorkerError(
            f"{topic} partition {number}: offset {record.offset} was written by this replay ({replay_id}), but "
            "neither Kafka's offsets nor the ledger know it: set ledger.url to the ledger that the replay was "
            "started with",
            code="UPC1611",
        )


async def refuse_ahead(
    replay_id: str,
    topic: str,
    reached: Mapping[int, tuple[int, int]],
    consumer: AIOKafkaConsumer,
    clients: KafkaClients,
    origin: str = OFFSET,
) -> None:
    """Raises WorkerError where the destination holds output past the ledger's progress: the ledger is then behind, and
    Kafka's offsets are gone.

    ``reached`` holds, by partition, where the replay's output begins and the source offset up to which it is done;
    ``origin`` is the header with the source offset of an output.
    """
    found = await _offsets(topic, list(reached), consumer)
    starts = {number: start for number, (start, _) in reached.items()}
    async for number, record in _records(replay_id, topic, starts, found, (consumer, clients)):
        source = int(last_header(record.headers, origin) or -1)
        if source >= reached[number][1]:
            raise WorkerError(
                f"{topic} partition {number}: offset {record.offset} came from source offset {source}, the ledger "
                f"says that replay {replay_id} is at {reached[number][1]}, and the replay's offsets in Kafka are "
                "gone: going on would write records twice; make a new plan into an empty destination",
                code="UPC1611",
            )


async def _records(
    replay_id: str,
    topic: str,
    starts: Mapping[int, int],
    found: Mapping[int, LogOffsets],
    readers: tuple[AIOKafkaConsumer, KafkaClients],
) -> AsyncIterator[tuple[int, SourceRecord]]:
    consumer, clients = readers
    ranges = [Range(number, max(starts[number], each.start), each.stable) for number, each in found.items()]
    hidden = [Range(number, max(starts[number], each.stable), each.end) for number, each in found.items()]
    async for record in _of_replay(replay_id, read_ranges(consumer, topic, ranges)):
        yield record
    if any(each.offsets for each in hidden):
        async with open_range_reader(clients, len(hidden), committed=False) as reader:
            async for record in _of_replay(replay_id, read_ranges(reader, topic, hidden)):
                yield record


async def _of_replay(replay_id: str, pieces: AsyncIterator[Piece]) -> AsyncIterator[tuple[int, SourceRecord]]:
    async for piece in pieces:
        for record in piece.slice.records:
            if last_header(record.headers, REPLAY_ID) == replay_id.encode():
                yield piece.partition, record


async def _offsets(topic: str, partitions: Sequence[int], consumer: AIOKafkaConsumer) -> dict[int, LogOffsets]:
    places = [TopicPartition(topic, number) for number in partitions]
    return {at.partition: each for at, each in (await consumer.log_offsets(places)).items()}


AGAIN = "make a new plan"


def refuse_other_route(plan: Plan, given: RouteChain) -> None:
    """Raises WorkerError with a line for each difference between the plan and the configuration."""
    lines = [f"plan: {line}" for line in plan.objections()]
    lines += _differences(plan, given)
    if lines:
        raise WorkerError("\n".join(lines), code="UPC1610")


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
            f"{planned.chain_fingerprint}{steps}: {AGAIN}, or use the chain of the plan"
        )
    if planned.config_fingerprint != now.config_fingerprint:
        changed = [f"{name} (was {planned.config.get(name)})" for name in _changed(planned.config, now.config)]
        yield (
            f"plan: the route's configuration has fingerprint {now.config_fingerprint}, the plan was made with "
            f"{planned.config_fingerprint}{_listed(changed, 'setting')}: {AGAIN}, or use the configuration of the plan"
        )


def other_kind(planned: str, found: str) -> str:
    """Why two fingerprints of different kinds cannot be compared."""
    return (
        f"its chain's fingerprint ({planned}) is of kind {kind_of(planned)}, this worker makes kind {kind_of(found)} "
        f"({found}), so the two cannot be compared"
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
            f"kafka.bootstrap_servers, or {AGAIN}",
            code="UPC1608",
        )


async def refuse_other_records(plan: Plan, offsets: AIOKafkaConsumer) -> None:
    """Raises WorkerError where a record differs from the plan's mark: the topic was deleted and created again."""
    ranges = {each.partition: each for each in plan.ranges if each.marks}
    found = await digests_of(plan.topic, list(ranges.values()), offsets)
    for number, planned in ranges.items():
        wrong = differing(planned.marks, found[number])
        if wrong:
            raise WorkerError(
                f"{plan.topic} partition {number}: offset {wrong[0]} holds another record than the plan saw: "
                f"the topic was created again; {AGAIN}",
                code="UPC1609",
            )


async def digests_of(
    topic: str, ranges: list[PlannedRange], consumer: AIOKafkaConsumer
) -> dict[int, dict[int, str | None]]:
    """The digests of the marked records, by partition and offset; None where a record does not exist any more."""
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


async def prepare(
    clients: KafkaClients,
    plan: Plan,
    reached: Mapping[int, Reached],
    ledger: Ledger | None = None,
    *,
    again: bool = False,
) -> None:
    """``reached`` is how far the ``ledger`` knows it to be. Raises WorkerError where the plan does not fit any more,
    naming what is different; unless it shall be written ``again``, also where others have read what is left of its
    range, and where the live worker is running and has yet to read it."""
    refuse_other_cluster(plan.cluster_id, await cluster_id_of(clients))
    partitions = await partition_counts(clients)
    _refuse_fewer(plan, partitions.get(plan.topic, 0))
    with answered("kafka: the plan's records cannot be read", FENCING_SECONDS):
        committed = await _own_offsets(clients, plan)
        async with open_range_reader(clients, len(plan.ranges)) as consumer:
            await _refuse_lost(plan, committed, reached, consumer)
            await refuse_other_records(plan, consumer)
            if partitions.get(plan.route.destination, 0) >= len(plan.ranges):
                await _refuse_traces(plan, committed, reached, consumer, clients)
            left = _left(plan, committed, reached)
            if left and plan.redrive is None and not again:
                await _refuse_twice(clients, plan, left, consumer, ledger)
                await refuse_live(clients, plan, ledger)


def _left(plan: Plan, committed: Mapping[TopicPartition, int], ledger: Mapping[int, Reached]) -> list[Range]:
    """The ranges that the replay has yet to read."""
    positions = _positions(plan, committed, ledger)
    found = [Range(each.partition, max(each.start, positions[each.partition]), each.end) for each in plan.ranges]
    return found if any(each.offsets for each in found) else []


def _positions(plan: Plan, committed: Mapping[TopicPartition, int], ledger: Mapping[int, Reached]) -> dict[int, int]:
    """The next offset of each partition."""
    starts = {each.partition: each.start for each in plan.ranges}
    kept = {number: reached.offset for number, reached in ledger.items()}
    return starts | kept | {place.partition: offset for place, offset in committed.items()}


async def _refuse_twice(
    clients: KafkaClients, plan: Plan, left: Sequence[Range], consumer: AIOKafkaConsumer, ledger: Ledger | None
) -> None:
    live = live_group(clients.kafka.group_id, plan.replay_id)
    topics = plan.topic, plan.route.destination
    lines = await warn_of_second_outputs(clients, live, consumer, topics, left, ledger, but=plan.replay_id)
    if lines:
        raise WorkerError("\n".join(lines), code="UPC1618")


async def _own_offsets(clients: KafkaClients, plan: Plan) -> dict[TopicPartition, int]:
    """The offsets of this pass. A redrive's group may still have those of the previous redrive, which do not count."""
    group = clients.kafka.group_id
    try:
        found = await committed_of(clients, group, plan.topic)
    except WorkerError as error:
        if not isinstance(error.__cause__, UnstableOffsetCommitError):
            raise
        await _end_open_transactions(clients, group, error.__cause__.partitions)
        found = await committed_of(clients, group, plan.topic)
    replay, name = plan.redrive is None, plan.replay_id
    return {place: reached.offset for place, reached in found.items() if replay or is_of(reached.note, name)}


async def _end_open_transactions(clients: KafkaClients, group: str, partitions: Iterable[TopicPartition]) -> None:
    """A process of this replay that was killed may have left them. The brokers would end them when their time is over,
    a minute by default; the lanes, which ask for the offsets next, would do the same as this."""
    for partition in partitions:
        names = {"topic": partition.topic, "partition": partition.partition}
        log.warning("the replay ends a transaction that it left open when it was interrupted", **names)
        async with asyncio.timeout(FENCING_SECONDS), successor(clients, group, partition):
            pass


def _refuse_fewer(plan: Plan, partitions: int) -> None:
    if partitions < len(plan.ranges):
        raise WorkerError(
            f"{plan.topic}: has {partitions} partitions, the plan {len(plan.ranges)}: the topic was created again or "
            f"deleted; {AGAIN}",
            code="UPC1609",
        )


async def _refuse_lost(
    plan: Plan, committed: Mapping[TopicPartition, int], ledger: Mapping[int, Reached], consumer: AIOKafkaConsumer
) -> None:
    """Raises WorkerError with a line for each partition that has lost records of the plan."""
    source = plan.topic
    places = {TopicPartition(source, each.partition): each for each in plan.ranges if not each.empty}
    offsets = await consumer.log_offsets(list(places))
    positions = _positions(plan, committed, ledger)
    lines = []
    for place, planned in places.items():
        position = positions[place.partition]
        if position < min(offsets[place].start, planned.end):
            lines.append(
                f"{source} partition {place.partition}: begins at offset {offsets[place].start} now, the plan goes on "
                f"at {position}: retention has deleted records of the plan; {AGAIN}"
            )
        if (end := offsets[place].end) < planned.end:
            lines.append(
                f"{source} partition {place.partition}: ends at offset {end}, the plan at {planned.end}: "
                f"the topic was created again or has lost records; {AGAIN}"
            )
    if lines:
        raise WorkerError("\n".join(lines), code="UPC1609")


async def _refuse_traces(
    plan: Plan,
    committed: Mapping[TopicPartition, int],
    ledger: Mapping[int, Reached],
    consumer: AIOKafkaConsumer,
    clients: KafkaClients,
) -> None:
    """Search the destination for output of this replay, where Kafka has no offset of it."""
    open_ranges = [each.partition for each in plan.ranges if not each.empty]
    silent = [number for number in open_ranges if TopicPartition(plan.topic, number) not in committed]
    unknown = [number for number in silent if number not in ledger]
    destination = plan.route.destination
    await refuse_forgotten(plan.replay_id, destination, unknown, consumer, clients)
    reached = {number: _output_of(ledger[number], plan) for number in silent if number in ledger}
    origin = OFFSET if plan.redrive is None else LETTER_OFFSET
    await refuse_ahead(plan.replay_id, destination, reached, consumer, clients, origin)


def _output_of(reached: Reached, plan: Plan) -> tuple[int, int]:
    try:
        return PartitionAccount.of_note(reached.note, plan.replay_id).destination_start, reached.offset
    except NotOurNote:
        return 0, reached.offset
