"""`upcast demo` as people start it, with the real worker on a real broker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.limits import HANG


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "worker", "demo", *arguments]


def test_the_demo_accounts_for_every_event(kafka_bootstrap: str) -> None:
    environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "COLUMNS": "100"}
    done = subprocess.run(command("--events", "2000"), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 2,000 events are accounted for" in done.stdout
    assert "metadata.task_id is missing" in done.stdout
    assert '+     "task_id":' in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_demo_and_all_it_started(tmp_path: Path, number: signal.Signals) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "KAFKA_BOOTSTRAP_SERVERS"}
    environment["TMPDIR"] = str(tmp_path)
    with subprocess.Popen(
        command("--events", "20000"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "upcasting" in line:
                break
        demo.send_signal(number)
        _, errors = demo.communicate(timeout=HANG)
    assert demo.returncode == 130
    assert "Traceback" not in errors
    assert _processes_naming(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def _processes_naming(text: str) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if text in line and "ps -eo" not in line]
