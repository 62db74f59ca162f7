"""What `upcast archive --master` hands to ``spark-submit``: each file is a job of one task, several at a time.

So a file's result is known as soon as it is done, and an executor that dies costs its files, which are done again.
"""

from __future__ import annotations

import json
import pickle
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from worker.archive.lean import leave_pandas_out
from worker.archive.runners import RESULT
from worker.archive.tasks import Task, ignore
from worker.errors import WorkerError


def on_executor(held: Any) -> Callable[[int], dict[str, Any]]:
    """What Spark calls with each number; ``held`` is the broadcast task."""

    def do(number: int) -> dict[str, Any]:
        leave_pandas_out()
        task: Task = held.value
        try:
            return {"number": number, "done": dict(task.do(number, task.work.load(), ignore))}
        except WorkerError as error:
            return {"refused": f"on {socket.gethostname()}: {error}"}

    return do


def main(job: Path) -> None:
    task, numbers = pickle.loads(job.read_bytes())  # noqa: S301  (written for this process by the one that started it)
    spark = SparkSession.builder.getOrCreate()
    context = spark.sparkContext
    do = on_executor(context.broadcast(task))
    with ThreadPoolExecutor(2 * context.defaultParallelism) as pool:
        jobs = [
            pool.submit(lambda each: context.parallelize([each], 1).map(do).collect(), number) for number in numbers
        ]
        try:
            for ended in as_completed(jobs):
                for told in ended.result():
                    sys.stdout.write(f"{RESULT}{json.dumps(told)}\n")
                    sys.stdout.flush()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
