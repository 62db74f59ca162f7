"""``make archive-check``: `upcast archive` on Spark with two executors, while a Python worker and an executor die.

Once on a local cluster, and once with a million events on a standalone master with two workers.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.archives.check_spark import DYING, PLAIN, archive, skip_without_spark
from tests.archives.cluster import PYTHON, python_workers, standalone
from tests.docs.snippets import ROOT
from tests.unit.archive.archives import visible

pytestmark = pytest.mark.timeout(2400)

TIME_LIMIT = 1500
MOST_MEMORY = 200_000_000 // 1024
"""Of a Python worker, in KiB."""


@dataclass(frozen=True)
class Place:
    """Where it runs, and on what: two folders of so many files with so many rows each."""

    name: str
    files: int
    rows: int


PLACES = [Place("local-cluster[2,1,1024]", 4, 5_000), Place("standalone", 10, 50_000)]


@dataclass(frozen=True)
class Ready:
    """A plan for one process, which is done, one for Spark with all events, and one with a file for other executors."""

    folder: Path
    master: str
    events: int


def upcast(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {
        **os.environ,
        "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}",
        "PYSPARK_PYTHON": str(PYTHON),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{folder / 'driver'}",
        "SPARK_LOCAL_IP": "127.0.0.1",
        **environment,
    }
    command = [sys.executable, "-m", "worker", "archive", *arguments]
    return subprocess.run(
        command, cwd=folder, env=known, capture_output=True, text=True, timeout=TIME_LIMIT, check=False
    )


def on_spark(ready: Ready, chains: str, **environment: str) -> list[str]:
    known = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ready.folder / chains}", **environment}
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.network.timeout": "600s",
        **{f"spark.executorEnv.{name}": value for name, value in known.items()},
    }
    options = [text for name, value in settings.items() for text in ("--spark=--conf", f"--spark={name}={value}")]
    return ["--master", ready.master, *options]


@contextmanager
def timed(remarks: list[str], what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    remarks.append(f"{what}: {time.monotonic() - began:.0f} s")


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=PLACES, ids=lambda place: place.name)
def ready(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    skip_without_spark()
    place: Place = request.param
    folder = tmp_path_factory.mktemp("command")
    archive(folder / "orders" / "a", "worker", place.rows, place.files)
    archive(folder / "orders" / "b", "executor", place.rows, place.files)
    for name, text in (("driver", DYING), ("executors", DYING), ("others", PLAIN % "orderId")):
        (folder / name).mkdir()
        (folder / name / "dying.py").write_text(text, encoding="utf-8")
    (folder / "kills").mkdir()
    events = 2 * place.files * place.rows
    if place.name != "standalone":
        yield Ready(folder, place.name, events)
        return
    (folder / "spark-itself").mkdir()
    with standalone(folder / "spark-itself") as master:
        yield Ready(folder, master, events)


def plan(ready: Ready, to: str, *more: str) -> None:
    """A plan for all events but ``more``; the one fault that they have is allowed."""
    orders = ["plan", "orders", "--chain", "dying:chain", "--to", to, "--out", f"{to}.json"]
    told = upcast(ready.folder, *orders, "--include", "a/0.parquet", "--json")
    assert told.returncode == 1, told.stderr
    fault = told.stdout.partition('"fingerprint": "')[2].partition('"')[0]
    succeeded(upcast(ready.folder, *orders, "--allow", fault, *more))


def test_what_spark_writes_is_what_one_process_writes_whoever_dies(ready: Ready, remarks: list[str]) -> None:
    folder = ready.folder
    plan(ready, "alone")
    with timed(remarks, f"{ready.events:,} events in one process"):
        succeeded(upcast(folder, "run", "alone.json"))
    with timed(remarks, f"a plan on {ready.master}"):
        plan(ready, "spark", *on_spark(ready, "executors"))
    kills = {"KILLS": str(folder / "kills")}
    with timed(remarks, "a run there, in which a Python worker and an executor die"), python_workers() as held:
        succeeded(upcast(folder, "run", "spark.json", *on_spark(ready, "executors", **kills)))
    remarks.append(f"its {len(held)} Python workers held {', '.join(f'{each // 1024}' for each in held.values())} MiB")
    assert sorted(path.name for path in (folder / "kills").iterdir()) == ["executor", "worker"]
    assert held
    assert max(held.values()) <= MOST_MEMORY
    assert_same_tables(folder / "spark", folder / "alone", ready.events)
    assert visible(folder / "spark") == visible(folder / "alone")
    assert not (folder / "spark" / "_upcast" / "parts").exists()
    with timed(remarks, "its proof there"):
        proof = succeeded(upcast(folder, "verify", "spark.receipt.json", *on_spark(ready, "executors")))
    assert "PASS" in proof


def assert_same_tables(mine: Path, theirs: Path, events: int) -> None:
    """File by file, and column by column."""
    rows = 0
    for name in visible(theirs):
        one, other = (pq.read_table(folder / name, partitioning=None) for folder in (mine, theirs))
        assert one.equals(other, check_metadata=True), name
        rows += one.num_rows
    assert rows == events


def test_executors_with_another_chain_write_nothing(ready: Ready) -> None:
    plan(ready, "never", "--include", "b/0.parquet")
    done = upcast(ready.folder, "run", "never.json", *on_spark(ready, "others"))
    assert done.returncode == 2
    [line] = [line for line in done.stderr.splitlines() if "chain dying:chain is " in line]
    assert len(set(re.findall(r"\d-[0-9a-f]{16}", line))) == 2
    assert visible(ready.folder / "never") == {}
