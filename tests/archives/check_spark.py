"""``make archive-check``: a chain on Spark with two executors, some of which die, and some of which lack the chain."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.archives.cluster import PYTHON
from tests.docs.snippets import ROOT
from upcasters.arrow import ArrowUpcaster
from upcasters.arrow.results import FIELDS

PARTITIONS, ROWS = 4, 5_000
TIME_LIMIT = 900

# A worker or an executor is killed by the event that says so, once.
DYING = '''
"""Events that end the process that upcasts them."""

import os
import signal
from pathlib import Path

from upcasters import Always, Chain, Detection, FromHeader, Step, convert, default, rename


def die(what):
    kills = os.getenv("KILLS")
    if kills is None:
        return what
    mark = Path(kills) / what
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return what
    daemon = os.getppid()
    executor = int(Path(f"/proc/{daemon}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(os.getpid() if what == "worker" else executor, signal.SIGKILL)
    signal.pause()


chain = Chain(
    [
        Step(
            "order",
            "1",
            "2",
            [convert("dies", die, missing="skip"), rename("id", "order_id"), default("currency", "EUR")],
            lossy="what dies does not come back",
        )
    ],
    detection=Detection((Always("order"),), (FromHeader("version"), Always("1"))),
)
'''
PLAIN = """
from upcasters import Always, Chain, Detection, Step, rename

chain = Chain([Step("order", "1", "2", [rename("id", "%s")])], detection=Detection((Always("order"),), (Always("1"),)))
"""
HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))


def values(partition: int, dies: str, rows: int) -> Iterator[bytes | None]:
    for number in range(rows):
        if number % 100 == 17:
            yield b'{"no": 1}'
        elif number % 100 == 18:
            yield None
        elif dies and (partition, number) == (1, rows // 2):
            yield b'{"id": %d, "dies": "%s"}' % (number, dies.encode())
        else:
            yield b'{"id": %d, "total": 1.10}' % number


def archive(folder: Path, dies: str = "", rows: int = ROWS, partitions: int = PARTITIONS) -> None:
    """As Spark's Kafka source lays records down, one file of so many rows a partition."""
    folder.mkdir(parents=True)
    headers = [[] if number % 3 else [{"key": "version", "value": b"1"}] for number in range(rows)]
    same = {
        "key": pa.array([b"k%d" % number for number in range(rows)]),
        "headers": pa.array(headers, HEADERS),
        "topic": pa.array(["orders"] * rows),
        "offset": pa.array(range(rows), pa.int64()),
        "timestamp": pa.array([1_700_000_000_000_000] * rows, pa.timestamp("us", "UTC")),
        "batch": pa.array([f"{number // 10}" for number in range(rows)]),
    }
    for partition in range(partitions):
        own = {
            "value": pa.array(values(partition, dies, rows), pa.binary()),
            "partition": pa.array([partition] * rows, pa.int32()),
        }
        pq.write_table(pa.table({**same, **own}), folder / f"{partition}.parquet")


def skip_without_spark() -> None:
    if shutil.which("java") is None:
        pytest.skip("Java is not installed (Debian: apt-get install openjdk-17-jre-headless)")
    if not PYTHON.exists():
        pytest.skip("Spark is not installed: make archive-check")


def spark_job(module: str, folder: Path, *arguments: str, seconds: float = TIME_LIMIT, **environment: str) -> None:
    """Run a program with Spark's own .venv."""
    known = {**os.environ, "PYSPARK_PYTHON": str(PYTHON), "PYTHONPATH": str(ROOT), "SPARK_LOCAL_IP": "127.0.0.1"}
    with (folder / "log").open("wb") as log:
        done = subprocess.run(
            [str(PYTHON), "-m", module, str(folder), *arguments],
            cwd=ROOT,
            env={**known, **environment},
            stdout=log,
            stderr=log,
            timeout=seconds,
            check=False,
        )
    assert done.returncode == 0, (folder / "log").read_text(encoding="utf-8")[-5000:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all jobs have run."""
    skip_without_spark()
    folder = tmp_path_factory.mktemp("archive")
    for name, dies in (("events", ""), ("worker-dies", "worker"), ("executor-dies", "executor")):
        archive(folder / "in" / name, dies)
    for name, text in (
        ("driver/dying.py", DYING),
        ("executors/dying.py", DYING),
        ("driver/elsewhere.py", PLAIN % "order_id"),
        ("driver/other.py", PLAIN % "order_id"),
        ("executors/other.py", PLAIN % "orderId"),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "kills").mkdir()
    spark_job("tests.archives.on_spark", folder)
    return folder


def rows(folder: Path, job: str) -> list[dict[str, Any]]:
    """What was written, by where it came from."""
    table = pq.read_table(folder / "out" / job)
    times = table.column("timestamp").cast(pa.timestamp("us", "UTC"))  # Spark leaves the zone out, which is UTC
    found: list[dict[str, Any]] = table.drop_columns("timestamp").append_column("timestamp", times).to_pylist()
    return sorted(found, key=lambda row: (row["partition"], row["offset"]))


def expected(folder: Path, given: str) -> list[dict[str, Any]]:
    """The same without Spark, in this process."""
    scope: dict[str, Any] = {}
    exec(compile(DYING, str(folder / "driver" / "dying.py"), "exec"), scope)  # noqa: S102  # our own text
    upcaster = ArrowUpcaster(scope["chain"].upcaster())
    tables = [upcaster.upcast_table(pq.read_table(file)) for file in sorted((folder / "in" / given).iterdir())]
    found: list[dict[str, Any]] = pa.concat_tables(tables, promote_options="permissive").to_pylist()
    return found


@pytest.mark.parametrize(
    ("job", "given"), [("undisturbed", "events"), ("worker", "worker-dies"), ("executor", "executor-dies")]
)
def test_rows_are_those_of_one_process_whoever_dies(folder: Path, job: str, given: str) -> None:
    assert [path.name for path in (folder / "kills").iterdir() if path.name == job] == [job] * (job != "undisturbed")
    found = rows(folder, job)
    assert len(found) == PARTITIONS * ROWS
    names = [*found[0]]
    assert {field.name for field in FIELDS} < set(names)
    for mine, theirs in zip(found, expected(folder, given), strict=True):
        assert mine == {name: theirs[name] for name in names}


@pytest.mark.parametrize(
    ("job", "why"),
    [
        ("elsewhere", "chain elsewhere:chain cannot be imported"),
        ("other", "chain other:chain is [-0-9a-f]+ on this executor and"),
    ],
)
def test_executors_without_the_chain_write_nothing(folder: Path, job: str, why: str) -> None:
    assert re.search(why, (folder / f"{job}.error").read_text(encoding="utf-8"))
    out = folder / "out" / job
    assert not out.exists() or [path for path in out.rglob("*.parquet") if "_temporary" not in path.parts] == []
    assert not (out / "_SUCCESS").exists()
