"""The jobs that check_spark.py looks at, in one session on two executors. Run with Spark's own .venv.

It is given a folder with ``in/`` and the modules of chains: ``driver/`` and ``executors/``. It writes each job's rows,
or its error where the job failed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from upcasters.spark import upcast

JOBS = {
    "undisturbed": ("events", "dying:chain"),
    "worker": ("worker-dies", "dying:chain"),
    "executor": ("executor-dies", "dying:chain"),
    "elsewhere": ("events", "elsewhere:chain"),
    "other": ("events", "other:chain"),
}
"""For each job its input and its chain: ``elsewhere`` is only on the driver, ``other`` is not the same on executors."""


def session(folder: Path, more: Mapping[str, str] = MappingProxyType({})) -> SparkSession:
    """On two executors, which have the chains of ``executors/``."""
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executorEnv.PYTHONPATH": os.pathsep.join(
            [str(folder / "executors"), *os.environ["PYTHONPATH"].split(":")]
        ),
        "spark.executorEnv.KILLS": str(folder / "kills"),
        # Many small batches, so that what dies has rows behind it.
        "spark.sql.execution.arrow.maxRecordsPerBatch": "500",
        "spark.sql.session.timeZone": "UTC",
        **more,
    }
    builder = SparkSession.builder.master("local-cluster[2,1,1024]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def main(folder: Path) -> None:
    sys.path.insert(0, str(folder / "driver"))
    spark = session(folder)
    spark.sparkContext.setLogLevel("ERROR")
    for job, (given, chain) in JOBS.items():
        frame = upcast(spark.read.parquet(str(folder / "in" / given)), chain)
        try:
            frame.write.partitionBy("outcome").parquet(str(folder / "out" / job))
        except PySparkException as error:
            (folder / f"{job}.error").write_text(str(error), encoding="utf-8")
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
