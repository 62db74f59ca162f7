"""`upcast infer` from a topic that holds two versions of a type."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.integration.replay_setting import STAMP, History
from tests.kafka import Record, Topics
from tests.said import without_waiting

UPCAST = [sys.executable, "-m", "worker", "infer", "spell", "--type", "task_context", "--dry-run"]


def event(number: int, version: str) -> bytes:
    old = {"taskId": f"1.{number}", "projectId": "p", "branch": "dev", "repoPath": "/r"}
    new = {"task_id": f"1.{number}", "project_id": "p", "branch": "dev", "repo_path": "/r"}
    nodes = {"select": {"status": "completed"}, **({"prep": {"status": "running"}} if version == "2.0" else {})}
    return json.dumps({"metadata": old if version == "1.1" else new, "nodes": nodes}).encode()


async def test_the_step_between_two_versions_of_a_topic(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> None:
    history = History(kafka_bootstrap, topics, tmp_path)
    await history.create()
    versions = ["1.1"] * 5 + ["2.0"] * 5
    await history.write([Record(b"k", event(n, version), [], STAMP + n, n % 2) for n, version in enumerate(versions)])
    command = [*UPCAST, "--config", str(history.config), "--versions"]
    run = partial(subprocess.run, capture_output=True, text=True, check=False, cwd=tmp_path)
    done = await asyncio.to_thread(run, [*command, "1.1:2.0"])
    assert (done.returncode, without_waiting(done.stderr)) == (0, "")
    assert "5 events of task_context 1.1, 5 events of task_context 2.0" in done.stdout
    for rename in ('"metadata.taskId", "task_id"', '"metadata.projectId", "project_id"'):
        assert f"rename({rename})" in done.stdout
    assert "5 of 5 events come out as they are after" in done.stdout
    none = await asyncio.to_thread(run, [*command, "1.1:7.0"])
    assert none.returncode == 2
    assert "hold no event of task_context 7.0: raise --sample" in none.stderr
