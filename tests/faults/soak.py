"""A steady rate with faults for a long time: what workers use must not grow. `make soak` starts this."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
import time
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import median

from tests.faults import kinds
from tests.faults.chaos import one_fault, say
from tests.faults.checker import Verdict, check
from tests.faults.cluster import running_cluster
from tests.faults.fleet import Member
from tests.faults.kinds import Fault
from tests.faults.table import show
from tests.faults.world import World, committed_to_the_end, make_place, open_world, recovered
from tests.http import request

COMMAND = (sys.executable, "-c", "from tests.faults.soak import worker; worker()")
TASKS = "soak_tasks"
PARTITIONS = 6
PACE = 5.0
"""Seconds of feeding for each fault."""


@dataclass(frozen=True)
class Sample:
    """What one worker uses between two faults."""

    rss_mb: float
    pss_mb: float
    files: float
    threads: float
    tasks: float
    series: float


GROWTH = Sample(rss_mb=15, pss_mb=15, files=6, threads=2, tasks=4, series=20)
"""How much more the last quarter may show than the second one: the first is for warming up. Faults that are just over
leave a connection or a task behind for a moment."""


async def neighbour_comes_and_goes(world: World) -> None:
    """The workers that are watched stay."""
    member = await world.start_worker()
    await world.moment(5.0)
    await world.fleet.send_away(member)


FAULTS: list[Fault] = [
    kinds.connections_cut,
    kinds.broker_out_of_reach,
    kinds.network_slow,
    kinds.connections_half_open,
    kinds.answers_lost,
    kinds.lane_fenced,
    kinds.destination_stalls,
    kinds.broker_killed,
    kinds.broker_frozen,
    kinds.worker_frozen,
    kinds.large_records,
    kinds.poison_burst,
    neighbour_comes_and_goes,
]


def worker() -> None:
    """`upcast`, with one more metric: how many tasks its loop has."""
    from prometheus_client import CollectorRegistry, Gauge

    from worker.cli import main as upcast
    from worker.metrics import WorkerMetrics

    declare = WorkerMetrics.__init__

    def and_tasks(self: WorkerMetrics, registry: CollectorRegistry, group: str) -> None:
        declare(self, registry, group)
        Gauge(TASKS, "Tasks of the event loop.", registry=registry).set_function(lambda: len(asyncio.all_tasks()))

    WorkerMetrics.__init__ = and_tasks  # type: ignore[method-assign]  # the product is broken on purpose
    upcast()


async def sample(member: Member) -> Sample:
    process = Path(f"/proc/{member.worker.process.pid}")
    rollup = (process / "smaps_rollup").read_text(encoding="utf-8")
    status = (process / "status").read_text(encoding="utf-8")
    metrics = (await request(member.worker.address, "/metrics")).text.splitlines()
    return Sample(
        rss_mb=_number(rollup, "Rss:") / 1024,
        pss_mb=_number(rollup, "Pss:") / 1024,
        files=len(list((process / "fd").iterdir())),
        threads=_number(status, "Threads:"),
        tasks=next(float(line.split()[1]) for line in metrics if line.startswith(TASKS)),
        series=sum(not line.startswith("#") for line in metrics),
    )


def _number(text: str, name: str) -> float:
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name))


async def soak(seed: int, minutes: float, rate: int, directory: Path) -> tuple[list[list[Sample]], Verdict, list[str]]:
    """By worker, its samples."""
    async with running_cluster() as cluster:
        place = await make_place(cluster, PARTITIONS)
        async with open_world(cluster, place, directory, seed=seed, command=COMMAND) as world:
            watched = [await world.fleet.start() for _ in range(kinds.WORKERS)]
            samples = await _faults_until(world, watched, time.monotonic() + minutes * 60, rate)
            await committed_to_the_end(world)
            for member in watched:
                await world.fleet.send_away(member)
            world.fleet.save_logs(directory)
            return samples, await check(place, world.feeder.ledger), world.fleet.complaints


async def _faults_until(world: World, watched: list[Member], end: float, rate: int) -> list[list[Sample]]:
    samples: list[list[Sample]] = [[] for _ in watched]
    while time.monotonic() < end:
        fault = world.chance.choice(FAULTS)
        seconds = await one_fault(world, fault, round(rate * PACE), PACE)
        await world.feeder.feed(round(rate * PACE), PACE)
        await recovered(world, "a quiet moment")
        for each, member in zip(samples, watched, strict=True):
            each.append(await sample(member))
        say(f"{len(samples[0])}: {fault.__name__}, well again in {seconds:.1f} s, {samples[0][-1]}")
    return samples


def growth(samples: list[Sample]) -> tuple[Sample, Sample]:
    """The middle of the second quarter of the time, and of the last one."""
    quarter = max(1, len(samples) // 4)
    return _middle(samples[quarter : 2 * quarter] or samples), _middle(samples[-quarter:])


def _middle(samples: list[Sample]) -> Sample:
    return Sample(*(median(values) for values in zip(*map(astuple, samples), strict=True)))


def tell(samples: list[list[Sample]]) -> tuple[str, bool]:
    """A table, and whether nothing has grown."""
    rows, flat = [], True
    for number, each in enumerate(samples, 1):
        early, late = growth(each)
        for name in (field.name for field in fields(Sample)):
            before, after, most = getattr(early, name), getattr(late, name), max(getattr(one, name) for one in each)
            grown = after - before > getattr(GROWTH, name)
            flat = flat and not grown
            rows.append((f"worker {number} {name}", f"{before:.0f}", f"{after:.0f}", f"{most:.0f}", "GREW" * grown))
    return "\n".join(show(("what", "2nd quarter", "last quarter", "most", ""), rows)), flat


def main() -> int:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that connections break is what this is about
    seed, minutes = int(os.environ.get("SEED") or 1), float(os.environ.get("MINUTES") or 30)
    rate = int(os.environ.get("RATE") or 1_000)
    directory = Path(tempfile.mkdtemp(prefix="upcast-soak-"))
    say(f"SEED={seed} MINUTES={minutes:g} RATE={rate}; logs in {directory}")
    samples, verdict, complaints = asyncio.run(soak(seed, minutes, rate, directory))
    table, flat = tell(samples)
    say(table)
    say(f"{verdict.records_in:,} records, {len(samples[0])} faults: lost {verdict.lost}, doubled {verdict.doubled}")
    for complaint in (*verdict.examples, *complaints):
        say(f"WRONG: {complaint}")
    return 0 if flat and verdict.is_clean and not complaints else 1


if __name__ == "__main__":
    sys.exit(main())
