"""A replay in several processes: each works on a share of the partitions, and the parent writes one receipt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from worker.errors import MAY_PASS, WorkerError
from worker.kafka.clients import KafkaClients
from worker.kafka.waiting import wait_for_broker
from worker.processes.api import keep_together
from worker.processes.family import Family
from worker.replay.apply.ledger_entries import refuse_finished
from worker.replay.apply.preconditions import prepare, refuse_other_route
from worker.replay.apply.receipt import Receipt
from worker.replay.apply.resume import PartitionState
from worker.replay.apply.running import NOTE_SECONDS, OnPartitions, ReplayOptions, apply, open_books, settings_of_replay
from worker.replay.plan.file import Plan
from worker.replay.topics import committed_of
from worker.routes.chains import RouteChain
from worker.runtime import new_process_metrics, stop_on_signals
from worker.settings import Settings


async def apply_together(
    settings: Settings,
    given: RouteChain,
    plan: Plan,
    wishes: ReplayOptions,
    show: OnPartitions,
    arguments: Sequence[str],
    size: int,
) -> Receipt:
    """``apply`` by ``size`` processes, each started with ``arguments``. Raises WorkerError."""
    refuse_other_route(plan, given)
    stop, registry = stop_on_signals(), CollectorRegistry()
    new_process_metrics(registry)
    clients = KafkaClients(settings_of_replay(settings, plan).kafka)
    work = [each for each in plan.ranges if not each.empty]
    family = Family(arguments, max(1, min(size, len(work))))
    async with open_books(settings, plan) as books:
        await asyncio.to_thread(refuse_finished, books, wishes.receipt)

        async def prepare_once() -> None:
            """Record the run before the children start: they continue it."""
            await wait_for_broker(clients)
            reached = await asyncio.to_thread(books.reached)
            await prepare(clients, plan, reached, books.ledger, again=wishes.again)
            await asyncio.to_thread(books.begin, wishes.reason)

        async with _showing(clients, plan, show):
            finished = await keep_together(settings, family, registry, stop, prepare_once)
    if not finished:
        raise WorkerError(
            f"replay {plan.replay_id}: stopped before its end: run the same command again to go on",
            MAY_PASS,
            code="UPC1614",
        )
    # Nothing is left to be done but to write it down.
    return await apply(settings, given, plan, wishes, show, stop)


@asynccontextmanager
async def _showing(clients: KafkaClients, plan: Plan, show: OnPartitions) -> AsyncIterator[None]:
    showing = asyncio.create_task(_show_now_and_then(clients, plan, show), name="progress")
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.wait({showing})


async def _show_now_and_then(clients: KafkaClients, plan: Plan, show: OnPartitions) -> None:
    """Progress by the offsets in Kafka, whichever process has committed them."""
    while True:
        await asyncio.sleep(NOTE_SECONDS)
        try:
            committed = await committed_of(clients, clients.kafka.group_id, plan.topic)
        except WorkerError:
            continue
        source = plan.route.source
        places = [(each, committed.get(TopicPartition(source, each.partition))) for each in plan.ranges]
        show([PartitionState(planned, reached.offset if reached else planned.start) for planned, reached in places])
