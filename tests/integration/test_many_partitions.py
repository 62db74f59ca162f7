"""More partitions than open files: a limit that can be raised is raised, else the start is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.kafka import Record, Topics, produce
from tests.worker_process import running_worker, write_config

FOREVER = {"retention.ms": "-1"}
EVENT = {"metadata": {"taskId": "1.1.1", "projectId": "customer-123/project-abc"}, "nodes": {}}


def limited(soft: int, hard: int) -> tuple[str, ...]:
    """The command of a worker that may open so many files."""
    limits = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))"
    return sys.executable, "-c", f"{limits}; from worker.cli import main; main()"


async def setting(bootstrap: str, topics: Topics, folder: Path, partitions: int) -> Path:
    names = {name: topics.name(name) for name in ("source", "destination", "dead_letter")}
    for name in names:
        await topics.create(name, partitions=1 if name == "dead_letter" else partitions, configs=FOREVER)
    value = json.dumps(EVENT).encode()
    await produce(bootstrap, names["source"], [Record(b"k", value, partition=each) for each in range(partitions)])
    return write_config(folder / "upcast.yaml", bootstrap, topics.name("group"), names)


async def test_a_soft_limit_is_no_limit(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> None:
    config = await setting(kafka_bootstrap, topics, tmp_path, partitions=30)
    async with running_worker(config, command=limited(64, 1_000)) as worker:
        await worker.caught_up(30)
        assert await worker.metric("process_max_fds") == 1_000
        assert await worker.metric("process_open_fds") > 64
        assert await worker.stop() == 0
    assert worker.errors == []


async def test_a_hard_limit_that_is_too_low_is_reported(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> None:
    config = await setting(kafka_bootstrap, topics, tmp_path, partitions=2)
    async with running_worker(config, command=limited(64, 100)) as worker:
        assert await worker.wait() == 2
    (line,) = worker.errors
    assert "2 partitions (brokers: 1) may need 136, this process may have 100: raise the hard limit" in line
