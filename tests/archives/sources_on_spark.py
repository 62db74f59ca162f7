"""The jobs that check_sources.py looks at: each format that Spark reads, and an archive that grows. For Spark's .venv.

It is given a folder with ``in/``, the records as Spark's Kafka source lays them down, and ``grow/``, more of them. It
lays ``in/`` down in each format, upcasts that, writes the result in the same format, and what it reads of it again
into ``out/``, as Parquet.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import col, input_file_name, struct, to_json

from tests.archives.on_spark import session
from upcasters.spark import upcast, write_stream

CHAIN = "dying:chain"
EXTENSIONS = (
    "io.delta.sql.DeltaSparkSessionExtension",
    "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
)


def lake(folder: Path) -> dict[str, str]:
    """Settings for Iceberg and Delta."""
    return {
        "spark.jars": os.environ["SPARK_JARS"],
        "spark.sql.extensions": ",".join(EXTENSIONS),
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lake.type": "hadoop",
        "spark.sql.catalog.lake.warehouse": str(folder / "lake"),
    }


def files(spark: SparkSession, frame: DataFrame, folder: Path, kind: str) -> DataFrame:
    """Avro and Parquet: they differ by their name alone."""
    frame.write.format(kind).save(str(folder / "old" / kind))
    made = upcast(spark.read.format(kind).load(str(folder / "old" / kind)), CHAIN)
    made.write.format(kind).partitionBy("outcome").save(str(folder / "new" / kind))
    return spark.read.format(kind).load(str(folder / "new" / kind))


def iceberg(spark: SparkSession, frame: DataFrame) -> DataFrame:
    frame.writeTo("lake.shop.orders").using("iceberg").create()
    made = upcast(spark.table("lake.shop.orders"), CHAIN)
    made.writeTo("lake.shop.orders_2").using("iceberg").partitionedBy(col("outcome")).create()
    return spark.table("lake.shop.orders_2")


def delta(frame: DataFrame, folder: Path, spark: SparkSession) -> DataFrame:
    frame.write.format("delta").save(str(folder / "old" / "delta"))
    made = upcast(spark.read.format("delta").load(str(folder / "old" / "delta")), CHAIN)
    made.write.format("delta").partitionBy("outcome").save(str(folder / "new" / "delta"))
    return spark.read.format("delta").load(str(folder / "new" / "delta"))


def lines(spark: SparkSession, folder: Path) -> DataFrame:
    """Each line is a value; where it stood is in the name of its file alone."""
    found = spark.read.option("recursiveFileLookup", "true").option("pathGlobFilter", "*[0-9].json")
    made = upcast(found.text(str(folder / "connect" / "json")).withColumn("file", input_file_name()), CHAIN)
    made.write.partitionBy("outcome").parquet(str(folder / "new" / "lines"))
    return spark.read.parquet(str(folder / "new" / "lines"))


def fields(spark: SparkSession, folder: Path) -> DataFrame:
    """Each field of a value is a column, and key and headers are elsewhere."""
    given = spark.read.option("recursiveFileLookup", "true").parquet(str(folder / "connect" / "parquet"))
    made = upcast(given.select(to_json(struct("*"), {"ignoreNullFields": "false"}).alias("value")), CHAIN)
    made.write.partitionBy("outcome").parquet(str(folder / "new" / "fields"))
    return spark.read.parquet(str(folder / "new" / "fields"))


def grown(spark: SparkSession, folder: Path) -> DataFrame:
    """Three files come one after the other; the last batch is done again, as after an end before it was noted.

    It takes the place of all that it had written, whatever the session's mode is.
    """
    growing, new = folder / "growing", folder / "new" / "stream"
    growing.mkdir()
    schema = spark.read.parquet(str(folder / "grow")).schema
    for name in sorted(path.name for path in (folder / "grow").iterdir()):
        shutil.copy(folder / "grow" / name, growing / name)
        run(spark, growing, schema, new)
    [place] = new.glob("chain=*")
    last = max((place / "_checkpoint" / "commits").glob("[0-9]"))
    last.unlink()
    last.with_name(f".{last.name}.crc").unlink(missing_ok=True)
    [first] = (place / "micro_batch=2" / "outcome=passed").glob("*.parquet")
    left = place / "micro_batch=2" / "outcome=skipped"
    left.mkdir()
    shutil.copy(first, left)
    spark.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
    run(spark, growing, schema, new)
    spark.conf.unset("spark.sql.sources.partitionOverwriteMode")
    return spark.read.parquet(str(new))


def run(spark: SparkSession, growing: Path, schema: Any, new: Path) -> None:
    frame = spark.readStream.schema(schema).parquet(str(growing))
    write_stream(frame, CHAIN, str(new)).trigger(availableNow=True).start().awaitTermination()


def main(folder: Path, chosen: Sequence[str] = ()) -> None:
    """All jobs, or those of these names."""
    sys.path.insert(0, str(folder / "driver"))
    spark = session(folder, lake(folder))
    spark.sparkContext.setLogLevel("ERROR")
    frame = spark.read.parquet(str(folder / "in"))
    jobs: dict[str, Callable[[], DataFrame]] = {
        "parquet": lambda: files(spark, frame, folder, "parquet"),
        "avro": lambda: files(spark, frame, folder, "avro"),
        "iceberg": lambda: iceberg(spark, frame),
        "delta": lambda: delta(frame, folder, spark),
        "lines": lambda: lines(spark, folder),
        "fields": lambda: fields(spark, folder),
        "stream": lambda: grown(spark, folder),
    }
    for name in chosen or jobs:
        jobs[name]().write.parquet(str(folder / "out" / name))
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
