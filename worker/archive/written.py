"""One of the files that a file of the archive became, read in step with its source."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from worker.archive.avro import AvroFile, is_avro
from worker.archive.outputs import EVENTS, ROWS, place_of
from worker.archive.sources import ROW, Source, is_lines, open_folder

BATCH = 10_000


class Written:
    """The rows of one kind; none where there is no such file.

    Raises FileNotFoundError where there is none of ``events``, which each file has."""

    def __init__(self, destination: str, path: str, kind: str, prefix: str) -> None:
        self._folder = open_folder(destination)
        self._destination = destination
        self._kind = kind
        self._row = prefix + ROW
        self._outcome = prefix + "outcome"
        self._path = path
        self._rest: pa.Table | None = None
        self._schema, self._batches = self._open()

    def until(self, row: int | None) -> pa.Table:
        """The next rows that came of rows before this one of the source; None takes what is left."""
        taken = [] if self._rest is None else [self._rest]
        self._rest = None
        while not taken or row is None or _last(taken[-1], self._row) < row:
            batch = next(self._batches, None)
            if batch is None:
                break
            taken.append(pa.Table.from_batches([batch]))
        table = pa.concat_tables(taken) if taken else self._schema.empty_table()
        if row is None:
            return table
        before = pc.less(table.column(self._row), row)
        count = pc.index(before, False).as_py()
        if count >= 0:
            self._rest = table.slice(count)
            return table.slice(0, count)
        return table

    def _open(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        place = place_of(self._kind, self._path)
        if self._folder.get_file_info(place).type != fs.FileType.File:
            if self._kind == EVENTS:
                raise FileNotFoundError(f"{place} is not there")
            return pa.schema([(self._row, pa.int64())]), iter(())
        if self._kind == EVENTS and is_lines(self._path):
            return self._lines(place)
        if is_avro(place):
            avro = AvroFile(self._folder.open_input_file(place))
            return avro.schema, (batch for batch, _ in avro.batches())
        return self._parquet(place)

    def _parquet(self, place: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        parquet = pq.ParquetFile(self._folder.open_input_file(place), pre_buffer=False)
        return parquet.schema_arrow, parquet.iter_batches(BATCH, use_threads=False)

    def _lines(self, place: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        schema, rows = self._parquet(place_of(ROWS, self._path))
        return schema.insert(0, pa.field("value", pa.binary())), _zipped(
            Source(self._destination, place), rows, self._outcome
        )


def _zipped(source: Source, rows: Iterator[pa.RecordBatch], outcomes: str) -> Iterator[pa.RecordBatch]:
    """Lines and what is told of each. Raises ArrowInvalid where there are more of one."""
    lines = source.lines()
    for batch in rows:
        made = zip(batch.column(outcomes).to_pylist(), islice(lines, batch.num_rows), strict=False)
        values = [None if line == b"null" and outcome == "upcast" else line for outcome, line in made]
        if len(values) < batch.num_rows:
            raise pa.ArrowInvalid(FEWER)
        yield batch.add_column(0, pa.field("value", pa.binary()), pa.array(values, pa.binary()))
    if next(lines, None) is not None:
        raise pa.ArrowInvalid(MORE)


FEWER, MORE = "it has fewer lines than were written", "it has more lines than were written"


def _last(table: pa.Table, column: str) -> int:
    """The row of the source from which its last row came; before all where it has none."""
    return int(table.column(column)[-1].as_py()) if table.num_rows else -1
