"""What plan, replay and verify cost beside the worker's own work on the same records: `make bench WHAT=replay`.

Each is measured in a process of its own, from the moment it is loaded to its end: CPU seconds, least of some rounds,
by slope between two numbers of events. The bases: `upcast run` as shipped, exactly once, with and without lineage
headers (a replay always writes them, for `verify` needs them); and the drain, which is the worker's own processing at
least once without producing: records read, through the chain, into batches that are then thrown away.

The broker shares the machine, so that ratios count, not microseconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from tests.kafka import Record, Topics, produce
from tests.replaying import STAMP, V1_0, V1_1, V2_0, Stage, make_stage
from upcast_demo.local_kafka import LocalKafka
from upcasters.event import SourcePartition
from worker.dead_letters import Reporter
from worker.kafka.clients import KafkaClients
from worker.lanes.breaker import Breaker
from worker.lanes.outbox import Outbox
from worker.lanes.processing import Processor, Work
from worker.preflight.asking import ask_brokers
from worker.replay.census.counting import survey
from worker.replay.ranges import Earliest, Latest, freeze
from worker.replay.reading import open_range_reader, read_ranges
from worker.routes.chains import build_route

PARTITIONS = 4
ROUNDS = 3
FEW = 6
"""The smaller of the two sizes is one in so many."""
PADDING = {"note": "x" * 120}
BASES = {"plan": "drain", "census": "drain", "verify": "drain", "replay": "run, lineage headers"}
BOUNDS = {"plan": 1.3, "verify": 1.0, "replay": 1.1}


async def drain(stage: Stage) -> None:
    settings, given = stage.given
    clients = KafkaClients(settings.kafka)
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


async def run(stage: Stage) -> None:
    """The worker as `upcast run` puts it together, until all is committed."""
    from prometheus_client import CollectorRegistry

    from worker.lanes.supervisor import Supervisor
    from worker.routes.chains import load_chains
    from worker.runtime import new_metrics, reporter_of
    from worker.service import Service

    settings, _ = stage.given
    clients, registry, stop = KafkaClients(settings.kafka), CollectorRegistry(), asyncio.Event()
    metrics = new_metrics(registry, settings.kafka.group_id)
    service = Service(
        settings,
        load_chains(settings.routes),
        clients,
        lambda routes: Supervisor(routes, clients, metrics, reporter_of(settings)),
    )

    async def watch() -> None:
        while True:
            await asyncio.sleep(0.2)
            lanes = [lane for route in service.status().routes for lane in route.lanes]
            if len(lanes) == PARTITIONS and all(lane.end and lane.committed == lane.end for lane in lanes):
                stop.set()
                return

    watching = asyncio.create_task(watch())
    await service.run(stop)
    await watching


async def plan(stage: Stage) -> None:
    made = await stage.make_plan()
    assert made.counts.upcast + made.counts.passed == made.counts.read > 0


async def census(stage: Stage) -> None:
    await survey(*stage.given, "earliest", "now", lambda _done, _total: None)


async def replay(stage: Stage) -> None:
    await stage.replay()


async def verify(stage: Stage) -> None:
    found = await stage.verify()
    assert not found.findings, found.findings.lines()


ACTIONS: dict[str, Callable[[Stage], Coroutine[None, None, None]]] = {
    each.__name__: each for each in (drain, run, plan, census, replay, verify)
}


def measure_here(action: str, stage: Stage) -> None:
    """In a process of its own: prints the CPU seconds."""
    from worker.loop import run_in_loop

    _ = stage.given
    began = time.process_time()
    run_in_loop(ACTIONS[action](stage))
    print(time.process_time() - began)


def cpu_seconds(action: str, stage: Stage) -> float:
    given = json.dumps({**vars(stage), "folder": str(stage.folder)})
    command = (sys.executable, "-m", "benchmarks.replay", "--measure", action, given)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{action}: {done.stdout}{done.stderr}")
    return float(done.stdout.splitlines()[-1])


def events(count: int) -> Iterable[Record]:
    """70 % at 1.0, 20 % at 1.1, 10 % at 2.0, some 350 bytes each."""
    documents = [V1_0] * 7 + [V1_1] * 2 + [V2_0]
    values = [json.dumps({**each, "nodes": {**each["nodes"], "x": PADDING}}).encode() for each in documents]
    for at in range(count):
        yield Record(b"key-%d" % (at % 997), values[at // PARTITIONS % 10], timestamp=STAMP + at, partition=at % 4)


async def stages(bootstrap: str, count: int, folder: Path, **route: Any) -> tuple[Topics, Stage]:
    topics = Topics(bootstrap)
    stage = await make_stage(bootstrap, topics, folder, PARTITIONS, **route)
    await produce(bootstrap, stage.source, list(events(count)))
    return topics, stage


async def renewed(topics: Topics, stage: Stage, name: str, **route: Any) -> None:
    """An empty destination and a group of its own: nothing is done yet."""
    stage.destination = await topics.create(name, partitions=PARTITIONS, configs={"retention.ms": "-1"})
    stage.group = topics.name(name)
    stage.configure(**route)


async def one_round(topics: Topics, stage: Stage, number: int) -> dict[str, float]:
    found = {"drain": cpu_seconds("drain", stage)}
    for name, lineage in (("run", False), ("run, lineage headers", True)):
        await renewed(topics, stage, f"run-{number}-{int(lineage)}", lineage_headers=lineage)
        found[name] = cpu_seconds("run", stage)
    await renewed(topics, stage, f"replay-{number}", lineage_headers=False)
    stage.receipt.unlink(missing_ok=True)
    for name in ("plan", "census", "replay", "verify"):
        found[name] = cpu_seconds(name, stage)
    return found


async def least(bootstrap: str, count: int, validate: str) -> dict[str, float]:
    """CPU seconds of each pass over so many events."""
    with tempfile.TemporaryDirectory() as folder:
        topics, stage = await stages(bootstrap, count, Path(folder), validate={"target": validate})
        rounds = [await one_round(topics, stage, number) for number in range(ROUNDS)]
        await topics.delete_all()
    return {name: min(each[name] for each in rounds) for name in rounds[0]}


async def main(bootstrap: str, count: int, validate: str) -> None:
    """By slope: what a pass costs once, such as opening the ledger, is told apart from what each event costs."""
    few = count // FEW
    small, large = await least(bootstrap, few, validate), await least(bootstrap, count, validate)
    cost = {name: (large[name] - small[name]) / (count - few) for name in large}
    print(f"{count:,} events, results validated: {validate}; {os.cpu_count()} cores; least CPU of {ROUNDS} rounds")
    for name, seconds in cost.items():
        once = small[name] - few * seconds
        print(f"{name:21} {1e6 * seconds:6.2f} us an event, {once:4.1f} s once", end="")
        if base := BASES.get(name):
            bound = f" (at most {BOUNDS[name]})" if name in BOUNDS else ""
            print(f"  {seconds / cost[base]:5.2f} x {base}{bound}", end="")
        print(f"  {seconds / cost['run']:5.2f} x run" if name == "replay" else "")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        told = json.loads(sys.argv[3])
        measure_here(sys.argv[2], Stage(**{**told, "folder": Path(told["folder"])}))
    else:
        broker = LocalKafka.start_or_exit()
        try:
            for checked in ("always", "never"):
                asyncio.run(main(broker.bootstrap_servers, int((*sys.argv[1:], 200_000)[0]), checked))
        finally:
            broker.stop()
