"""What is done with one file, wherever: in this process, in another one, or on an executor of Spark.

All that a task needs is in it: executors have the engine, the chain's package and this one, and no configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from upcasters import Chain, ChainError, Policy, Upcaster, load_chain
from upcasters.arrow import ArrowUpcaster, Columns
from upcasters.arrow.results import FIELDS
from worker.archive.sources import Source, SourceFile
from worker.errors import WorkerError

OnShare = Callable[[float], None]
"""Called with how much of the file is done, of 1."""


@dataclass(frozen=True)
class Work:
    """What is the same for all files of a run."""

    archive: str
    destination: str
    chain: str
    fingerprint: str
    policy: Policy
    columns: Columns
    prefix: str = ""

    def load(self) -> Chain:
        """The chain as it is here. Raises WorkerError where there is none, or where it is another."""
        try:
            found = load_chain(self.chain)
        except ChainError as error:
            raise WorkerError(str(error), code="UPC1952") from None
        if found.fingerprint != self.fingerprint:
            raise WorkerError(
                f"chain {self.chain} is {found.fingerprint} here and {self.fingerprint} in the plan: give both the "
                "same version of its package, or plan again",
                code="UPC1952",
            )
        return found


class Results:
    """The rows of one file as the chain leaves them, batch by batch; labels are plain strings."""

    def __init__(self, work: Work, chain: Chain, source: Source, path: str) -> None:
        self.upcaster: Upcaster = chain.upcaster(work.policy)
        self._source = source
        self._arrow = ArrowUpcaster(self.upcaster, work.columns, work.prefix)
        try:
            given = self._arrow.schema(source.schema())
        except ValueError as error:
            raise WorkerError(f"{work.archive}: {path}: {error}", code="UPC1952") from None
        self._first = len(given) - len(FIELDS)
        self.schema = pa.schema(
            [*list(given)[: self._first], *(pa.field(field.name, pa.string()) for field in list(given)[self._first :])]
        )

    def batches(self) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        """What was read, and what comes out of it."""
        for batch in self._source.batches():
            made = self._arrow.upcast(batch)
            plain = [column.dictionary_decode() for column in made.columns[self._first :]]
            yield batch, pa.RecordBatch.from_arrays([*made.columns[: self._first], *plain], schema=self.schema)


@dataclass(frozen=True)
class Task:
    """One of these for a whole run: ``do`` is what a runner calls with each file's number."""

    work: Work
    files: tuple[SourceFile, ...]

    def do(self, number: int, chain: Chain, on_share: OnShare) -> Mapping[str, Any]:
        """Plain JSON values. Raises WorkerError where the file cannot be taken."""
        raise NotImplementedError

    def unchanged(self, number: int) -> Source:
        """The file, which is still that of the plan. Raises WorkerError where it is another."""
        planned = self.files[number]
        source = Source(self.work.archive, planned.path, self.work.prefix)
        if source.state() != planned:
            raise WorkerError(
                f"{self.work.archive}: {planned.path} is not the file that was planned, its size or time has changed: "
                "plan again",
                code="UPC1952",
            )
        return source


def ignore(_share: float) -> None:
    """Where nobody looks on."""
