"""Ends a transaction that a producer has left open: by starting the next one of its transactional id."""

from __future__ import annotations

import asyncio

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from worker.kafka.internals import is_expelled
from worker.lanes.faults import kind
from worker.lanes.surroundings import LaneContext
from worker.routes.route import Route

log = structlog.get_logger(__name__)

LEFT_OPEN = "TransactionLeftOpen"


async def end_by_successor(around: LaneContext, route: Route, partition: TopicPartition) -> None:
    """Within the time of an abort; readers of committed records would otherwise wait until the brokers give it up.

    Whoever has the partition next does the same. So where he may be at work already, he is not fenced for it.
    """
    if is_expelled(around.consumer):
        return
    delivery = around.new_delivery(route, partition)
    try:
        async with asyncio.timeout(around.timing.abort):
            await delivery.start()
    except (KafkaError, TimeoutError, OSError) as error:
        names = {"topic": partition.topic, "partition": partition.partition}
        log.warning("a transaction stays open until the brokers give it up", **names, reason=kind(error))
        around.metrics.error("commit", LEFT_OPEN)
    finally:
        await delivery.discard()
