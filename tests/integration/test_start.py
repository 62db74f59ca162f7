"""What `upcast run` must not import before its first record is out: each of it was a part of its start once, or is as
heavy. Modules, not a clock; `make bench CASES=start` has the clock."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.kafka import Record, Topics, produce
from tests.worker_process import running_worker, write_config

TIMED = {"PYTHONPROFILEIMPORTTIME": "1"}
"""As `python -X importtime`: a line for each module on standard error."""
IMPORTED = re.compile(r"^import time: +\d+ \| +\d+ \| *([\w.]+)$")

LATE = (
    *("alembic", "fastapi", "httpx", "hypothesis", "jinja2", "opentelemetry", "psycopg", "pytest", "requests"),
    *("sqlalchemy", "worker.api.history", "worker.api.v2", "worker.database", "worker.checklist", "upcast_demo"),
    *("worker.dlq", "worker.processes.family", "worker.replay.census", "worker.verifying"),
)
EVENT = {"metadata": {"taskId": "1.1.1", "projectId": "customer-123/project-abc"}, "nodes": {}}


async def test_nothing_heavy_is_imported_before_the_first_record(
    kafka_bootstrap: str, topics: Topics, tmp_path: Path
) -> None:
    names = {name: topics.name(name) for name in ("source", "destination", "dead_letter")}
    for name in names:
        await topics.create(name, configs={"retention.ms": "-1"})
    await produce(kafka_bootstrap, names["source"], [Record(b"1", json.dumps(EVENT).encode())])
    config = write_config(tmp_path / "upcast.yaml", kafka_bootstrap, topics.name("group"), names)
    async with running_worker(config, TIMED) as worker:
        await worker.caught_up(1)
        assert await worker.stop() == 0
    imported = {found[1] for line in worker.errors if (found := IMPORTED.match(line))}
    assert {"worker.app", "worker.lanes.transaction", "upcasters.chain", "uvicorn"} <= imported
    assert not [name for name in imported for late in LATE if name == late or name.startswith(f"{late}.")]
