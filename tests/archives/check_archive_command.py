"""``make archive-check``: `upcast archive` on Spark with two executors, while a Python worker and an executor die."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.archives.check_spark import DYING, PLAIN, PYTHON, archive, skip_without_spark
from tests.docs.snippets import ROOT
from tests.unit.archive.archives import visible

TIME_LIMIT = 900


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


def on_spark(folder: Path, chains: str) -> list[str]:
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.network.timeout": "600s",
        "spark.executorEnv.PYTHONPATH": f"{ROOT}{os.pathsep}{folder / chains}",
        "spark.executorEnv.KILLS": str(folder / "kills"),
    }
    options = [text for name, value in settings.items() for text in ("--spark=--conf", f"--spark={name}={value}")]
    return ["--master", "local-cluster[2,1,1024]", *options]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    skip_without_spark()
    folder = tmp_path_factory.mktemp("command")
    archive(folder / "orders" / "a", "worker")
    archive(folder / "orders" / "b", "executor")
    for name, text in (("driver", DYING), ("executors", DYING), ("others", PLAIN % "orderId")):
        (folder / name).mkdir()
        (folder / name / "dying.py").write_text(text, encoding="utf-8")
    (folder / "kills").mkdir()
    plan = ["plan", "orders", "--chain", "dying:chain"]
    told = upcast(folder, *plan, "--to", "alone", "--json")
    assert told.returncode == 1, told.stderr
    fault = told.stdout.partition('"fingerprint": "')[2].partition('"')[0]
    for name in ("alone", "spark", "never"):
        made = upcast(folder, *plan, "--to", name, "--out", f"{name}.json", "--allow", fault)
        assert made.returncode == 0, made.stdout + made.stderr
    done = upcast(folder, "run", "alone.json")
    assert done.returncode == 0, done.stderr
    return folder


def test_what_spark_writes_is_what_one_process_writes_whoever_dies(folder: Path) -> None:
    done = upcast(folder, "run", "spark.json", *on_spark(folder, "executors"))
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (folder / "kills").iterdir()) == ["executor", "worker"]
    assert visible(folder / "spark") == visible(folder / "alone")
    assert not (folder / "spark" / "_upcast" / "parts").exists()
    proof = upcast(folder, "verify", "spark.receipt.json", *on_spark(folder, "executors"))
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert "PASS" in proof.stdout


def test_executors_with_another_chain_write_nothing(folder: Path) -> None:
    done = upcast(folder, "run", "never.json", *on_spark(folder, "others"))
    assert done.returncode == 2
    assert "chain dying:chain is " in done.stderr
    assert visible(folder / "never") == {}
