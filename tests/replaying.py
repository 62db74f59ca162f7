"""`upcast plan`, `replay` and `verify` as processes of their own, as an operator runs them, on topics with a history."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kafka import Record, Topics, produce
from tests.worker_process import COMMAND, write_config

FOREVER = {"retention.ms": "-1"}
STAMP = 1_700_000_000_000

V1_0: dict[str, Any] = {
    "metadata": {"taskId": "1.1.1", "projectId": "customer-123/project-abc"},
    "nodes": {"select": {"status": "completed"}},
}
V1_1 = {**V1_0, "metadata": {**V1_0["metadata"], "branch": "dev", "repoPath": "/workspace/repos/a"}}
V2_0 = {
    "metadata": {"task_id": "1", "project_id": "p", "branch": "main", "repo_path": "/workspace/repos/a"},
    "nodes": {"select": {"status": "completed"}, "prep": {"status": "running"}},
}
HISTORY: tuple[bytes | None, ...] = (
    json.dumps(V1_0).encode(),
    json.dumps(V1_1).encode(),
    json.dumps(V2_0, indent=1).encode(),
    None,
    json.dumps(V1_0).encode(),
    b'{"metadata": ',
)


@dataclass
class Ended:
    """A command that has ended."""

    code: int
    out: str
    errors: str


async def ended(process: asyncio.subprocess.Process, seconds: float = 60) -> Ended:
    """What it said; it is killed where it does not end."""
    end = asyncio.get_running_loop().call_later(seconds, process.kill)
    out, errors = await process.communicate()
    end.cancel()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), errors.decode())


@dataclass
class Stage:
    """Topics, a configuration and the files of one replay."""

    bootstrap: str
    source: str
    destination: str
    dead_letter: str
    group: str
    folder: Path
    partitions: int
    route: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "upcast.yaml"

    @property
    def plan(self) -> Path:
        return self.folder / "plan.json"

    @property
    def receipt(self) -> Path:
        return self.folder / "plan.receipt.json"

    def configure(self, **route: Any) -> None:
        self.route |= route
        names = {"source": self.source, "destination": self.destination, "dead_letter": self.dead_letter}
        write_config(self.config, self.bootstrap, self.group, names | self.route)

    async def fill(self, count: int, first: int = 0) -> None:
        """So many events of every kind, spread over the partitions."""
        await produce(self.bootstrap, self.source, [self.event(number) for number in range(first, first + count)])

    def event(self, number: int) -> Record:
        value = HISTORY[number // self.partitions % len(HISTORY)]
        headers = [("number", b"%d" % number)]
        return Record(b"key-%d" % (number % 50), value, headers, STAMP + number, number % self.partitions)

    async def upcast(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Ended:
        return await ended(await self.begin(*arguments, environment=environment))

    async def begin(self, *arguments: str, environment: Mapping[str, str] | None = None) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *COMMAND,
            *arguments,
            "--config",
            str(self.config),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **(environment or {})},
        )

    async def make_plan(self, *arguments: str) -> dict[str, Any]:
        """Dead letters are allowed: a history has some."""
        ended = await self.upcast("plan", "--out", str(self.plan), *arguments)
        plan = json.loads(self.plan.read_text())
        allowed = [word for each in plan["dead_letters"] for word in ("--allow", each["fingerprint"])]
        if ended.code == 1 and allowed:
            ended = await self.upcast("plan", "--out", str(self.plan), *arguments, *allowed)
        assert ended.code == 0, ended
        made: dict[str, Any] = json.loads(self.plan.read_text())
        return made


async def make_stage(bootstrap: str, topics: Topics, folder: Path, partitions: int = 2, **route: Any) -> Stage:
    names = [await topics.create(name, partitions=partitions, configs=FOREVER) for name in ("old", "new", "old-dlt")]
    stage = Stage(bootstrap, *names, topics.name("group"), folder, partitions)
    stage.configure(**route)
    return stage
