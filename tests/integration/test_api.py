"""The API of a worker that runs on a real broker: what it says of dead letters, the checklist and its lanes."""

from __future__ import annotations

from pathlib import Path

from aiokafka import AIOKafkaProducer

from tests.http import request
from tests.kafka import Topics
from tests.worker_process import running_worker, write_config

GOOD = b'{"metadata":{"taskId":"1","projectId":"p"},"nodes":{}}'


async def test_a_running_worker_says_what_it_has(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> None:
    legacy, current, letters = [await topics.create(name, partitions=1) for name in ("legacy", "current", "letters")]
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        for value in (GOOD, b"broken", GOOD, b"broken"):
            await producer.send_and_wait(legacy, value)
    route = {"source": legacy, "destination": current, "dead_letter": letters, "short_retention": "warn"}
    config = write_config(tmp_path / "upcast.yaml", kafka_bootstrap, f"g-{legacy}", route)
    async with running_worker(config) as worker:
        await worker.caught_up(4)
        newer = (await request(worker.address, "/v2/dead-letters")).json
        older = (await request(worker.address, "/v1/dead-letters")).json
        status = (await request(worker.address, "/v1/status")).json
        checklist = (await request(worker.address, "/v2/checklist")).json
        assert await worker.stop() == 0
    assert [(group["stage"], group["records"]) for group in newer["groups"]] == [("decode", 2)]
    assert older["groups"][0]["firstSeen"] == newer["groups"][0]["first_seen"]
    assert status["routes"][0]["lanes"][0]["inFlightRecords"] == 0
    assert {line["name"]: line["status"] for line in checklist["lines"]}["configuration"] == "pass"
