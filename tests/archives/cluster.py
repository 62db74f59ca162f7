"""A standalone Spark of this machine's own: a master and two workers, on loopback; and what its Python workers need."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread

from tests.docs.snippets import ROOT

PYTHON = ROOT / ".venv-spark" / "bin" / "python"
WORKERS = 2
LOOPBACK = "127.0.0.1"
BETWEEN_LOOKS = 0.2


@contextmanager
def standalone(folder: Path) -> Iterator[str]:
    """The address of its master."""
    with ExitStack() as stack:

        def start(name: str, ready: str, *arguments: str) -> str:
            return stack.enter_context(running(folder, name, ready, *arguments))

        master = start("master.Master", r"Starting Spark master at (spark://\S+)", "--port", "0")
        for number in range(WORKERS):
            place = ["--work-dir", str(folder / f"worker-{number}")]
            start("worker.Worker", r"Successfully registered with master (\S+)", *place, "-c", "1", "-m", "1g", master)
        yield master


@contextmanager
def running(folder: Path, name: str, ready: str, *arguments: str) -> Iterator[str]:
    """A part of Spark, from when its log says that it is ready; what is given is of that line."""
    known = {**os.environ, "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}", "SPARK_LOCAL_IP": LOOPBACK}
    process = subprocess.Popen(
        [
            str(PYTHON.with_name("spark-class")),
            f"org.apache.spark.deploy.{name}",
            "--host",
            LOOPBACK,
            "--webui-port",
            "0",
            *arguments,
        ],
        cwd=folder,
        env=known,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    assert process.stderr is not None
    log: list[str] = []
    # What it says later is read, too, so that the pipe is never full.
    rest = Thread(target=log.extend, args=(process.stderr,))
    try:
        for line in process.stderr:
            log.append(line)
            if found := re.search(ready, line):
                break
        else:
            raise AssertionError("".join(log[-20:]))
        rest.start()
        yield found.group(1)
    finally:
        process.terminate()
        process.wait(60)
        if rest.is_alive():
            rest.join()
        process.stderr.close()


@contextmanager
def python_workers() -> Iterator[dict[int, int]]:
    """The most that each Python worker of our Spark has held meanwhile, by its process id, in KiB."""
    most: dict[int, int] = {}
    ended = Event()

    def look() -> None:
        while not ended.wait(BETWEEN_LOOKS):
            for place in Path("/proc").glob("[0-9]*"):
                if (held := _held(place)) is not None:
                    most[int(place.name)] = held

    looking = Thread(target=look)
    looking.start()
    try:
        yield most
    finally:
        ended.set()
        looking.join()


def _held(process: Path) -> int | None:
    try:
        words = process.joinpath("cmdline").read_bytes().split(b"\0")
        if words[0] != os.fsencode(PYTHON) or b"pyspark.daemon" not in words:
            return None
        found = re.search(r"VmHWM:\s+(\d+) kB", process.joinpath("status").read_text())
    except OSError:  # it has ended
        return None
    return int(found.group(1)) if found else None
