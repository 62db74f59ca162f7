"""The start: from the start of the process to its first answer and its first record, and what imports take of it."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import socket
import statistics
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.drain.backlog import Backlog, Broker
from benchmarks.drain.cases import Case
from benchmarks.drain.contenders import Contender, Job
from benchmarks.drain.events import pool
from benchmarks.drain.process import Contending, cpu_so_far

PATIENCE = 30.0
POLL = 0.005
IMPORTED = re.compile(r"^import time: +(\d+) \|", re.MULTILINE)


@dataclass(frozen=True)
class Started:
    """Seconds from the start of the process until ``/livez`` answered, and until a reader of committed records saw the
    first one; seconds of CPU until then, and what ``python -X importtime`` adds up to until then."""

    livez: float
    record: float
    cpu: float
    imports: float


async def start(broker: Broker, worker: Contender, case: Case, scratch: Path, runs: int) -> Started:
    """The median of ``runs``. A new group each; topics and records are there. The first start on a broker that
    never had a group waits for the broker's own topics, and does not count."""
    await _start(broker, worker, case, scratch, {})
    found = [await _run(broker, worker, case, scratch) for _ in range(runs)]
    return Started(*(statistics.median(each) for each in zip(*map(dataclasses.astuple, found), strict=True)))


async def _run(broker: Broker, worker: Contender, case: Case, scratch: Path) -> Started:
    """Once as it is, and once more with its imports timed, which makes it slower."""
    found, _ = await _start(broker, worker, case, scratch, {})
    _, log = await _start(broker, worker, case, scratch, {"PYTHONPROFILEIMPORTTIME": "1"})
    imports = sum(map(int, IMPORTED.findall(log))) / 1e6
    return dataclasses.replace(found, imports=imports)


async def _start(
    broker: Broker, worker: Contender, case: Case, scratch: Path, environment: Mapping[str, str]
) -> tuple[Started, str]:
    """What was measured, and what the worker had written when the first record came out."""
    name, port = uuid.uuid4().hex[:8], _free_port()
    source, destination = f"in-{name}", f"out-{name}"
    topics = (source, destination, f"{destination}-dlt")
    for topic in topics:
        await broker.create(topic, case.partitions)
    job = Job(broker.bootstrap, source, destination, f"{name}-group", case, scratch)
    backlog = Backlog(source, case.partitions, case.partitions, pool(case.bytes, case.mix))
    await broker.write(backlog, case.compression)
    reader = await _reader(job)
    began = time.monotonic()
    running = Contending(
        worker.command(job),
        scratch / "start.log",
        {**worker.environment, **environment, "UPCAST_HTTP__PORT": str(port)},
    )
    try:
        async with asyncio.timeout(PATIENCE):
            livez, record = await asyncio.gather(_until_live(port), _until_seen(reader))
        log, cpu = running.log.read_text(encoding="utf-8"), cpu_so_far(running.pid)
    finally:
        await running.stop()
        await reader.stop()
        await broker.delete(*topics)
    return Started(livez - began, record - began, cpu, 0.0), log


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


async def _reader(job: Job) -> AIOKafkaConsumer:
    reader = AIOKafkaConsumer(
        bootstrap_servers=job.bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await reader.start()
    partitions = [TopicPartition(job.destination, number) for number in range(job.case.partitions)]
    reader.assign(partitions)
    for partition in partitions:
        await reader.position(partition)
    return reader


async def _until_seen(reader: AIOKafkaConsumer) -> float:
    await reader.getone()
    return time.monotonic()


async def _until_live(port: int) -> float:
    while True:
        try:
            answer = await _ask(port)
        except OSError:
            await asyncio.sleep(POLL)
        else:
            assert answer.startswith(b"HTTP/1.1 200"), answer
            return time.monotonic()


async def _ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return await reader.readline()
    finally:
        writer.close()
