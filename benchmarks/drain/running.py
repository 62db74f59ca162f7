"""One drain from start to verified output, and many of them until there is a figure."""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.drain.backlog import Backlog, Broker
from benchmarks.drain.cases import Case
from benchmarks.drain.contenders import Contender, Job, Worker
from benchmarks.drain.events import pool
from benchmarks.drain.process import Contending, Usage, cpu_so_far
from benchmarks.drain.verify import WrongOutputError, verify

POLL = 0.05
PATIENCE = 120.0
FEW_PARTITIONS = 50
"""With more of them too much is in work at once: the difference of two drains is taken, as for those that tell nothing
of their progress."""


class DrainError(Exception):
    """A contender did not do its work; the message says where its log is."""


@dataclass
class Measured:
    """What one contender needed in one case. ``slopes`` are CPU microseconds an event, one a repetition."""

    slopes: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    halves: list[int] = field(default_factory=list)
    """Memory in the middle of the large drain: it is not to be less than at its end."""
    written: int = -1
    failed: str = ""
    """Why there is no figure, where there is none."""

    @property
    def microseconds(self) -> float:
        return statistics.median(self.slopes)


class Arena:
    """A case's backlogs, and whoever drains them. ``tell`` is told what goes on."""

    def __init__(
        self, broker: Broker, case: Case, scratch: Path, tell: Callable[[str], None], scale: float = 1.0
    ) -> None:
        self._broker = broker
        self._case = case
        self._scratch = scratch
        self._tell = tell
        self._scale = scale
        self._events = pool(case.bytes, case.mix, case.change, case.fields)
        self._width = case.partitions + case.idle
        self._backlogs: dict[int, Backlog] = {}

    async def measure(self, contenders: Sequence[Contender], repetitions: int) -> dict[str, Measured]:
        """All in turn, and again: a machine that gets slower is slower for everyone."""
        found = {contender.name: Measured() for contender in contenders}
        try:
            for _ in range(repetitions):
                for contender in contenders:
                    if not found[contender.name].failed:
                        await self._try(contender, found[contender.name])
        finally:
            await self._broker.delete(*(backlog.topic for backlog in self._backlogs.values()))
        return found

    async def _try(self, contender: Contender, found: Measured) -> None:
        """One that cannot do it does not end the run for the others."""
        try:
            await self._slope(contender, found)
        except (DrainError, WrongOutputError, OSError) as error:
            found.failed = str(error)
            self._tell(f"{self._case.name}: {contender.name} left out: {error}")

    async def _slope(self, contender: Contender, found: Measured) -> None:
        few, many = (round(size * contender.share * self._scale) for size in self._case.sizes)
        large = await self._drain(contender, many)
        slope = large.slope() if self._width <= FEW_PARTITIONS else None
        if slope is None:
            small = await self._drain(contender, few)
            slope = (large.cpu - small.cpu) / (many - few) * 1e6
        found.slopes.append(slope)
        found.rates.append(many / large.seconds)
        if large.memory:
            found.peaks.append(max(large.memory))
            found.halves.append(large.memory[len(large.memory) // 2])
        found.written = max(found.written, large.written)
        self._tell(f"{self._case.name}: {contender.name} {found.slopes[-1]:.2f} us/event, {found.rates[-1]:,.0f}/s")

    async def drain_once(self, contender: Contender, count: int, watch: Callable[[int], None]) -> Usage:
        """One drain of so many records; ``watch`` is told the process id when it has been started."""
        try:
            return await self._drain(contender, count, watch)
        finally:
            await self._broker.delete(*(backlog.topic for backlog in self._backlogs.values()))

    async def _drain(self, contender: Contender, count: int, watch: Callable[[int], None] = lambda _pid: None) -> Usage:
        backlog = await self._backlog(count)
        name = f"out-{uuid.uuid4().hex[:8]}"
        topics = [name, f"{name}-dlt"] if isinstance(contender, Worker) else [name]
        for topic in topics:
            await self._broker.create(topic, self._width)
        job = Job(self._broker.bootstrap, backlog.topic, name, f"{name}-group", self._case, self._scratch)
        try:
            usage = await self._run(contender, job, backlog, watch)
            await verify(self._broker.bootstrap, backlog, name, copied=contender.copies, in_order=contender.in_order)
        finally:
            await self._broker.delete(*topics)
        return usage

    async def _run(self, contender: Contender, job: Job, backlog: Backlog, watch: Callable[[int], None]) -> Usage:
        log = self._scratch / f"{contender.name}.log"
        running = Contending(contender.command(job), log, contender.environment)
        watch(running.pid)
        try:
            await self._until_done(running, job, backlog)
        finally:
            code = await running.stop()
        if code not in {0, -15, 143}:
            raise DrainError(f"{contender.name} ended with {code}: {log.read_text(errors='replace')[-2000:]}")
        return running.usage

    async def _until_done(self, running: Contending, job: Job, backlog: Backlog) -> None:
        """Everything is committed, or it has ended by itself."""
        deadline, looked = time.monotonic() + PATIENCE, 0.0
        while not running.has_ended:
            committed = await self._broker.committed(job.group)
            done = sum(committed.values())
            if done:
                running.usage.progress.append((done, cpu_so_far(running.pid)))
            if done >= backlog.count:
                running.look()
                return
            if time.monotonic() > deadline:
                raise DrainError(f"{job.group} has committed {committed}, see {running.log}")
            if time.monotonic() - looked > 0.5:
                running.look()
                looked = time.monotonic()
            await asyncio.sleep(POLL)

    async def _backlog(self, count: int) -> Backlog:
        if count not in self._backlogs:
            topic = await self._broker.create(f"in-{uuid.uuid4().hex[:8]}", self._width)
            backlog = Backlog(topic, count, self._case.partitions, self._events, self._case.headers)
            await self._broker.write(backlog, self._case.compression)
            self._backlogs[count] = backlog
        return self._backlogs[count]
