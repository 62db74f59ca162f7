"""What happens beside the commands of the page: topics and events, kills, producers that write on, and the account."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.integration.replay_setting import until_settled
from tests.kafka import committed_offsets, delete_topics, make_topic, produce, read_all
from tests.lanes import ends
from tests.ports import free_port
from tests.replaying import FOREVER, Ended, ended
from tests.upgrade_day.history import PARTITIONS, Fates, good, order
from tests.upgrade_day.page import PAGE, Block, blocks
from tests.worker_process import COMMAND, WorkerProcess, running_worker

TOPICS = ("orders.legacy", "orders", "orders.legacy-dlt")
GROUP = "orders-upcaster"
THREE_KILLS = (0.1, 0.3, 0.6)
"""At these shares of what the replay is to write."""
LIVE = 20
"""Orders that producers write at a time, from the replay on."""


@dataclass
class Story:
    """``printed`` is what the commands with a ``text`` block behind them have said, in order."""

    bootstrap: str
    folder: Path
    events: int
    kills: Sequence[float] = THREE_KILLS
    port: int = field(default_factory=free_port)
    printed: list[str] = field(default_factory=list)
    count: int = 0
    _live: AsyncExitStack = field(default_factory=AsyncExitStack)
    _worker: WorkerProcess | None = None
    _producing: asyncio.Task[None] | None = None
    _enough: int = sys.maxsize

    async def run(self) -> list[str]:
        """What is wrong in the end; raises where a command does not do what the page says."""
        await self._clean()
        for name in TOPICS:
            configs = FOREVER | ({"max.message.bytes": "1081356"} if name == TOPICS[2] else {})
            await make_topic(self.bootstrap, name, PARTITIONS, configs)
        await produce(self.bootstrap, TOPICS[0], map(order, range(self.events)))
        self.count = self.events
        try:
            async with self._live:
                for block in blocks(PAGE.read_text(encoding="utf-8")):
                    await self._do(block)
                await self._stop_producing(0)
                await self._caught_up()
                await self._stop_live()
            return await self._account()
        finally:
            await self._clean()

    async def _clean(self) -> None:
        await delete_topics(self.bootstrap, TOPICS)

    async def _do(self, block: Block) -> None:
        if block.language in {"python", "yaml"}:
            self._write(block)
        elif block.note == "background":
            await self._go_live(block)
        elif block.language == "sh":
            done = await self._command(block)
            assert done.code == block.exit_code, (block.text, done)
            self.printed.append(done.out)

    def _write(self, block: Block) -> None:
        text = block.text
        if block.language == "yaml":
            content = yaml.safe_load(text)
            content["kafka"]["bootstrap_servers"] = self.bootstrap
            content["http"]["port"] = self.port
            text = yaml.safe_dump(content)
        (self.folder / block.note).write_text(text, encoding="utf-8")

    async def _command(self, block: Block) -> Ended:
        if block.text.startswith("upcast replay"):
            self._begin_producing()
            for share in self.kills:
                await self._kill_when(block, round(share * self.events))
        return await ended(await self._begin(block.text), 600)

    async def _begin(self, line: str) -> asyncio.subprocess.Process:
        arguments = shlex.split(line.strip())
        assert arguments[0] == "upcast"
        expanded = [name for each in arguments[1:] for name in self._expanded(each)]
        return await asyncio.create_subprocess_exec(
            *COMMAND,
            *expanded,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "COLUMNS": "180",
                "NO_COLOR": "1",
            },
        )

    def _expanded(self, argument: str) -> list[str]:
        """As a shell does."""
        return [each.name for each in self.folder.glob(argument)] if "*" in argument else [argument]

    async def _kill_when(self, block: Block, written: int) -> None:
        """SIGKILL when so many records are in the destination."""
        # Slow enough that each kill meets it at work.
        process = await self._begin(f"{block.text.strip()} --rate {max(1000, self.events // 8)}")
        deadline = time.monotonic() + 300
        while sum((await ends(self.bootstrap, TOPICS[1])).values()) < written:
            assert time.monotonic() < deadline, "the replay does not write"
            assert process.returncode is None, await ended(process)
            await asyncio.sleep(0.02)
        process.kill()
        await process.communicate()

    async def _go_live(self, block: Block) -> None:
        await self._stop_live()
        arguments = shlex.split(block.text)[2:]
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        worker = running_worker(self.folder / "upcast.yaml", environment, arguments=arguments, folder=self.folder)
        self._worker = await self._live.enter_async_context(worker)
        await self._worker.until("/readyz", 200, 60)
        await self._stop_producing(self.count + 3 * LIVE)
        await self._caught_up()
        self._begin_producing()

    def _begin_producing(self) -> None:
        if self._producing is None:
            self._producing = asyncio.create_task(self._produce())

    async def _produce(self) -> None:
        """Good orders, until there are enough."""
        while self.count < self._enough:
            await produce(self.bootstrap, TOPICS[0], map(good, range(self.count, self.count + LIVE)))
            self.count += LIVE
            await asyncio.sleep(0.5)

    async def _stop_producing(self, count: int) -> None:
        self._enough = count
        if self._producing is not None:
            producing, self._producing = self._producing, None
            await producing
        self._enough = sys.maxsize

    async def _caught_up(self) -> None:
        deadline = time.monotonic() + 60
        while sum((await committed_offsets(self.bootstrap, GROUP)).values()) < self.count:
            assert time.monotonic() < deadline, "the live worker does not catch up"
            await asyncio.sleep(0.1)

    async def _stop_live(self) -> None:
        if self._worker is not None:
            worker, self._worker = self._worker, None
            assert await worker.stop() == 0, worker.errors

    async def _account(self) -> list[str]:
        for name in TOPICS[1:]:
            await until_settled(self.bootstrap, name)
        outputs, letters = [await read_all(self.bootstrap, name) for name in TOPICS[1:]]
        return Fates(self.events, self.count).check(outputs, letters)
