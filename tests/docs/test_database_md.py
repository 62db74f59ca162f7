"""docs/database.md: its commands run in order, from a copy of the repository's root, and its names are real."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.databases import TestDatabase
from tests.integration.test_database_encodings import KINDS, avro
from worker.database import downcast_json_column

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "database.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
AVRO_ROW = KINDS[0]
OLD = '{"metadata": {"taskId": "1", "projectId": "a/b"}, "nodes": {"select": {"status": "completed"}}}'


@pytest.mark.long
def test_the_commands_work_in_their_order(tmp_path: Path) -> None:
    shutil.copy(ROOT / "alembic.ini", tmp_path)
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations")
    guide, migrate, alone = COMMANDS
    run(guide, tmp_path)
    run("alembic downgrade -1", tmp_path)
    with closing(sqlite3.connect(tmp_path / "data" / "devteam_runner.db")) as connection:
        connection.execute("INSERT INTO task_contexts VALUES (1, '1', ?, 'now')", [OLD])
        connection.commit()
    assert "PASS: 1 table, 1 row" in run(migrate, tmp_path)
    assert "PASS" in run(alone, tmp_path)


def run(commands: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_migration_of_bytes_works_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [snippet] = [
        each for each in re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE) if "payload" in each
    ]
    monkeypatch.setitem(sys.modules, "shop", SimpleNamespace(chain=avro))
    database = TestDatabase(f"sqlite:///{tmp_path / 'shop.db'}", "BLOB")
    database.run("CREATE TABLE orders (id INTEGER PRIMARY KEY, payload BLOB)")
    old, new = AVRO_ROW.old[0], AVRO_ROW.new[0]
    database.run(f"INSERT INTO orders VALUES (1, x'{old.hex()}')")
    names: dict[str, Any] = {}
    exec(snippet, names)  # noqa: S102  # it stands in our own page
    for change, expected in (("upgrade", new), ("downgrade", old)):
        database.migrate(partial(_call, names[change]))
        assert database.rows("SELECT payload FROM orders") == [(expected,)]


def _call(change: Callable[[], None], _op: object) -> None:
    change()


def test_every_choice_is_reported() -> None:
    choices = set(inspect.signature(downcast_json_column).parameters)
    told = set(re.findall(r"^\| `(\w+)=", PAGE, re.MULTILINE))
    assert told == choices - {"op", "table", "column", "chain", "event_type", "to"}


def test_every_revision_is_reported() -> None:
    files = {file.name[:4] for file in (ROOT / "migrations" / "versions").glob("*.py")}
    assert files == set(re.findall(r"^\| `(\d{4})`", PAGE, re.MULTILINE))
