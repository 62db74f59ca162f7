"""The last questions before a replay writes: is it the cluster of the plan, are its records still there, and is the
destination as far as we believe?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from worker.dead_letters import LETTER_OFFSET
from worker.errors import MAY_PASS, WorkerError
from worker.kafka.clients import KafkaClients
from worker.kafka.refusals import in_words
from worker.ledger import Ledger
from worker.replay.apply.account import NotOurNote, PartitionAccount, is_of
from worker.replay.apply.beside import refuse_live
from worker.replay.apply.changes import AGAIN, refuse_other_cluster, refuse_other_records
from worker.replay.apply.traces import SOURCE_OFFSET, refuse_ahead, refuse_forgotten
from worker.replay.plan.earlier import told_twice
from worker.replay.plan.file import Plan
from worker.replay.ranges import Range
from worker.replay.reading import open_range_reader
from worker.replay.topics import Reached, cluster_id_of, committed_of, partition_counts


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
    committed = await _own_offsets(clients, plan)
    try:
        async with open_range_reader(clients, len(plan.ranges)) as consumer:
            await _refuse_lost(plan, committed, reached, consumer)
            await refuse_other_records(plan, consumer)
            if partitions.get(plan.route.destination, 0) >= len(plan.ranges):
                await _refuse_traces(plan, committed, reached, consumer, clients)
            left = _left(plan, committed, reached)
            if left and plan.redrive is None and not again:
                await _refuse_twice(clients, plan, left, consumer, ledger)
                await refuse_live(clients, plan)
    except KafkaError as error:
        raise WorkerError(
            f"kafka: the plan's records cannot be looked at ({in_words(error)}): try again", MAY_PASS
        ) from error


def _left(plan: Plan, committed: Mapping[TopicPartition, int], ledger: Mapping[int, Reached]) -> list[Range]:
    """What the replay has yet to do. Others may have done it since it was interrupted."""
    positions = _positions(plan, committed, ledger)
    found = [Range(each.partition, max(each.start, positions[each.partition]), each.end) for each in plan.ranges]
    return found if any(each.offsets for each in found) else []


def _positions(plan: Plan, committed: Mapping[TopicPartition, int], ledger: Mapping[int, Reached]) -> dict[int, int]:
    """Where each partition goes on."""
    starts = {each.partition: each.start for each in plan.ranges}
    kept = {number: reached.offset for number, reached in ledger.items()}
    return starts | kept | {place.partition: offset for place, offset in committed.items()}


async def _refuse_twice(
    clients: KafkaClients, plan: Plan, left: Sequence[Range], consumer: AIOKafkaConsumer, ledger: Ledger | None
) -> None:
    live = clients.kafka.group_id.removesuffix(f"-replay-{plan.replay_id}")
    topics = plan.topic, plan.route.destination
    lines = await told_twice(clients, live, consumer, topics, left, ledger, but=plan.replay_id)
    if lines:
        raise WorkerError("\n".join(lines))


async def _own_offsets(clients: KafkaClients, plan: Plan) -> dict[TopicPartition, int]:
    """A redrive's group may still be where the one before it has left it."""
    found = await committed_of(clients, clients.kafka.group_id, plan.topic)
    replay, name = plan.redrive is None, plan.replay_id
    return {place: reached.offset for place, reached in found.items() if replay or is_of(reached.note, name)}


def _refuse_fewer(plan: Plan, partitions: int) -> None:
    if partitions < len(plan.ranges):
        raise WorkerError(
            f"{plan.topic}: has {partitions} partitions, the plan {len(plan.ranges)}: the topic was made "
            f"anew or is gone; {AGAIN}"
        )


async def _refuse_lost(
    plan: Plan, committed: Mapping[TopicPartition, int], ledger: Mapping[int, Reached], consumer: AIOKafkaConsumer
) -> None:
    """All lines at once, where the lanes would name the first alone."""
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
                f"the topic was made anew or has lost records; {AGAIN}"
            )
    if lines:
        raise WorkerError("\n".join(lines))


async def _refuse_traces(
    plan: Plan,
    committed: Mapping[TopicPartition, int],
    ledger: Mapping[int, Reached],
    consumer: AIOKafkaConsumer,
    clients: KafkaClients,
) -> None:
    """Where Kafka has an offset, nothing else needs to be asked."""
    open_ranges = [each.partition for each in plan.ranges if not each.empty]
    silent = [number for number in open_ranges if TopicPartition(plan.topic, number) not in committed]
    unknown = [number for number in silent if number not in ledger]
    destination = plan.route.destination
    await refuse_forgotten(plan.replay_id, destination, unknown, consumer, clients)
    reached = {number: _output_of(ledger[number], plan) for number in silent if number in ledger}
    origin = SOURCE_OFFSET if plan.redrive is None else LETTER_OFFSET
    await refuse_ahead(plan.replay_id, destination, reached, consumer, clients, origin)


def _output_of(reached: Reached, plan: Plan) -> tuple[int, int]:
    try:
        return PartitionAccount.of_note(reached.note, plan.replay_id).destination_start, reached.offset
    except NotOurNote:
        return 0, reached.offset
