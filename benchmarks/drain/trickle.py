"""A trickle: a hundred events a second into four partitions; how long each takes, and what the wait costs."""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.drain.backlog import Broker
from benchmarks.drain.cases import Case
from benchmarks.drain.contenders import Contender, Job, Worker
from benchmarks.drain.events import POOL, pool
from benchmarks.drain.process import Contending, cpu_so_far

A_SECOND = 100
WARM_UP = 3.0
LAST = 1.5
"""Seconds after the last event until it must have been seen."""


@dataclass(frozen=True)
class Trickled:
    """Milliseconds from append to visible for a reader of committed records; CPU as a share of one core."""

    p50: float
    p99: float
    core: float
    events: int


async def trickle(broker: Broker, contender: Contender, case: Case, scratch: Path, seconds: float) -> Trickled:
    name = uuid.uuid4().hex[:8]
    source = await broker.create(f"in-{name}", case.partitions)
    topics = [f"out-{name}", f"out-{name}-dlt"] if isinstance(contender, Worker) else [f"out-{name}"]
    for topic in topics:
        await broker.create(topic, case.partitions)
    job = Job(broker.bootstrap, source, topics[0], f"{name}-group", case, scratch)
    running = Contending(contender.command(job), scratch / f"{contender.name}.log", contender.environment)
    seen: list[tuple[float, float]] = []
    watching = asyncio.create_task(_watch(job, seen))
    try:
        await _send(job, WARM_UP * 2)
        began, before = time.time(), cpu_so_far(running.pid)
        await _send(job, seconds)
        used, took = cpu_so_far(running.pid) - before, time.time() - began
        await asyncio.sleep(LAST)
    finally:
        watching.cancel()
        await running.stop()
        await broker.delete(source, *topics)
    delays = sorted((at - sent) * 1000 for sent, at in seen if sent >= began)
    assert len(delays) == round(seconds * A_SECOND), f"{len(delays)} events came out, see {running.log}"
    return Trickled(statistics.median(delays), delays[int(len(delays) * 0.99)], used / took, len(delays))


async def _send(job: Job, seconds: float) -> None:
    """Each event at its time: a late one is not followed by a later one."""
    events = pool(job.case.bytes, job.case.mix)
    async with AIOKafkaProducer(bootstrap_servers=job.bootstrap, acks=1) as producer:
        begin = time.time()
        for number in range(round(seconds * A_SECOND)):
            await asyncio.sleep(max(0.0, begin + number / A_SECOND - time.time()))
            event = events[number % POOL]
            await producer.send(
                job.source,
                event.value,
                event.key,
                partition=number % job.case.partitions,
                timestamp_ms=round(time.time() * 1000),
            )


async def _watch(job: Job, seen: list[tuple[float, float]]) -> None:
    consumer = AIOKafkaConsumer(
        job.destination,
        bootstrap_servers=job.bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        async for record in consumer:
            seen.append((record.timestamp / 1000, time.time()))  # noqa: PERF401  (others look at it meanwhile)
