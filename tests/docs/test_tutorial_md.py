"""docs/tutorial.md, followed from its first line to its last, on ports that are free here."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, run, snippets
from tests.http import request_blocking
from tests.limits import HANG
from tests.ports import free_ports

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")


@pytest.mark.long
def test_every_step(tmp_path: Path) -> None:
    kafka, http = free_ports(2)
    printed = ""
    with ExitStack() as stack:
        for snippet in snippets(PAGE.replace("9092", str(kafka)).replace("8090", str(http))):
            if snippet.file == "broker":
                command = f"{snippet.text.strip()} --port {kafka}"
                broker = stack.enter_context(running(command, tmp_path))
                assert any(line.startswith("Ctrl-C") for line in broker)
            elif snippet.file == "worker":
                stack.enter_context(running(snippet.text, tmp_path))
                until_done(http)
            elif snippet.language == "text":
                assert printed.strip() == snippet.text.strip()
            elif snippet.file:
                (tmp_path / snippet.file).write_text(snippet.text, encoding="utf-8")
            else:
                printed = run(snippet, tmp_path)
    assert "NotJson" in printed or "decode" in printed


def until_done(port: int) -> None:
    """All three events of the page are read and committed."""
    deadline = time.monotonic() + HANG
    consumed = 0.0
    while consumed < 3:
        assert time.monotonic() < deadline, "the worker does not catch up"
        with contextlib.suppress(OSError):
            metrics = request_blocking(f"127.0.0.1:{port}", "/metrics").text
            consumed = sum(map(float, re.findall(r"^upcaster_records_consumed_total.* (\S+)$", metrics, re.MULTILINE)))


@contextmanager
def running(command: str, folder: Path) -> Iterator[Iterator[str]]:
    """A command of the page in a terminal of its own, ended as by Ctrl-C."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    log = folder / "terminal.log"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            command.split(), cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout
        try:
            yield iter(process.stdout)
        finally:
            process.send_signal(signal.SIGINT)
            process.stdout.read()
            assert process.wait(HANG) in (0, 130), log.read_text()
