"""Another version of aiokafka: commands that open Kafka refuse it in one line, the others do not even look."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFIGURATION = """
kafka: {bootstrap_servers: "127.0.0.1:1", group_id: g}
routes: [{source: a, destination: b, dead_letter: c, chain: "upcasters.devteam_runner:chain"}]
"""
OPENS_KAFKA = [
    "run",
    "check --broker",
    "census",
    "plan --out plan.json",
    "replay plan.json",
    "verify receipt.json",
    "checklist",
    "dlq list",
    "dlq show 0:0",
    "dlq redrive",
    "lanes list",
    "lanes decide a:0 --go-on-at found",
]
OPENS_NONE = ["check", "try", "show", "matrix", "config check", "new --help", "db --help"]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    (tmp_path / "upcast.yaml").write_text(CONFIGURATION)
    return tmp_path


def upcast(command: str, at: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "worker", *command.split()],
        cwd=at,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(at), str(Path(__file__).parents[3])))},
        input='{"a": 1}\n',
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", [*OPENS_KAFKA, "demo"])
def test_a_command_that_opens_kafka_refuses_another_version(command: str, elsewhere: Path) -> None:
    described = elsewhere / "aiokafka-0.15.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: aiokafka\nVersion: 0.15.0\n")
    done = upcast(command, elsewhere)
    assert (done.returncode, done.stdout) == (2, ""), done
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"upcast: aiokafka 0.15.0 in {elsewhere}: ")
    assert "`pip install aiokafka==0.14.0`" in line


@pytest.mark.parametrize("command", OPENS_NONE)
def test_a_command_that_opens_none_needs_no_aiokafka(command: str, elsewhere: Path) -> None:
    (elsewhere / "aiokafka.py").write_text('raise ImportError("this aiokafka does not load")\n')
    done = upcast(command, elsewhere)
    assert done.stderr == ""
    assert (done.returncode, done.stdout) != (2, "")
    assert "aiokafka" not in done.stdout
    if command != "try":  # its event is none of the chain's, and it says so by 1
        assert done.returncode == 0, done
