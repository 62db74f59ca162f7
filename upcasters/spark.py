"""A chain over a Spark DataFrame, by ``mapInArrow``. Needs the extra ``spark``; ``docs/archives.md`` is the guide.

The chain goes to the executors by its name, since it cannot be pickled, and is made there once a task. So the executors
need this package and the chain's, in their image or environment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from upcasters.arrow import ArrowUpcaster, Columns
from upcasters.arrow.results import FIELDS
from upcasters.loading import load_chain
from upcasters.policy import Policy

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.streaming import DataStreamWriter

ROWS_AT_ONCE = 1_000
"""Events that a Python worker holds as objects; a whole batch of Spark's takes 40 MB more."""


def upcast(
    frame: DataFrame,
    chain: str,
    *,
    value: str = "value",
    key: str | None = None,
    headers: str | None = None,
    timestamp: str | None = None,
    origin: tuple[str, str, str] | None = None,
    target: Mapping[str, str] | None = None,
    policy: Policy | None = None,
    prefix: str = "",
) -> DataFrame:
    """The rows of ``frame`` brought up by the chain of that name, with what became of each, as ``ArrowUpcaster`` says.

    The names of columns are those of ``Columns``. ``target`` is that of a ``Policy``: a dict of type to version. Write
    the result once, partitioned by outcome: each action on it runs the chain again.

    Raises ChainError where there is no such chain here, and ValueError for a column that does not fit. A task whose
    executor has no such chain, or one with another fingerprint, ends before its first row, and the job with it.
    """
    from pyspark.sql.types import StringType, StructField, StructType

    found = load_chain(chain)
    columns = Columns(value, key, headers, timestamp, origin)
    chosen = policy or Policy()
    task = _Task(
        chain, found.fingerprint, columns, chosen if target is None else replace(chosen, target=target), prefix
    )
    task.upcaster().schema(_arrow(frame))
    added = [StructField(prefix + field.name, StringType()) for field in FIELDS]
    kept = [StructField(field.name, field.dataType) for field in frame.schema]
    return frame.mapInArrow(task.function(), StructType([*kept, *added]))


def write_stream(frame: DataFrame, chain: str, folder: str, **options: Any) -> DataStreamWriter:
    """For an archive that grows: what upcasts a streaming ``frame``, and writes it below ``folder`` as Parquet.

    Call ``trigger`` and ``start`` on it. ``options`` and what is raised are those of ``upcast``. Each micro-batch is
    written once, partitioned by outcome, into ``chain=FINGERPRINT/micro_batch=ID``; one that is done again, since it
    was ended in its middle, takes the place of what it had written. The checkpoint is beside them, so that another
    chain begins from the start, in a folder of its own.
    """
    upcast(frame, chain, **options)
    prefix = options.get("prefix", "")
    place = f"{folder.rstrip('/')}/{prefix}chain={load_chain(chain).fingerprint}"

    def write(batch: DataFrame, number: int) -> None:
        # Whatever the session's own mode is: with dynamic, partitions would stay that a batch no longer has.
        whole = upcast(batch, chain, **options).write.mode("overwrite").option("partitionOverwriteMode", "static")
        whole.partitionBy(f"{prefix}outcome").parquet(f"{place}/{prefix}micro_batch={number}")

    return frame.writeStream.foreachBatch(write).option("checkpointLocation", f"{place}/_checkpoint")


@dataclass(frozen=True)
class _Task:
    """All that goes to an executor."""

    chain: str
    fingerprint: str
    columns: Columns
    policy: Policy
    prefix: str

    def function(self) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
        """What Spark calls for each partition."""
        return self._batches

    def upcaster(self) -> ArrowUpcaster:
        """The chain as it is here. Raises ChainError where there is none, and ValueError where it is another."""
        chain = load_chain(self.chain)
        if chain.fingerprint != self.fingerprint:
            raise ValueError(
                f"chain {self.chain} is {chain.fingerprint} on this executor and {self.fingerprint} on the driver: "
                "give both the same version of its package"
            )
        return ArrowUpcaster(chain.upcaster(self.policy), self.columns, self.prefix)

    def _batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        upcaster = self.upcaster()
        for batch in batches:
            for first in range(0, batch.num_rows, ROWS_AT_ONCE):
                yield _plain(upcaster.upcast(batch.slice(first, ROWS_AT_ONCE)))


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Spark takes no dictionary-encoded columns."""
    first = batch.num_columns - len(FIELDS)
    decoded = [column.dictionary_decode() for column in batch.columns[first:]]
    return pa.RecordBatch.from_arrays([*batch.columns[:first], *decoded], names=batch.schema.names)


def _arrow(frame: DataFrame) -> pa.Schema:
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(frame.schema)
