"""`upcast plan`, `replay` and `verify` on topics with a history: as an operator runs them, or in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from pydantic import SecretStr

from tests import warm_start
from tests.kafka import Record, Topics, produce
from tests.limits import HANG
from tests.said import without_waiting
from tests.warm_start import WarmProcess
from tests.worker_process import Process, write_config
from worker.errors import WorkerError
from worker.replay.apply.receipt import Receipt, read_receipt
from worker.replay.apply.running import Replay, ReplayOptions, apply
from worker.replay.plan.dry_run import PlanOptions as PlanWishes
from worker.replay.plan.file import Plan, read_plan, write_plan
from worker.replay.plan.planning import make_plan
from worker.routes.chains import RouteChain, load_chains
from worker.settings import LedgerSettings, Settings, load_settings
from worker.verifying.verification import ReceiptVerdict, verify

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


async def ended(process: Process, seconds: float = HANG) -> Ended:
    """What it said; it is killed where it does not end."""
    end = asyncio.get_running_loop().call_later(seconds, process.kill)
    out, errors = await process.communicate()
    end.cancel()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), without_waiting(errors.decode()))


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
    ledger: str = ""
    """By default a file of its own."""

    @property
    def config(self) -> Path:
        return self.folder / "upcast.yaml"

    @property
    def plan(self) -> Path:
        return self.folder / "plan.json"

    @property
    def receipt(self) -> Path:
        return self.folder / "plan.receipt.json"

    @property
    def replay_id(self) -> str:
        return read_plan(self.plan).replay_id

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

    async def begin(self, *arguments: str, environment: Mapping[str, str] | None = None) -> WarmProcess:
        config = ("--config", str(self.config))
        return await warm_start.begin(*arguments, *config, folder=self.folder, environment=environment)

    async def shorten_retention(self) -> None:
        """The destination keeps nothing that is older than a second."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        short = ConfigResource(ConfigResourceType.TOPIC, self.destination, {"retention.ms": "1000"})
        await admin.alter_configs([short])
        await admin.close()

    # The same in this process, which is quicker.

    @property
    def given(self) -> tuple[Settings, RouteChain]:
        settings = load_settings(self.config)
        ledger = LedgerSettings(url=SecretStr(self.ledger or f"sqlite:///{self.folder / 'upcast-ledger.db'}"))
        chains = load_chains(settings.routes, settings.schema_registry)
        return settings.model_copy(update={"ledger": ledger}), chains[self.source]

    async def make_plan(self, **wishes: Any) -> Plan:
        """The dead letters are allowed: a history has some."""
        made = await make_plan(*self.given, PlanWishes(**wishes), lambda _done, _total: None)
        made = made.model_copy(update={"allowed": tuple(each.fingerprint for each in made.dead_letters)})
        write_plan(made, self.plan)
        return made

    async def replay(
        self, stop: asyncio.Event | None = None, kind: type[Replay] | None = None, **wishes: Any
    ) -> Receipt:
        """Raises WorkerError."""
        settings, given = self.given
        asked = ReplayOptions(self.receipt, **wishes)
        return await apply(settings, given, read_plan(self.plan), asked, lambda _: None, stop or asyncio.Event(), kind)

    async def verify(self, receipt: Receipt | None = None) -> ReceiptVerdict:
        """Of the receipt's file where none is given. Raises WorkerError."""
        return await verify(*self.given, receipt or read_receipt(self.receipt), lambda _done, _total: None)


async def make_stage(bootstrap: str, topics: Topics, folder: Path, partitions: int = 2, **route: Any) -> Stage:
    for name in ("old", "new", "old-dlt"):
        await topics.create(name, partitions=partitions, configs=FOREVER)
    source, destination, dead_letter, group = map(topics.name, ("old", "new", "old-dlt", "group"))
    stage = Stage(bootstrap, source, destination, dead_letter, group, folder, partitions)
    stage.configure(**route)
    return stage


async def refused(stage: Stage, told: str) -> None:
    """A replay of the stage's plan ends at once, and says why."""
    with pytest.raises(WorkerError, match=told) as raised:
        await stage.replay()
    assert raised.value.exit_code == 2
