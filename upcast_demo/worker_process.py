"""Runs the real worker as a process of its own, by `upcast run --config FILE`."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from worker.errors import MAY_PASS, WorkerError
from worker.http_request import ask_worker

START_SECONDS = 30.0
STOP_SECONDS = 15.0
INTERVAL = 0.1


@dataclass(frozen=True)
class WorkerProcess:
    """A running worker."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def committed(self) -> tuple[int, int] | None:
        """Offsets committed and offsets there, over all partitions; None while it is starting."""
        status = self._get("/v2/status")
        if status is None:
            self._must_live()
            return None
        lanes = [lane for route in json.loads(status)["routes"] for lane in route["lanes"]]
        if not lanes or any(lane["end"] is None or lane["committed"] is None for lane in lanes):
            return None
        return sum(lane["committed"] for lane in lanes), sum(lane["end"] for lane in lanes)

    def metrics(self) -> dict[str, float]:
        """The sums of the worker's counters by name."""
        from prometheus_client.parser import text_string_to_metric_families

        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(self._get("/metrics") or ""):
            for sample in family.samples:
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        return sums

    def stop(self) -> None:
        """SIGTERM, and its exit code must be 0. Raises WorkerError."""
        self.process.terminate()
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise self.failed(f"did not stop in {STOP_SECONDS:.0f} s") from None
        if code != 0:
            raise self.failed(f"stopped with exit code {code}")

    def _get(self, path: str) -> str | None:
        answer = ask_worker("127.0.0.1", self.port, path, 5)
        return answer.text if answer.ok else None

    def _must_live(self) -> None:
        if self.process.poll() is not None:
            raise self.failed(f"ended with exit code {self.process.returncode}")

    def failed(self, what: str) -> WorkerError:
        """What to raise where the worker did not do its part."""
        return WorkerError(f"demo: the worker {what}; its log: {self.log}", MAY_PASS, code="UPC1010")


@contextmanager
def running(config: Mapping[str, Any], directory: Path) -> Iterator[WorkerProcess]:
    """The worker with ``config`` on a free port; killed at the end where it still runs."""
    port = _free_port()
    file, log = directory / "upcast.yaml", directory / "worker.log"
    file.write_text(yaml.safe_dump({**config, "http": {"port": port}}, sort_keys=False), encoding="utf-8")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker", "run", "--config", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C reaches the demo, which then ends the worker in order
        )
    try:
        yield WorkerProcess(process, port, log)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def follow(worker: WorkerProcess, total: int) -> Iterator[int]:
    """How many records are done, until all are. Raises WorkerError where it takes far too long."""
    deadline = time.monotonic() + START_SECONDS + total / 500
    done = 0
    while done < total:
        if time.monotonic() > deadline:
            raise worker.failed(f"had done {done} of {total} records when time was up")
        at = worker.committed()
        done = at[0] if at else done
        yield done
        time.sleep(INTERVAL)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
