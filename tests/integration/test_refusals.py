"""What brokers refuse: told beforehand and at the start, with setting, limit and remedy; what mends is waited for.

One broker of their own for all of what takes a setting of the brokers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from tests import warm_start
from tests.kafka import Record, Topics, produce
from tests.worker_process import running_worker, write_config
from upcast_demo.local_kafka import LocalKafka
from worker.errors import NEEDS_A_PERSON

STRICT = {
    "group.max.session.timeout.ms": "20000",
    "group.max.size": "1",
    "transaction.max.timeout.ms": "30000",
    "offset.metadata.max.bytes": "4096",
}
SESSION = (
    "kafka.session_timeout: is 30 s, the brokers accept 1 s to 20 s (group.min.session.timeout.ms, "
    "group.max.session.timeout.ms): set it in between, or change the brokers"
)
TRANSACTION = (
    "kafka.transaction_timeout: is 60 s, the brokers accept 30 s at most (transaction.max.timeout.ms): set it to 30 or "
    "less, or raise the brokers'"
)
FITS = {"transaction_timeout": 30}
EVENT = {"metadata": {"taskId": "1", "projectId": "p"}, "nodes": {}}


@pytest.fixture(scope="module")
def strict() -> Iterator[str]:
    broker = LocalKafka.start(properties=STRICT)
    yield broker.bootstrap_servers
    broker.stop()


async def configured(bootstrap: str, topics: Topics, folder: Path, **kafka: Any) -> Path:
    names = {key: await topics.create(key, configs={"retention.ms": "-1"}) for key in ("old", "new", "dead")}
    await produce(bootstrap, names["old"], [Record(b"1", json.dumps(EVENT).encode())])
    route = {"source": names["old"], "destination": names["new"], "dead_letter": names["dead"]}
    return write_config(folder / "upcast.yaml", bootstrap, topics.name("group"), route, **kafka)


async def check(config: Path) -> tuple[int, dict[str, Any]]:
    process = await warm_start.begin("check", "--broker", "--json", "-c", str(config))
    printed, _ = await process.communicate()
    return process.returncode or 0, json.loads(printed)[-1]


async def refused_start(config: Path) -> list[str]:
    async with running_worker(config) as worker:
        assert await worker.wait() == NEEDS_A_PERSON, worker.errors
        return worker.errors


@asynccontextmanager
async def another_member(bootstrap: str, topics: Topics, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        topics.name("old"),
        bootstrap_servers=bootstrap,
        group_id=topics.name("group"),
        enable_auto_commit=False,
        **options,
    )
    async with consumer:
        while not consumer.assignment():
            await consumer.getmany(timeout_ms=100)
        yield consumer


@pytest.mark.long
@pytest.mark.parametrize(
    ("kafka", "told"),
    [({"session_timeout": 30, **FITS}, f"{SESSION} (UPC1316)"), ({}, f"{TRANSACTION} (UPC1317)")],
)
async def test_settings_beyond_the_brokers_are_refused(
    strict: str, tmp_path: Path, kafka: dict[str, Any], told: str
) -> None:
    topics = Topics(strict)
    config = await configured(strict, topics, tmp_path, **kafka)
    code, found = await check(config)
    assert (code, found["problems"]) == (2, [told])
    assert await refused_start(config) == [f"upcast: {told}"]
    await topics.delete_all()


async def test_a_full_group_is_waited_for(strict: str, tmp_path: Path) -> None:
    topics = Topics(strict)
    config = await configured(strict, topics, tmp_path, **FITS)
    async with another_member(strict, topics, session_timeout_ms=6000), running_worker(config) as worker:
        code, found = await check(config)
        assert (code, found["problems"]) == (0, [])
        assert any("it has 1, group.max.size is 1" in each for each in found["warnings"])
        while not [entry for entry in worker.log if entry["event"] == "the group assigns no partitions"]:
            assert worker.process.returncode is None
            await asyncio.sleep(0.1)
        (reason,) = (await worker.until("/readyz", 503))["reasons"]
        assert reason.startswith("GroupMaxSizeReachedError: the group is full")
        assert "group.max.size" in reason
        assert len([entry for entry in worker.log if entry["event"] == "the group assigns no partitions"]) == 1, (
            "once is enough"
        )
        assert worker.process.returncode is None
    async with running_worker(config) as worker:
        await worker.caught_up(1)
        assert await worker.stop() == 0
    await topics.delete_all()


async def test_members_of_another_kind_are_refused(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> None:
    config = await configured(kafka_bootstrap, topics, tmp_path)
    strategy = (RangePartitionAssignor,)
    async with another_member(kafka_bootstrap, topics, partition_assignment_strategy=strategy):
        code, found = await check(config)
        (problem,) = found["problems"]
        (error,) = await refused_start(config)
    assert code == 1
    assert error == f"upcast: {problem}"
    assert problem.startswith(f"group {topics.name('group')}: ")
    assert "theirs is `range`" in problem
    assert "give the worker a group of its own (kafka.group_id)" in problem


async def test_asking_the_group_moves_no_partition_and_leaves_nobody_behind(
    kafka_bootstrap: str, topics: Topics, tmp_path: Path
) -> None:
    config = await configured(kafka_bootstrap, topics, tmp_path)
    async with running_worker(config) as worker:
        await worker.caught_up(1)
        before = await worker.metric("upcaster_rebalances_total")
        for _ in range(3):
            assert (await check(config))[0] == 0
        assert await worker.metric("upcaster_rebalances_total") == before
        async with another_member(kafka_bootstrap, topics):  # waits until all have met, and nobody else is expected
            await worker.says("upcaster_rebalances_total", before + 1)
