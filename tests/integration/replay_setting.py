"""A source with a history, its configuration, and the bounded passes over it, in this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from tests.integration.test_run import FOREVER, VALUES
from tests.kafka import Record, Topics, produce
from tests.limits import HANG
from tests.worker_process import write_config
from worker.replay.census.counting import Survey, survey
from worker.replay.plan.dry_run import PlanOptions
from worker.replay.plan.file import Plan
from worker.replay.plan.planning import make_plan
from worker.routes.chains import RouteChain, load_chains
from worker.settings import Settings, load_settings

STAMP = 1_700_000_000_000


class History:
    """Three topics of as many partitions. ``configure`` changes the route."""

    def __init__(self, bootstrap: str, topics: Topics, directory: Path) -> None:
        self.bootstrap = bootstrap
        self.topics = topics
        self.source = topics.name("legacy")
        self.destination = topics.name("current")
        self.dead_letter = topics.name("dlt")
        self.group = topics.name("group")
        self.config = directory / "upcast.yaml"
        self.configure()

    async def create(self, partitions: int = 2, **source: str) -> None:
        await self.topics.create("legacy", partitions=partitions, configs=FOREVER | source)
        for name in ("current", "dlt"):
            await self.topics.create(name, partitions=partitions, configs=FOREVER)

    def configure(self, **route: Any) -> None:
        names = {"source": self.source, "destination": self.destination, "dead_letter": self.dead_letter}
        write_config(self.config, self.bootstrap, self.group, names | route)

    async def write(self, records: Sequence[Record]) -> None:
        await produce(self.bootstrap, self.source, records)

    async def census(self, start: str = "earliest", end: str = "now", **options: Any) -> Survey:
        settings, given = self._loaded()
        return await survey(settings, given, start, end, lambda _done, _total: None, **options)

    async def plan(self, **wishes: Any) -> Plan:
        settings, given = self._loaded()
        return await make_plan(settings, given, PlanOptions(**wishes), lambda _done, _total: None)

    def _loaded(self) -> tuple[Settings, RouteChain]:
        settings = load_settings(self.config)
        return settings, load_chains(settings.routes, settings.schema_registry)[self.source]


def of_kinds(*kinds: str, partition: int = 0) -> list[Record]:
    """Records of these kinds in turn, each a second after the one before."""
    return [
        Record(f"key-{number}".encode(), VALUES[kind], [("app", b"shop")], STAMP + 1000 * number, partition)
        for number, kind in enumerate(kinds)
    ]


async def write_transactions(bootstrap: str, topic: str, *transactions: tuple[Sequence[Record], bool]) -> None:
    """Each one committed or aborted; every one leaves a marker behind."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"{topic}-writer")
    async with producer:
        for records, committed in transactions:
            await producer.begin_transaction()
            for record in records:
                await producer.send_and_wait(
                    topic, record.value, record.key, record.partition, record.timestamp, list(record.headers)
                )
            await (producer.commit_transaction() if committed else producer.abort_transaction())


async def until_settled(bootstrap: str, topic: str) -> None:
    """Return when no marker is outstanding any more."""
    from tests.lanes import ends

    deadline = time.monotonic() + HANG
    while await ends(bootstrap, topic) != await ends(bootstrap, topic, "read_uncommitted"):
        assert time.monotonic() < deadline, "a transaction is still open"
        await asyncio.sleep(0.05)
