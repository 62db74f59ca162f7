"""A short form of the fault suite on one release: first on one broker, then a failover among three."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aiokafka.errors import KafkaError

from tests.faults.chaos import STOP, Plan, Report, run, tell
from upcast_demo.local_kafka import LocalKafkaError
from upcast_demo.local_kafka.release import Release

ON_ONE = (
    "worker killed",
    "all workers killed",
    "worker frozen",
    "lane fenced",
    "broker killed",
    "connections cut",
    "answers lost",
    "poison burst",
)
ON_THREE = ("coordinator slow", "leader lost", "late produce", "late offsets")
RECORDS = 10_000
SEED = 1


@dataclass(frozen=True)
class Outcome:
    """What a release has shown; ``wrong`` is empty where all is as it should be."""

    version: str
    records: int = 0
    faults: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    otherwise: int = 0
    busy_coordinators: int = 0
    seconds: float = 0.0
    wrong: tuple[str, ...] = ()
    skipped: str = ""


def try_release(name: str, release: Release, folder: Path) -> Outcome:
    """Both runs, with their logs in ``folder``."""
    outcome, began = Outcome(name), time.monotonic()
    try:
        release.command()
    except LocalKafkaError as error:
        return replace(outcome, skipped=str(error))
    for plan in plans(release):
        place = folder / f"{name.replace(':', '-')}-{plan.nodes}"
        place.mkdir(parents=True)
        outcome = _tried(outcome, plan, place)
    return replace(outcome, seconds=time.monotonic() - began)


def _tried(so_far: Outcome, plan: Plan, place: Path) -> Outcome:
    try:
        return _with(so_far, asyncio.run(run(plan, place)))
    except (KafkaError, LocalKafkaError, OSError) as error:
        return replace(so_far, otherwise=so_far.otherwise + 1, wrong=(*so_far.wrong, f"the run broke off: {error!r}"))


def plans(release: Release) -> Iterator[Plan]:
    for nodes, kinds in ((1, ON_ONE), (3, ON_THREE)):
        records = RECORDS * len(kinds) // len(ON_ONE)
        short = Plan(SEED, records, len(kinds), nodes=nodes, pace=1.5, stops_within=STOP, release=release)
        yield replace(short, only=kinds)


def _with(so_far: Outcome, report: Report) -> Outcome:
    verdict = report.verdict
    counted = verdict.lost + verdict.doubled + verdict.reordered
    return replace(
        so_far,
        records=so_far.records + verdict.records_in,
        faults=so_far.faults + sum(map(len, report.recoveries.values())),
        lost=so_far.lost + verdict.lost,
        doubled=so_far.doubled + verdict.doubled,
        reordered=so_far.reordered + verdict.reordered,
        otherwise=so_far.otherwise + sum(verdict.found.values()) - counted + len(report.complaints),
        busy_coordinators=so_far.busy_coordinators + report.busy_coordinators,
        wrong=so_far.wrong if report.is_clean else (*so_far.wrong, tell(report)),
    )


def problems(outcomes: Sequence[Outcome]) -> list[str]:
    return [f"Kafka {each.version}\n{text}" for each in outcomes for text in each.wrong]
