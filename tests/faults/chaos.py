"""One run of faults from a seed, and its verdict: `python -m tests.faults.chaos` is what `make chaos` starts."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.brokers.releases import named
from tests.faults.checker import Verdict, check
from tests.faults.cluster import running_cluster
from tests.faults.kinds import CLUSTER, SINGLE, WORKERS, Fault
from tests.faults.scenarios import SCENARIOS, run_all
from tests.faults.table import row, show
from tests.faults.world import World, committed_to_the_end, make_place, open_world, recovered
from tests.limits import HANG
from upcast_demo.local_kafka.release import NEWEST, Release

STOP = 15.0
"""Seconds that a worker promises to stop in. Who only wants to know whether it stops gives it longer."""


@dataclass(frozen=True)
class Plan:
    """The same plan brings the same faults in the same order, with the same parameters, over the same events. When
    exactly they meet the workers is up to the machine."""

    seed: int
    records: int
    faults: int
    partitions: int = 6
    nodes: int = 1
    pace: float = 3.0
    """Seconds over which the records of one fault are written."""
    longest_stall: float = 4.0
    stops_within: float = HANG
    """Seconds that a worker has to stop in order."""
    release: Release = NEWEST
    only: tuple[str, ...] = ()
    """These kinds in this order, instead of what the seed says."""

    @property
    def known(self) -> Mapping[str, Fault]:
        return SINGLE if self.nodes == 1 else CLUSTER

    def kinds(self) -> list[str]:
        """Each kind as often as any other; where there is little room, some of them."""
        if self.only:
            return list(self.only)
        chance, known = random.Random(f"kinds {self.seed}"), sorted(self.known)
        rounds = -(-self.faults // len(known))
        chosen = [kind for _ in range(rounds) for kind in chance.sample(known, len(known))][: self.faults]
        chance.shuffle(chosen)
        return chosen


@dataclass
class Report:
    """What a run has shown."""

    plan: Plan
    verdict: Verdict
    seconds: float
    recoveries: Mapping[str, list[float]]
    longest_pause: float
    watched: int
    """Records that the watcher saw live."""
    complaints: list[str]
    counted: float
    """Records that the metrics of all workers say were consumed."""
    replaced: int
    """Workers that gave up (exit code 1) and were started again."""
    mended: int
    """Brokers that had lost their state and were restarted."""
    busy_coordinators: int

    @property
    def is_clean(self) -> bool:
        return self.verdict.is_clean and not self.complaints


@dataclass
class Run:
    """The state of a run."""

    plan: Plan
    world: World
    complaints: list[str] = field(default_factory=list)
    recoveries: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


async def run(plan: Plan, directory: Path) -> Report:
    started = time.monotonic()
    async with _world(plan, directory) as world:
        this = Run(plan, world)
        try:
            await _all_faults(this)
            await _finish(this)
        except AssertionError as error:
            this.complaints.append(str(error))
        verdict = await check(world.place, world.feeder.ledger)
        world.fleet.save_logs(directory)
    return _report(this, verdict, time.monotonic() - started)


@asynccontextmanager
async def _world(plan: Plan, directory: Path) -> AsyncIterator[World]:
    async with (
        running_cluster(plan.nodes, plan.release) as cluster,
        open_world(cluster, await make_place(cluster, plan.partitions), directory, seed=plan.seed) as world,
    ):
        world.longest_stall = plan.longest_stall
        world.fleet.stops_within = plan.stops_within
        yield world


async def _all_faults(this: Run) -> None:
    world = this.world
    for _ in range(WORKERS):
        await world.start_worker()
    await world.feeder.feed(WORKERS * this.plan.partitions)
    await recovered(world, "the workers to begin")
    kinds = this.plan.kinds()
    for number, kind in enumerate(kinds, 1):
        share = this.plan.records * number // len(kinds) - world.feeder.written
        seconds = await one_fault(world, this.plan.known[kind], max(0, share), this.plan.pace)
        this.recoveries[kind].append(seconds)
        say(f"fault {number} of {len(kinds)}: {kind}, {world.feeder.written:,} records, well again in {seconds:.1f} s")


async def one_fault(world: World, fault: Fault, records: int, pace: float) -> float:
    """Seconds from the fault to the moment when all that was written before its end has come out."""
    feeding = asyncio.create_task(world.feeder.feed(records, pace), name="feed")
    try:
        await asyncio.sleep(world.chance.uniform(0.1, 0.7) * pace)
        began = time.monotonic()
        await fault(world)
        await recovered(world, "recovery")
        seconds = time.monotonic() - began
        await feeding
    finally:
        feeding.cancel()
    return seconds


async def _finish(this: Run) -> None:
    """Everything comes out, and every worker ends in order."""
    world = this.world
    await world.feeder.feed(max(0, this.plan.records - world.feeder.written))
    await recovered(world, "the last records")
    await committed_to_the_end(world)
    await world.fleet.scrape()
    for member in list(world.fleet.members):
        await world.fleet.send_away(member)


def _report(this: Run, verdict: Verdict, seconds: float) -> Report:
    world = this.world
    watcher = world.watcher
    complaints = this.complaints + world.fleet.complaints
    counted = world.fleet.total("upcaster_records_consumed_total")
    if counted > verdict.records_in:
        complaints.append(f"the metrics say that {counted:.0f} records were consumed, of {verdict.records_in}")
    if watcher.doubled or watcher.reordered:
        complaints.append(f"seen live: {watcher.doubled} doubled, {watcher.reordered} reordered: {watcher.examples}")
    return Report(
        plan=this.plan,
        verdict=verdict,
        seconds=seconds,
        recoveries=this.recoveries,
        longest_pause=watcher.longest_pause,
        watched=sum(sum(each.seen) for each in watcher.tracks.values()),
        complaints=complaints,
        counted=counted,
        replaced=world.fleet.replaced,
        mended=world.mended,
        busy_coordinators=world.busy_coordinators,
    )


def tell(report: Report) -> str:
    """The table of a run."""
    verdict, plan = report.verdict, report.plan
    counts = {
        "seed": plan.seed,
        "brokers, partitions": f"{plan.nodes}, {plan.partitions}",
        "faults injected": sum(map(len, report.recoveries.values())),
        "records in": verdict.records_in,
        "records out": verdict.out,
        "dead-lettered": verdict.dead_lettered,
        "skipped": verdict.skipped,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "reordered": verdict.reordered,
        "otherwise wrong": sum(verdict.found.values()) - verdict.lost - verdict.doubled - verdict.reordered,
        "transactions committed": verdict.commits,
        "counted by the metrics": round(report.counted),
        "watched live": report.watched,
        "workers that gave up": report.replaced,
        "brokers that lost their state": report.mended,
        "coordinators still busy": report.busy_coordinators,
        "longest pause": f"{report.longest_pause:.1f} s",
        "took": f"{report.seconds:.0f} s",
    }
    lines = [row(name, value) for name, value in counts.items()]
    recoveries = [
        (kind, str(len(times)), f"{median(times):.1f}", f"{max(times):.1f}")
        for kind, times in sorted(report.recoveries.items())
    ]
    lines += ["", *show(("fault", "times", "median s", "longest s"), recoveries)]
    lines += [f"WRONG: {example}" for example in (*verdict.examples, *report.complaints)]
    return "\n".join(lines)


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _plans(seed: int, records: int, faults: int, release: Release) -> list[Plan]:
    """Most of it on one broker, where a fault hits everything; the rest on three."""
    on_three = max(1, faults // 10) if faults >= 10 else 0
    share = records * on_three // faults if faults else 0
    first = Plan(
        seed, records - share, faults - on_three, pace=6.0, longest_stall=60.0, stops_within=STOP, release=release
    )
    second = Plan(seed, share, on_three, nodes=3, pace=6.0, stops_within=STOP, release=release)
    return [first, second] if on_three else [first]


def _release(name: str | None) -> Release:
    """The newest one where no other is asked for."""
    return list(named(name).values())[-1] if name else NEWEST


def main() -> int:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that connections break is what this is about
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10_000))
    records = int(os.environ.get("RECORDS") or 1_000_000)
    faults = int(os.environ.get("FAULTS") or 50)
    directory = Path(tempfile.mkdtemp(prefix="upcast-chaos-"))
    release = _release(os.environ.get("BROKER"))
    say(f"SEED={seed} RECORDS={records} FAULTS={faults} BROKER={release.version}; logs in {directory}")
    clean = True
    only = tuple(filter(None, os.environ.get("KINDS", "").split(",")))
    nodes = int(os.environ.get("NODES") or 1)
    chosen = Plan(seed, records, len(only), nodes=nodes, stops_within=STOP, only=only, release=release)
    plans = [chosen] if only else _plans(seed, records, faults, release)
    for plan in plans:
        place = directory / f"{plan.nodes}-brokers"
        place.mkdir()
        report = asyncio.run(run(plan, place))
        say(tell(report))
        clean = clean and report.is_clean
    if not only and os.environ.get("SCENARIOS") != "no":
        clean = not run_all(list(SCENARIOS), release, directory) and clean
    say("nothing lost, nothing doubled, nothing out of order" if clean else f"NOT CLEAN; logs: {directory}")
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
