"""The commands of the runbook, and of two more pages, are run as they stand there: on a worker with dead letters."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.deploy import RUNBOOK
from tests.kafka import Record, Topics, produce
from tests.worker_process import running_worker, write_config

TOKEN = "a-token-that-is-long-enough"
SOURCE = "devteam.task-context.legacy"
PAGES = [*sorted(RUNBOOK.glob("*.md")), *(RUNBOOK.parent / name for name in ("metrics.md", "operations.md"))]
# A healthy worker has no such series; test_prometheus.py checks the names.
ONLY_IN_TROUBLE = "upcaster_replay_"

Shell = Callable[[str], subprocess.CompletedProcess[str]]


def commands(page: Path) -> list[str]:
    blocks = re.findall(r"^( *)```console\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [line.strip() for _, block in blocks for line in block.splitlines()]


@pytest.fixture
async def shell(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> AsyncIterator[Shell]:
    keep = {"retention.ms": "-1"}
    route = {
        "source": await topics.create("legacy", configs=keep),
        "destination": await topics.create("current", configs=keep),
        "dead_letter": await topics.create("dlt", configs=keep),
    }
    good = b'{"metadata": {"taskId": "1", "projectId": "p"}, "nodes": {}}'
    records = [Record(b"k", value, [], 1_700_000_000_000) for value in (good, b"{")]
    await produce(kafka_bootstrap, route["source"], records)
    write_config(tmp_path / "upcast.yaml", kafka_bootstrap, topics.name("group"), route)
    binary = tmp_path / "bin" / "upcast"
    binary.parent.mkdir()
    binary.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m worker "$@"\n', encoding="utf-8")
    binary.chmod(0o755)
    async with running_worker(tmp_path / "upcast.yaml", {"UPCAST_HTTP__TOKEN": TOKEN}) as worker:
        await worker.caught_up(len(records))
        await worker.says("upcaster_partition_end_offset", len(records))

        def run(line: str) -> subprocess.CompletedProcess[str]:
            here = line.replace("localhost:8090", worker.address).replace(SOURCE, route["source"])
            path = f"{binary.parent}{os.pathsep}{os.environ['PATH']}"
            environment = {**os.environ, "PATH": path, "TOKEN": TOKEN}
            return subprocess.run(
                ["bash", "-c", here], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )

        yield run


@pytest.mark.long
async def test_every_command_works(shell: Shell) -> None:
    lines = sorted({line for page in PAGES for line in commands(page)} - {"", "```"})
    assert len(lines) > 15
    wrong = []
    for line in lines:
        done = shell(line)
        found_something = done.returncode == 1 and line.startswith(("upcast plan", "upcast dlq redrive"))
        fine = done.returncode == 0 and done.stdout.strip()
        if not (fine or found_something or ONLY_IN_TROUBLE in line):
            wrong.append(f"{line}\n  exit code {done.returncode}: {done.stdout}{done.stderr}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.stem))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target
    for setting in re.findall(r"`(deploy/[\w./-]+)`", page.read_text()):
        assert (RUNBOOK.parents[1] / setting).exists(), setting
