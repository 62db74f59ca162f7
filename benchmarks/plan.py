"""What a plan and a census cost beside the worker's own work on the same records: ``python -m benchmarks.plan``.

The drain is the worker's own processing at least once, without producing: records read as the lanes read them, through
the real chain, into real batches, which are then thrown away. A plan is to cost no more than 1.3 times as much.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.kafka import Record, Topics, produce
from tests.worker_process import write_config
from upcasters.event import SourcePartition
from worker.chains import RouteChain, load_chains
from worker.clients import Clients
from worker.dead_letters import Reporter
from worker.lanes.breaker import Breaker
from worker.lanes.outbox import Outbox
from worker.lanes.processing import Processor, Work
from worker.local_kafka import LocalKafka
from worker.preflight import ask_brokers
from worker.replay.dry_run import Wishes
from worker.replay.planning import make_plan
from worker.replay.ranges import Earliest, Latest, freeze
from worker.replay.reading import open_range_reader, read_ranges
from worker.replay.surveying import survey
from worker.routes import build_route
from worker.settings import Settings, load_settings

PARTITIONS = 4
ROUNDS = 3
OLD = {
    "metadata": {"taskId": "1.1.1", "projectId": "customer-123/project-abc"},
    "nodes": {f"node-{number}": {"status": "completed", "note": "x" * 40} for number in range(3)},
}


async def drain(settings: Settings, given: RouteChain) -> None:
    """Everything but the sending."""
    clients = Clients(settings.kafka)
    route = build_route(given, await ask_brokers(clients, settings))
    producer = clients.producer()
    processors = [
        Processor(route, SourcePartition(route.source, number), Reporter("g", "i", "v")) for number in range(PARTITIONS)
    ]
    async with open_range_reader(clients, PARTITIONS) as consumer:
        ranges = await freeze(consumer, route.source, PARTITIONS, Earliest(), Latest())
        work = Work(Outbox(producer, 0), Breaker(route.breaker))
        async for piece in read_ranges(consumer, route.source, ranges):
            processors[piece.partition].process(piece.slice, work)
            if work.outbox.has_full_batches:
                work = Work(Outbox(producer, 0), Breaker(route.breaker))
    await producer.stop()


async def plan(settings: Settings, given: RouteChain) -> None:
    made = await make_plan(settings, given, Wishes(), lambda _done, _total: None)
    assert made.counts.upcast == made.counts.read > 0


async def census(settings: Settings, given: RouteChain) -> None:
    await survey(settings, given, "earliest", "now", lambda _done, _total: None)


async def cpu_seconds(work: Callable[[Settings, RouteChain], Awaitable[None]], config: Path) -> float:
    """The least of some rounds: the rest is other people's noise."""
    found = []
    for _ in range(ROUNDS):
        settings = load_settings(config)
        given = load_chains(settings.routes)[settings.routes[0].source]
        began = time.process_time()
        await work(settings, given)
        found.append(time.process_time() - began)
    return min(found)


async def main(bootstrap: str, events: int) -> None:
    topics = Topics(bootstrap)
    for name in ("legacy", "current", "dlt"):
        await topics.create(name, partitions=PARTITIONS, configs={"retention.ms": "-1"})
    value = json.dumps(OLD).encode()
    records = [
        Record(b"key-%d" % at, value, timestamp=1_700_000_000_000 + at, partition=at % 4) for at in range(events)
    ]
    await produce(bootstrap, topics.name("legacy"), records)
    with tempfile.TemporaryDirectory() as folder:
        names = {
            "source": topics.name("legacy"),
            "destination": topics.name("current"),
            "dead_letter": topics.name("dlt"),
        }
        config = write_config(Path(folder) / "upcast.yaml", bootstrap, topics.name("group"), names)
        base = await cpu_seconds(drain, config)
        print(f"{events} events of {len(value)} bytes, {os.cpu_count()} cores; CPU per event, least of {ROUNDS} rounds")
        print(f"drain   {1e6 * base / events:6.2f} us")
        for work in (plan, census):
            cost = await cpu_seconds(work, config)
            print(f"{work.__name__:7} {1e6 * cost / events:6.2f} us  {cost / base:5.2f} x the drain")
    await topics.delete_all()


if __name__ == "__main__":
    broker = LocalKafka.start()
    try:
        asyncio.run(main(broker.bootstrap_servers, int(sys.argv[1]) if len(sys.argv) > 1 else 200_000))
    finally:
        broker.stop()
