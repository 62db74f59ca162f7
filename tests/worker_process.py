"""`upcast run` as a process of its own, as an operator starts it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests import warm_start
from tests.http import Answer, request
from tests.limits import HANG

Process = asyncio.subprocess.Process | warm_start.WarmProcess
COMMAND = (sys.executable, "-c", "from worker.cli import main; main()")


@dataclass
class WorkerProcess:
    """``address`` is empty until the HTTP port is known."""

    process: Process
    address: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    readers: list[asyncio.Task[None]] = field(default_factory=list)

    async def until(self, path: str, status: int, seconds: float = HANG) -> Any:
        """The answer of ``path`` once it has this status."""
        deadline = time.monotonic() + seconds
        while True:
            answer = await self._ask(path)
            if answer is not None and answer.status == status:
                return answer.json
            self._still_there(deadline, f"{path} has not answered {status}, but {answer}")
            await asyncio.sleep(0.05)

    async def _ask(self, path: str) -> Answer | None:
        try:
            return await request(self.address, path) if self.address else None
        except ConnectionRefusedError:
            return None  # it has ended; why, is in its log

    async def caught_up(self, records: int, seconds: float = HANG) -> None:
        """Return when so many records are committed, by the metrics."""
        deadline = time.monotonic() + seconds
        while (done := await self.metric("upcaster_records_consumed_total")) < records:
            self._still_there(deadline, f"{done} of {records} records are done")
            await asyncio.sleep(0.1)

    async def says(self, name: str, value: float, seconds: float = HANG) -> None:
        """Return when a metric has this value."""
        deadline = time.monotonic() + seconds
        while (now := await self.metric(name)) != value:
            self._still_there(deadline, f"{name} is {now}")
            await asyncio.sleep(0.1)

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of ``name`` that have these labels; 0 before there are any."""
        if not self.address:
            return 0
        text = (await request(self.address, "/metrics")).text
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        lines = [line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] == name]
        return sum(float(line.split()[-1]) for line in lines if all(label in line for label in wanted))

    def _still_there(self, deadline: float, otherwise: str) -> None:
        if self.process.returncode is not None or time.monotonic() > deadline:
            raise AssertionError(f"{otherwise}; log: {self.log}; errors: {self.errors}")

    async def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = HANG) -> int:
        """Send the signal and return the exit code."""
        self.process.send_signal(number)
        return await self.wait(seconds)

    async def wait(self, seconds: float = HANG) -> int:
        async with asyncio.timeout(seconds):
            code = await self.process.wait()
            await asyncio.gather(*self.readers)
        return code


@asynccontextmanager
async def running_worker(
    config: Path,
    environment: Mapping[str, str] | None = None,
    command: Sequence[str] = (),
    arguments: Sequence[str] = (),
    folder: Path | None = None,
) -> AsyncIterator[WorkerProcess]:
    """Start it; it is killed in the end if it is still there. Port 0 in the config takes a free one.

    A ``command`` is started from nothing, and so is an environment that decides how Python begins.
    """
    words = ("run", "--config", str(config), *arguments)
    if command or any(name.startswith(("PYTHON", "LD_")) for name in environment or {}):
        process: Process = await asyncio.create_subprocess_exec(
            *(command or COMMAND),
            *words,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            cwd=folder,
        )
    else:
        process = await warm_start.begin(*words, folder=folder, environment=environment)
    worker = WorkerProcess(process)
    worker.readers = [asyncio.create_task(_read_log(worker)), asyncio.create_task(_read_errors(worker))]
    try:
        yield worker
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await asyncio.gather(*worker.readers)


async def _read_log(worker: WorkerProcess) -> None:
    assert worker.process.stdout is not None
    async for line in worker.process.stdout:
        entry = json.loads(line)
        worker.log.append(entry)
        if entry["event"] == "http is listening":
            worker.address = f"{entry['host']}:{entry['port']}"


async def _read_errors(worker: WorkerProcess) -> None:
    assert worker.process.stderr is not None
    async for line in worker.process.stderr:
        worker.errors.append(line.decode().rstrip("\n"))


def write_config(path: Path, bootstrap: str, group: str, *routes: Mapping[str, Any], **kafka: Any) -> Path:
    """A configuration with short timeouts, on a free port."""
    timeouts = {"session_timeout": 6, "heartbeat_interval": 1, "rebalance_timeout": 6}
    content = {
        "kafka": {"bootstrap_servers": bootstrap, "group_id": group, **timeouts, **kafka},
        "http": {"port": 0},
        "routes": [{"event_type": "task_context", **route} for route in routes],
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path
