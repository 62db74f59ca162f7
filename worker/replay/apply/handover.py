"""The hand-over: the live worker begins where a replay ended, so that the two together write every event once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from worker.errors import WorkerError
from worker.kafka.clients import KafkaClients, started
from worker.kafka.refusals import answered
from worker.kafka.stable_offsets import committed_with_note
from worker.replay.apply.receipt import PartitionReceipt, Receipt
from worker.replay.topics import cluster_id_of
from worker.settings import Settings

log = structlog.get_logger(__name__)

GroupOffsets = Mapping[TopicPartition, int | None]


async def hand_over(clients: KafkaClients, settings: Settings, receipt: Receipt) -> None:
    """Commit the replay's end offsets for the live worker's group, before the worker joins it. A group that has read
    further stays where it is.

    Raises WorkerError where the replay is unfinished or of another cluster, or where the group has unread records
    before the replay's range.
    """
    _check_route(settings, receipt)
    if receipt.redrive is not None:
        raise WorkerError(
            "--after: the receipt is of a redrive, after which no worker begins: give the receipt of a replay",
            code="UPC1701",
        )
    cluster = await cluster_id_of(clients)
    if cluster != receipt.cluster_id:
        raise WorkerError(
            f"--after: the receipt is of cluster {receipt.cluster_id}, this is {cluster}: correct "
            "kafka.bootstrap_servers, or give a receipt of this cluster",
            code="UPC1608",
        )
    await _check_finished(clients, receipt)
    with answered("--after: the group's offsets cannot be read and set"):
        async with _member_of_none(clients) as consumer:
            await _check_source(consumer, receipt)
            await _move(consumer, receipt, settings.kafka.group_id)


def _check_route(settings: Settings, receipt: Receipt) -> None:
    topics = {route.source: route.destination for route in settings.routes}
    found = topics.get(receipt.route.source)
    if found != receipt.route.destination:
        raise WorkerError(
            f"--after: the replay went from {receipt.route.source} to {receipt.route.destination}, and no route of "
            "this configuration does: give the receipt of a replay of one of its routes",
            code="UPC1701",
        )


async def _check_finished(clients: KafkaClients, receipt: Receipt) -> None:
    """The receipt says so, and nothing in Kafka says otherwise. Kafka forgets a replay's offsets after a while."""
    ends = _ends(receipt)
    async with _member_of_none(clients, receipt.group) as consumer:
        for partition, committed in (await _committed(consumer, ends)).items():
            if committed is not None and committed < ends[partition]:
                raise WorkerError(
                    f"--after: replay {receipt.replay_id} is unfinished: partition {partition.partition} of "
                    f"{partition.topic} is at offset {committed} of {ends[partition]}: run `upcast replay` to its end",
                    code="UPC1702",
                )


async def _check_source(consumer: AIOKafkaConsumer, receipt: Receipt) -> None:
    """A topic that was deleted and created again ends before the replay did; a hand-over would skip everything that
    comes."""
    ends = _ends(receipt)
    for partition, offsets in (await consumer.log_offsets(ends)).items():
        if offsets.end < ends[partition]:
            raise WorkerError(
                f"--after: partition {partition.partition} of {partition.topic} ends at offset {offsets.end}, the "
                f"replay at {ends[partition]}: the topic was created again or has lost records; plan a new replay, "
                "or run "
                "without --after",
                code="UPC1609",
            )


async def _move(consumer: AIOKafkaConsumer, receipt: Receipt, group: str) -> None:
    ends = _ends(receipt)
    moves = _moves(receipt, await _committed(consumer, ends))
    if not moves:
        log.info("the group is at or past the end of the replay already", replay_id=receipt.replay_id)
        return
    consumer.assign(moves)
    try:
        await consumer.commit({partition: OffsetAndMetadata(ends[partition], "") for partition in moves})
    except KafkaError:
        # Another worker that starts with the same receipt may have been quicker.
        if _moves(receipt, await _committed(consumer, ends)):
            raise WorkerError(
                f"--after: the group {group} has members before the replay's end: stop its workers first, then start "
                "them with --after",
                code="UPC1703",
            ) from None
    log.info("the group begins where the replay ended", replay_id=receipt.replay_id, partitions=len(moves))


def _moves(receipt: Receipt, committed: GroupOffsets) -> list[TopicPartition]:
    """The partitions whose offset has to be moved. Raises WorkerError where that would skip records."""
    found = []
    for each in receipt.partitions:
        partition = TopicPartition(receipt.route.source, each.partition)
        at = committed[partition]
        if at is not None and at >= each.end:
            continue
        if at is not None and at < each.start:
            raise _left_out(partition, at, each)
        found.append(partition)
    return found


def _left_out(partition: TopicPartition, at: int, each: PartitionReceipt) -> WorkerError:
    return WorkerError(
        f"--after: the group is at offset {at} of partition {partition.partition} of {partition.topic}, the replay "
        f"began at {each.start}: the offsets between them would be skipped; run without --after up to there, or plan "
        "a replay from the group's offset",
        code="UPC1704",
    )


async def _committed(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int | None]:
    found = {partition: await committed_with_note(consumer, partition) for partition in ends}
    return {partition: None if answer is None else answer.offset for partition, answer in found.items()}


def _ends(receipt: Receipt) -> dict[TopicPartition, int]:
    return {TopicPartition(receipt.route.source, each.partition): each.end for each in receipt.partitions}


def _member_of_none(clients: KafkaClients, group: str | None = None) -> AbstractAsyncContextManager[AIOKafkaConsumer]:
    """A client that commits offsets of the group without joining it."""
    options = {} if group is None else {"group_id": group, "group_instance_id": None}
    return started(clients.group_consumer(**options))
