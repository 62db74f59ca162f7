"""What becomes of one file of an archive: the events, the dead letters and what was skipped, each a file or none.

All of it is written into a hidden folder, and takes its name when it is whole: whoever looks sees a file or nothing.
Written again, it is the same.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from posixpath import dirname
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from worker.archive.avro import AvroSink
from worker.archive.sources import Layout, codec_of, first_line, is_lines, open_folder
from worker.errors import WorkerError

EVENTS, DEAD_LETTERS, SKIPPED = "events", "dead-letters", "skipped"
OURS = "_upcast"
"""The folder of the run itself, which readers of the archive do not see."""
ROWS = f"{OURS}/rows"
"""Of each file of JSON lines, what each line of ``events`` is: a line has no room for it."""
PARTS = f"{OURS}/parts"
GROUP_ROWS, GROUP_BYTES = 100_000, 16 * 1024 * 1024
"""Of a row group, at most about so much."""
OUTCOMES = {"upcast": EVENTS, "passed": EVENTS, "skipped": SKIPPED, "dead-lettered": DEAD_LETTERS}


def place_of(kind: str, path: str) -> str:
    """Where the part of a file that is of this kind stands, below the destination."""
    return f"{kind}/{path}.parquet" if is_lines(path) and kind != EVENTS else f"{kind}/{path}"


class Sink(Protocol):
    """Something that takes rows, in order."""

    def write(self, batch: pa.RecordBatch) -> None: ...

    def close(self) -> None: ...


class ParquetSink:
    """A Parquet file; small batches are put together to row groups."""

    def __init__(self, stream: Any, schema: pa.Schema, compression: str) -> None:
        self._stream = stream
        self._writer = pq.ParquetWriter(stream, schema, compression=compression)
        self._held: list[pa.RecordBatch] = []

    def write(self, batch: pa.RecordBatch) -> None:
        self._held.append(batch)
        if (
            sum(each.num_rows for each in self._held) >= GROUP_ROWS
            or sum(each.nbytes for each in self._held) >= GROUP_BYTES
        ):
            self._flush()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held))
            self._held = []

    def close(self) -> None:
        self._flush()
        self._writer.close()
        self._stream.close()


class LinesSink:
    """JSON lines: the value of each row; ``null`` for a tombstone."""

    def __init__(self, stream: Any, value: str) -> None:
        self._stream = stream
        self._value = value

    def write(self, batch: pa.RecordBatch) -> None:
        text = io.BytesIO()
        for value in batch.column(self._value).to_pylist():
            # A line's end inside a document can only be white space.
            text.write(b"null" if value is None else value.replace(b"\n", b" "))
            text.write(b"\n")
        self._stream.write(text.getvalue())

    def close(self) -> None:
        self._stream.close()


class Outputs:
    """The files that one file becomes. ``add`` takes a result of ``ArrowUpcaster`` whose labels are plain strings."""

    def __init__(self, destination: str, path: str, schema: pa.Schema, prefix: str, layout: Layout) -> None:
        self._folder = open_folder(destination)
        self._destination = destination
        self._path = path
        self._schema = schema
        self._outcome = prefix + "outcome"
        self._layout = layout
        self._token = uuid.uuid4().hex
        self._parts: dict[str, str] = {}
        self._sinks: dict[str, Sink] = {}
        self._folder.create_dir(PARTS, recursive=True)
        self._sink(EVENTS)
        if is_lines(path):
            self._sink(ROWS)

    def add(self, batch: pa.RecordBatch) -> None:
        """Rows in order."""
        outcomes = batch.column(self._outcome)
        for kind in dict.fromkeys(OUTCOMES.values()):
            mine = pa.array([name for name, where in OUTCOMES.items() if where == kind])
            rows = batch.filter(pc.is_in(outcomes, mine))
            if rows.num_rows:
                self._sink(kind).write(rows)
                if kind == EVENTS and ROWS in self._sinks:
                    self._sinks[ROWS].write(rows.drop_columns(["value"]))

    def finish(self) -> None:
        """Give all files their names. Those that a run before this one made, and this one did not, go."""
        for sink in self._sinks.values():
            sink.close()
        for kind in (ROWS, DEAD_LETTERS, SKIPPED, EVENTS):
            place = place_of(kind, self._path)
            if kind in self._parts:
                self._folder.create_dir(dirname(place), recursive=True)
                self._folder.move(self._parts[kind], place)
            else:
                with suppress(OSError):
                    self._folder.delete_file(place)

    def discard(self) -> None:
        """Leave nothing behind."""
        for sink in self._sinks.values():
            with suppress(OSError, pa.ArrowException, ValueError):
                sink.close()
        for part in self._parts.values():
            with suppress(OSError):
                self._folder.delete_file(part)

    def _sink(self, kind: str) -> Sink:
        if kind not in self._sinks:
            part = f"{PARTS}/{self._token}-{len(self._parts)}"
            as_lines = kind == EVENTS and is_lines(self._path)
            self._parts[kind] = part
            stream = self._folder.open_output_stream(part, compression=codec_of(self._path) if as_lines else None)
            self._sinks[kind] = LinesSink(stream, "value") if as_lines else self._table_sink(kind, stream)
        return self._sinks[kind]

    def _table_sink(self, kind: str, stream: Any) -> Sink:
        if self._layout.avro is not None:
            return AvroSink(stream, self._layout.avro, self._layout.compression, self._path)
        schema = self._schema.remove(self._schema.get_field_index("value")) if kind == ROWS else self._schema
        return ParquetSink(stream, schema, self._layout.compression)


@contextmanager
def writing(destination: str, path: str, schema: pa.Schema, prefix: str, layout: Layout) -> Iterator[Outputs]:
    """All of it or nothing. Raises WorkerError where it cannot be written."""
    outputs = None
    try:
        outputs = Outputs(destination, path, schema, prefix, layout)
        yield outputs
        outputs.finish()
    except OSError as error:
        raise WorkerError(f"{destination}: {path} cannot be written: {first_line(error)}", code="UPC1953") from None
    finally:
        if outputs is not None:
            outputs.discard()
