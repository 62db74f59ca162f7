"""Workers as processes: started, killed, frozen and sent away; and what their metrics say all the while (I8, I10)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

from tests.http import request
from tests.limits import HANG
from tests.worker_process import COMMAND, WorkerProcess, running_worker

TOKEN = "for-the-tests-only"
SCRAPE_SECONDS = 0.5
MAY_PASS = 1
"""The exit code that promises that another start may help."""
FATES = ("upcast", "passed", "skipped", "dead_lettered")
MAX_IN_FLIGHT_BYTES = (32 + 3 * 16) * 1024 * 1024
"""What a worker may hold: its bound over all lanes, and the fetches that were under way when it was reached."""


@dataclass
class Member:
    """One incarnation of a worker."""

    name: str
    worker: WorkerProcess
    scope: AsyncExitStack
    frozen: bool = False
    gone: bool = False
    sums: Counter[str] = field(default_factory=Counter)
    """Its metrics by name, summed over labels, as of the last scrape."""

    async def freeze(self) -> None:
        self.frozen = True
        self.worker.process.send_signal(signal.SIGSTOP)

    async def thaw(self) -> None:
        self.worker.process.send_signal(signal.SIGCONT)
        self.frozen = False

    async def scrape(self) -> None:
        """Leaves the last sums where it does not answer."""
        if self.frozen or self.gone or not self.worker.address:
            return
        with contextlib.suppress(OSError):
            text = (await request(self.worker.address, "/metrics")).text
            sums: Counter[str] = Counter()
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    sums[sample.name] += sample.value  # type: ignore[assignment]  # sums of floats
            self.sums = sums

    async def get(self, path: str, method: str = "GET") -> Any:
        """The answer, or None where there is none at the moment."""
        if self.frozen or self.gone or not self.worker.address:
            return None
        with contextlib.suppress(OSError):
            return await request(self.worker.address, path, method, {"authorization": f"Bearer {TOKEN}"})
        return None


@dataclass
class Fleet:
    """``complaints`` are what no worker may do, whatever breaks around it.

    Breakers that open are closed, as an operator would; ``resumed`` counts how often. Workers that end with exit
    code 1 (may pass) are replaced, as an orchestrator would; ``replaced`` counts them.
    """

    config: Path
    source: str
    command: Sequence[str] = COMMAND
    members: list[Member] = field(default_factory=list)
    """Those that are there, frozen ones too."""
    past: list[Member] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    stops_within: float = HANG
    """Seconds."""
    resumed: int = 0
    replaced: int = 0
    _scraper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._scraper = asyncio.create_task(self._scrape_on(), name="scraper")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._scraper is not None
        self._scraper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._scraper
        for member in list(self.members):
            await self.kill(member)

    async def start(self, **environment: str) -> Member:
        """A new worker; it may still be starting when this returns."""
        scope = AsyncExitStack()
        given = {"UPCAST_HTTP__TOKEN": TOKEN, **environment}
        worker = await scope.enter_async_context(running_worker(self.config, given, self.command))
        member = Member(f"worker {len(self.members) + len(self.past) + 1}", worker, scope)
        self.members.append(member)
        return member

    async def kill(self, member: Member) -> None:
        """SIGKILL, wherever it is."""
        self._retire(member)
        await member.scope.aclose()

    async def send_away(self, member: Member) -> None:
        """SIGTERM; it must end in order and in time. One that has not begun yet just ends."""
        seconds = self.stops_within
        begun = bool(member.worker.address)
        self._retire(member)
        try:
            code = await member.worker.stop(seconds=seconds)
        except TimeoutError:
            self.complaints.append(f"{member.name} did not stop in {seconds:.0f} s")
        else:
            if code != 0 and (begun or code != -signal.SIGTERM):
                self.complaints.append(f"{member.name} stopped with exit code {code}: {member.worker.errors}")
        await member.scope.aclose()

    def total(self, metric: str) -> float:
        """Over all incarnations. What a killed one did after its last scrape is not in it."""
        return sum(member.sums[metric] for member in (*self.members, *self.past))

    async def scrape(self) -> None:
        await asyncio.gather(*(member.scrape() for member in self.members))
        for member in list(self.members):
            self._judge(member)
            if member.worker.process.returncode is not None:
                await self._replace(member, member.worker.process.returncode)

    def save_logs(self, directory: Path) -> None:
        for member in (*self.members, *self.past):
            lines = [json.dumps(entry) for entry in member.worker.log] + member.worker.errors
            (directory / f"{member.name}.log").write_text("\n".join(lines), encoding="utf-8")

    def _retire(self, member: Member) -> None:
        member.gone = True
        self.members.remove(member)
        self.past.append(member)

    async def _scrape_on(self) -> None:
        while True:
            await self.scrape()
            for member in list(self.members):
                if member.sums["upcaster_breaker_open"]:
                    await self._resume(member)
            await asyncio.sleep(SCRAPE_SECONDS)

    async def _resume(self, member: Member) -> None:
        """Its readiness must say so, too."""
        ready = await member.get("/readyz")
        if ready is None or "breaker-open" not in ready.text:
            return
        answer = await member.get(f"/v2/routes/{self.source}/resume", "POST")
        self.resumed += answer is not None and answer.status == 200

    async def _replace(self, member: Member, code: int) -> None:
        if member.gone:
            return
        self._retire(member)
        await member.scope.aclose()
        if code == MAY_PASS:
            self.replaced += 1
            await self.start()
        else:
            self.complaints.append(f"{member.name} ended by itself with exit code {code}: {member.worker.errors}")

    def _judge(self, member: Member) -> None:
        sums = member.sums
        consumed = sums["upcaster_records_consumed_total"]
        by_fate = sum(sums[f"upcaster_records_{fate}_total"] for fate in FATES)
        if consumed != by_fate:
            self.complaints.append(f"{member.name} says that it consumed {consumed:.0f}, and by fate {by_fate:.0f}")
        held = sums["upcaster_in_flight_bytes"]
        if held > MAX_IN_FLIGHT_BYTES:
            self.complaints.append(f"{member.name} holds {held:.0f} bytes")
