"""The files of an archive: which they are, and what is read of one of them, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from upcasters.arrow import Columns
from upcasters.arrow.results import FIELDS
from worker.archive import delta, iceberg
from worker.archive.avro import AVRO, AvroFile, is_avro, written_schema
from worker.archive.avro_blocks import CannotBeTakenError
from worker.archive.tables import files_of_table
from worker.errors import WorkerError

PARQUET = (".parquet",)
LINES = (".jsonl", ".ndjson", ".json")
COMPRESSED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
ROW = "source_row"
"""The column that says which row of the source's file a row was, from 0."""
MOST_ROWS = 2_500
MOST_BYTES = 32 * 1024 * 1024
"""Of one batch, about: a row that is larger is a batch of its own."""
BLOCK = 4 * 1024 * 1024
LONGEST_LINE = 256 * 1024 * 1024
TABLES = {delta.LOG: ("Delta", delta.live_files), iceberg.METADATA: ("Iceberg", iceberg.live_files)}

Unreadable = (OSError, EOFError, pa.ArrowException)


@dataclass(frozen=True)
class SourceFile:
    """A file of an archive; ``modified`` in nanoseconds. Both ends of a plan look at the same one, or refuse."""

    path: str
    size: int
    modified: int


def open_folder(place: str) -> fs.FileSystem:
    """A folder, by its path or by an address that pyarrow knows. Raises WorkerError."""
    try:
        found, path = fs.FileSystem.from_uri(place) if "://" in place else (fs.LocalFileSystem(), _absolute(place))
    except (pa.ArrowException, OSError) as error:
        raise WorkerError(
            f"{place}: {first_line(error)}: give a folder, or an address such as s3://…", code="UPC1951"
        ) from None
    return fs.SubTreeFileSystem(path.rstrip("/") or "/", found)


def is_empty(place: str) -> bool:
    """A folder that is not there, or in which nothing is. Raises WorkerError where it cannot be known."""
    try:
        return not open_folder(place).get_file_info(fs.FileSelector("", recursive=False, allow_not_found=True))
    except OSError as error:
        raise WorkerError(f"{place}: cannot be listed: {first_line(error)}", code="UPC1951") from None


def _absolute(place: str) -> str:
    return Path(place).resolve().as_posix()


def list_files(archive: str, include: Sequence[str] = ()) -> list[SourceFile]:
    """The files of an archive by path. Names that begin with ``_`` or ``.`` are not its own, as Spark has it.

    Of a table of Delta or Iceberg they are the files that hold its rows now. Raises WorkerError where there are none,
    where one is of no format that is known, and for a table whose files alone do not say which rows count.
    """
    folder = open_folder(archive)
    try:
        found = folder.get_file_info(fs.FileSelector("", recursive=True))
    except OSError as error:
        raise WorkerError(f"{archive}: cannot be listed: {first_line(error)}", code="UPC1951") from None
    live = _tables_files(archive, folder, found)
    files = [
        SourceFile(info.path, info.size, info.mtime_ns or 0)
        for info in found
        if info.type == fs.FileType.File
        and (info.path in live if live is not None else not _is_hidden(info.path))
        and _is_included(info.path, include)
    ]
    if missing := sorted((live or set()) - {info.path for info in found}):
        raise WorkerError(f"{archive}: {missing[0]} is gone, which the table needs: restore it", code="UPC1951")
    for file in files:
        if not (is_parquet(file.path) or is_avro(file.path) or is_lines(file.path)):
            raise WorkerError(
                f"{archive}: {file.path} is none of Parquet ({', '.join(PARQUET)}), Avro ({', '.join(AVRO)}) and JSON "
                f"lines ({', '.join(LINES)}): leave it out, as with --include '*.parquet'",
                code="UPC1951",
            )
    if not files:
        raise WorkerError(f"{archive}: there is no file to upcast: give the folder of the archive", code="UPC1951")
    return sorted(files, key=lambda file: file.path)


def _tables_files(archive: str, folder: fs.FileSystem, found: Sequence[fs.FileInfo]) -> set[str] | None:
    """The files that count, where the folder is a table."""
    for info in found:
        if info.type != fs.FileType.Directory or info.base_name not in TABLES:
            continue
        kind, live_files = TABLES[info.base_name]
        if kind == "Iceberg" and not any(other.path.endswith(".metadata.json") for other in found):
            continue
        if info.path in TABLES:
            return files_of_table(archive, kind, folder, live_files)
        raise WorkerError(
            f"{archive}: holds a table of {kind}, {info.path}: give the table's own folder", code="UPC1951"
        )
    return None


def _is_hidden(path: str) -> bool:
    return any(part[0] in "_." for part in path.split("/") if part)


def _is_included(path: str, include: Sequence[str]) -> bool:
    return not include or any(fnmatch(path, pattern) for pattern in include)


def is_parquet(path: str) -> bool:
    return path.endswith(PARQUET)


def is_lines(path: str) -> bool:
    return _plain_name(path).endswith(LINES)


def codec_of(path: str) -> str | None:
    """How a file of JSON lines is compressed, by its name."""
    return next((name for ending, name in COMPRESSED.items() if path.endswith(ending)), None)


def _plain_name(path: str) -> str:
    return next((path.removesuffix(ending) for ending in COMPRESSED if path.endswith(ending)), path)


def first_line(error: BaseException) -> str:
    """What an error of pyarrow says, without the lines of its own sources and without a stop."""
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")


@dataclass(frozen=True)
class Layout:
    """How a file is written: its compression, and of Avro the schema of its records."""

    compression: str
    avro: dict[str, Any] | None = None


def _compression(found: pq.FileMetaData) -> str:
    """As its first column is compressed, so that what is written is, too."""
    known = found.num_row_groups and found.num_columns
    named = str(found.row_group(0).column(0).compression).lower() if known else "snappy"
    return "none" if named == "uncompressed" else named


class Source:
    """One file of an archive, open for reading."""

    def __init__(self, archive: str, path: str, prefix: str = "") -> None:
        self._archive = archive
        self._path = path
        self._row = prefix + ROW
        self._labels = [prefix + field.name for field in FIELDS]
        self._ours = [self._row, *self._labels]
        self._folder = open_folder(archive)
        self.share = 0.0
        """How much of the file has been read, of 1; of a compressed file it is not known."""

    def state(self) -> SourceFile:
        """The file as it is now. Raises WorkerError where it is gone."""
        info = self._folder.get_file_info(self._path)
        if info.type != fs.FileType.File:
            raise WorkerError(f"{self._archive}: {self._path} is gone: plan again", code="UPC1951")
        return SourceFile(self._path, info.size, info.mtime_ns or 0)

    def layout(self, columns: Columns) -> Layout:
        """How what comes of the file is written: as the file itself."""
        try:
            with self._folder.open_input_file(self._path) as file:
                if is_avro(self._path):
                    avro = AvroFile(file, self._own)
                    found = columns.of(avro.schema)
                    added = pa.schema(
                        [pa.field(self._row, pa.int64()), *(pa.field(name, pa.string()) for name in self._labels)]
                    )
                    record = written_schema(avro.record, (found.value, found.key, found.headers), added)
                    return Layout(avro.codec, record)
                return Layout(_compression(pq.read_metadata(file)) if is_parquet(self._path) else "snappy")
        except Unreadable as error:
            raise self._cut(error) from None

    def schema(self) -> pa.Schema:
        """The columns of what ``batches`` gives. Raises WorkerError where the file cannot be read."""
        if is_lines(self._path):
            return pa.schema([pa.field("value", pa.binary()), pa.field(self._row, pa.int64())])
        try:
            with self._folder.open_input_file(self._path) as file:
                if is_avro(self._path):
                    return self._numbered(AvroFile(file, self._own).schema)
                given = self._opened(file).schema_arrow
        except Unreadable as error:
            raise self._cut(error) from None
        return self._numbered(pa.schema([given.field(name) for name in self._own(given.names)]))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows in order, each with its number. Raises WorkerError where they cannot be read to the end."""
        schema, row = self.schema(), 0
        try:
            for batch in self._rows():
                numbers = pa.array(range(row, row + batch.num_rows), pa.int64())
                row += batch.num_rows
                yield pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=schema)
        except Unreadable as error:
            raise self._cut(error) from None

    def _numbered(self, given: pa.Schema) -> pa.Schema:
        if self._row in given.names:
            raise WorkerError(
                f"{self._path}: has a column {self._row} already: choose another --prefix", code="UPC1951"
            )
        # What others have noted beside the schema does not know the columns that are added.
        return given.append(pa.field(self._row, pa.int64())).remove_metadata()

    def _own(self, names: Sequence[str]) -> list[str]:
        """Without the columns that an earlier run of this program has added."""
        ours = set(self._ours) if set(self._ours) <= set(names) else set()
        return [name for name in names if name not in ours]

    def _rows(self) -> Iterator[pa.RecordBatch]:
        if is_lines(self._path):
            return self._lines()
        return self._avro() if is_avro(self._path) else self._parquet()

    def _avro(self) -> Iterator[pa.RecordBatch]:
        with self._folder.open_input_file(self._path) as file:
            for batch, read in AvroFile(file, self._own).batches():
                self.share = read / max(1, file.size())
                yield batch

    def _parquet(self) -> Iterator[pa.RecordBatch]:
        with self._folder.open_input_file(self._path) as file:
            parquet = self._opened(file)
            found = parquet.metadata
            size = sum(found.row_group(number).total_byte_size for number in range(found.num_row_groups))
            rows = max(1, min(MOST_ROWS, MOST_BYTES * max(1, found.num_rows) // max(1, size)))
            names = parquet.schema_arrow.names
            own = self._own(names)
            for batch in parquet.iter_batches(rows, columns=None if own == names else own, use_threads=False):
                self.share += batch.num_rows / found.num_rows
                yield batch

    def _opened(self, file: pa.NativeFile) -> pq.ParquetFile:
        # In nanoseconds, as which Spark's older timestamps would be read, Spark does not read them again.
        return pq.ParquetFile(file, coerce_int96_timestamp_unit="us")

    def _lines(self) -> Iterator[pa.RecordBatch]:
        held: list[bytes] = []
        size = 0
        for line in self.lines():
            held.append(line)
            size += len(line)
            if len(held) == MOST_ROWS or size >= MOST_BYTES:
                yield pa.RecordBatch.from_arrays([pa.array(held, pa.binary())], ["value"])
                held, size = [], 0
        if held:
            yield pa.RecordBatch.from_arrays([pa.array(held, pa.binary())], ["value"])

    def lines(self) -> Iterator[bytes]:
        """Lines that are not blank, without their ends."""
        begun = b""
        with self._folder.open_input_stream(self._path, compression=codec_of(self._path)) as stream:
            size = self._folder.get_file_info(self._path).size if codec_of(self._path) is None else 0
            while block := stream.read(BLOCK):
                self.share += len(block) / size if size else 0
                *whole, begun = (begun + block).split(b"\n")
                yield from filter(bytes.strip, whole)
                if len(begun) > LONGEST_LINE:
                    raise WorkerError(
                        f"{self._archive}: {self._path} has a line of over {LONGEST_LINE:,} bytes: is it JSON lines? "
                        "Leave it out with --include",
                        code="UPC1951",
                    )
        if begun.strip():
            yield begun

    def _cut(self, error: BaseException) -> WorkerError:
        if isinstance(error, CannotBeTakenError):
            return WorkerError(
                f"{self._archive}: {self._path}: {error}, or leave it out with --include", code="UPC1951"
            )
        return WorkerError(
            f"{self._archive}: {self._path} cannot be read to its end: {first_line(error)}: restore it, or leave it "
            "out with --include",
            code="UPC1951",
        )


def place_in_full(place: str) -> str:
    """An address without its end, a path as the system has it: so that two can be compared."""
    return place.rstrip("/") if "://" in place else _absolute(place)
