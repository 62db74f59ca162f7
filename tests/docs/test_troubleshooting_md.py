"""docs/troubleshooting.md: each of the guide's three cases is broken on purpose, and the page is followed."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.kafka import Record, Topics, produce
from tests.worker_process import running_worker, write_config

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
OLD = '{"metadata": {"taskId": "%d", "projectId": "a/b"}, "nodes": {"select": {"status": "completed"}}}'
TOKEN = "open-sesame-open-sesame"
BROKEN = '{"metadata": {"taskId": "7"}, "nodes": {}}'


def commands(section: str) -> list[str]:
    """The section's blocks of commands, in order."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run(block: str, folder: Path, **environment: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "alembic.ini", tmp_path)
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations")
    run("alembic upgrade 0002", tmp_path)
    change(tmp_path, *(f"INSERT INTO task_contexts VALUES ({n}, '{n}', '{OLD % n}', '')" for n in range(9)))
    return tmp_path


def change(home: Path, *statements: str) -> None:
    with closing(sqlite3.connect(home / "data" / "devteam_runner.db")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.mark.long
def test_incomplete_migration(home: Path) -> None:
    look, retry, back = commands("Incomplete migration")
    change(home, f"UPDATE task_contexts SET context = '{BROKEN}' WHERE id = 7")
    said = run(look, home)
    assert "schema: at 0002, not at 0003" in said
    assert "id=7: MissingField at metadata.project_id" in said
    change(home, f"UPDATE task_contexts SET context = '{OLD % 7}' WHERE id = 7")
    assert "PASS" in run(retry, home)
    assert "to revision 0002" in run(back, home)


@pytest.mark.long
def test_data_inconsistency(home: Path) -> None:
    look, restore, again = commands("Data inconsistency")
    run("upcast db migrate", home)
    change(home, "DELETE FROM task_contexts WHERE id = 3")
    assert "task_contexts: 9 rows before, 8 now" in run(look, home)
    assert "PASS" in run(restore, home)
    assert "migrated: data/devteam_runner.db is at revision 0003" in run(again, home)


async def test_performance_degradation(topics: Topics, kafka_bootstrap: str, tmp_path: Path) -> None:
    """A rate that somebody has set and forgotten."""
    look, lift = commands("Performance degradation")
    source, destination = await topics.create("legacy"), await topics.create("current")
    await topics.create("legacy-dlt")
    await produce(kafka_bootstrap, source, [Record(b"k", (OLD % n).encode()) for n in range(2_000)])
    route = {"source": source, "destination": destination, "dead_letter": topics.name("legacy-dlt")}
    limited = {**route, "limits": {"records_per_second": 5}}
    config = write_config(tmp_path / "upcast.yaml", kafka_bootstrap, topics.name("group"), limited)
    async with running_worker(config, {"UPCAST_HTTP__TOKEN": TOKEN}) as worker:
        await worker.until("/readyz", 200)
        await worker.caught_up(1)
        here = look.replace("localhost:8090", worker.address)
        said = run(here, tmp_path)
        assert '"records_per_second":5.0' in said.replace(" ", "")
        assert f'topic="{source}"' in said
        run(
            lift.replace("localhost:8090", worker.address).replace("devteam.task-context.legacy", source),
            tmp_path,
            TOKEN=TOKEN,
        )
        await worker.caught_up(2_000)
        await worker.says("upcaster_consumer_lag_seconds", 0)
        assert await worker.stop() == 0
