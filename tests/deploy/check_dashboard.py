"""The dashboard's queries, asked of a real Prometheus that scrapes a real worker (`make deploy-check`)."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import yaml

from tests.deploy import DEPLOY
from tests.deploy.test_grafana import PANELS
from tests.deploy.tools import from_debian
from tests.http import request
from tests.kafka import Record, Topics, produce
from tests.worker_process import running_worker, write_config

LIMIT = 90.0
NOT_SEEN_IN_A_HEALTHY_WORKER = ("upcaster_replay_", "upcaster_retries_", "upcaster_legacy_", "upcaster_records_skipped")
GOOD = b'{"metadata": {"taskId": "1", "projectId": "p"}, "nodes": {}}'
QUERIES = [
    target["expr"].replace("$namespace", ".*").replace("$topic", ".*")
    for panel in PANELS
    for target in panel["targets"]
    if not any(each in target["expr"] for each in NOT_SEEN_IN_A_HEALTHY_WORKER)
]


@asynccontextmanager
async def prometheus(folder: Path, worker: str) -> AsyncIterator[str]:
    """Its address, scraping the worker each second."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(DEPLOY / "prometheus" / "*.rules.yaml")],
        "scrape_configs": [{"job_name": "upcast", "static_configs": [{"targets": [worker]}]}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = ["--config.file=prometheus.yaml", f"--storage.tsdb.path={folder}", f"--web.listen-address={address}"]
    process = await asyncio.create_subprocess_exec(
        from_debian("prometheus", "prometheus"), *options, cwd=folder, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield address
    finally:
        process.terminate()
        await process.wait()


async def empty(address: str) -> list[str]:
    """Queries that find nothing yet; all of them while Prometheus starts."""
    found = []
    for query in QUERIES:
        try:
            answer = await request(address, f"/api/v1/query?query={quote(query)}")
        except OSError:
            return QUERIES
        assert answer.status in {200, 503}, answer.text
        if answer.status != 200 or not json.loads(answer.text)["data"]["result"]:
            found.append(query)
    return found


async def test_every_panel_shows_something(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> None:
    keep = {"retention.ms": "-1"}
    route = {
        "source": await topics.create("legacy", configs=keep),
        "destination": await topics.create("current", configs=keep),
        "dead_letter": await topics.create("dlt", configs=keep),
    }
    config = write_config(tmp_path / "upcast.yaml", kafka_bootstrap, topics.name("group"), route)
    async with running_worker(config) as worker:
        await worker.until("/readyz", 200, seconds=90)
        async with prometheus(tmp_path, worker.address) as address:
            deadline = time.monotonic() + LIMIT
            while missing := await empty(address):
                assert time.monotonic() < deadline, "\n".join(missing)
                await produce(kafka_bootstrap, route["source"], [Record(b"k", value) for value in (GOOD, None, b"{")])
                await asyncio.sleep(1)  # as often as Prometheus scrapes here
