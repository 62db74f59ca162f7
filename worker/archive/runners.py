"""Takes tasks to where they are done: this process, several, or the executors of Spark."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from upcasters import Chain
from worker.archive.tasks import Task, ignore
from worker.errors import MAY_PASS, WorkerError

Done = tuple[int, Mapping[str, Any]]
OnFile = Callable[[int, float], None]
"""Called with a file's number and how much of it is done, of 1."""
Runner = Callable[[Task, Sequence[int], OnFile], Iterator[Done]]
"""Does a task for each of these numbers, in any order. Raises WorkerError at the first file that cannot be taken."""


def here(task: Task, numbers: Sequence[int], on_file: OnFile) -> Iterator[Done]:
    """One file after the other, in this process."""
    chain = task.work.load()
    for number in numbers:
        yield number, task.do(number, chain, partial(on_file, number))


@dataclass(frozen=True)
class Processes:
    """Files shared among processes of this machine."""

    count: int

    def __call__(self, task: Task, numbers: Sequence[int], on_file: OnFile) -> Iterator[Done]:
        del on_file  # whoever counts does it by files
        task.work.load()
        context = get_context("spawn")
        with ProcessPoolExecutor(self.count, context, _start, (task, sys.path)) as pool:
            running: dict[Future[Mapping[str, Any]], int] = {}
            left = iter(numbers)
            try:
                for number in left:
                    running[pool.submit(_do, number)] = number
                    if len(running) >= 2 * self.count:
                        yield from _ended(running)
                while running:
                    yield from _ended(running)
            except BrokenProcessPool:
                raise WorkerError(
                    "a process that upcast files has ended: run it again, it goes on where it was",
                    MAY_PASS,
                    code="UPC1954",
                ) from None
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


def _ended(running: dict[Future[Mapping[str, Any]], int]) -> Iterator[Done]:
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        yield running.pop(future), future.result()


_held: list[tuple[Task, Chain]] = []


def _start(task: Task, path: list[str]) -> None:
    sys.path[:] = path
    _held[:] = [(task, task.work.load())]


def _do(number: int) -> Mapping[str, Any]:
    task, chain = _held[0]
    return task.do(number, chain, ignore)


RESULT = "upcast-result "
"""Before each line of the Spark job's output that is ours."""


@dataclass(frozen=True)
class Spark:
    """Files shared among the executors of a Spark, by ``spark-submit``; ``options`` are more of its options."""

    master: str
    options: tuple[str, ...] = ()

    def __call__(self, task: Task, numbers: Sequence[int], on_file: OnFile) -> Iterator[Done]:
        del on_file  # as above
        program = find_spark_submit()
        with TemporaryDirectory(prefix="upcast-") as folder:
            job, log = Path(folder) / "job", Path(folder) / "log"
            job.write_bytes(pickle.dumps((task, list(numbers))))
            command = [program, "--master", self.master, "--name", "upcast archive", *self.options, JOB, str(job)]
            with log.open("wb") as errors:
                process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
                try:
                    yield from _told(process)
                finally:
                    process.terminate()
                    process.wait()
            if process.returncode != 0:
                raise WorkerError(
                    _why(log.read_text(encoding="utf-8", errors="replace"), process.returncode),
                    MAY_PASS,
                    code="UPC1954",
                )


JOB = str(Path(__file__).with_name("spark_job.py"))


def find_spark_submit() -> str:
    """Of SPARK_HOME, or on the path. Raises WorkerError."""
    home = os.getenv("SPARK_HOME")
    found = shutil.which("spark-submit", path=str(Path(home) / "bin") if home else None)
    if found is None:
        where = f"in {home}/bin (SPARK_HOME)" if home else "on the path"
        raise WorkerError(
            f"--master: there is no spark-submit {where}: set SPARK_HOME to a Spark, or leave --master out",
            code="UPC1954",
        )
    return found


def _told(process: subprocess.Popen[str]) -> Iterator[Done]:
    assert process.stdout is not None  # noqa: S101  (it is a pipe)
    for line in process.stdout:
        if line.startswith(RESULT):
            told = json.loads(line.removeprefix(RESULT))
            if "refused" in told:
                raise WorkerError(told["refused"], code="UPC1954")
            yield told["number"], told["done"]
    process.wait()


def _why(log: str, code: int) -> str:
    """The last line in which Spark names an error."""
    named = [line.strip() for line in log.splitlines() if re.match(r"\s*([\w.]+(Error|Exception)\b|Error:)", line)]
    lacking = next((line for line in named if "ModuleNotFoundError" in line), "")
    if lacking:
        return f"spark-submit: {lacking}: the executors need upcast-worker, pyarrow and the chain's package"
    return f"spark-submit ended with exit code {code}: {named[-1] if named else log.strip()[-300:]}"
