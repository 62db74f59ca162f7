"""Files of Avro: their rows as Arrow's, and rows written again by the schema of the file that they are of.

Values are taken as Avro stores them, without a look at what they mean, so that what no chain changes stays as it was to
the last bit: a decimal is its bytes, a date a number of days. Only a column that is a time is read as one.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from worker.errors import WorkerError
from worker.extras import pip_install

AVRO = (".avro",)
MAGIC = b"Obj\x01"
HEADER = {
    "type": "record",
    "name": "org.apache.avro.file.Header",
    "fields": [
        {"name": "magic", "type": {"type": "fixed", "name": "magic", "size": 4}},
        {"name": "meta", "type": {"type": "map", "values": "bytes"}},
        {"name": "sync", "type": {"type": "fixed", "name": "sync", "size": 16}},
    ],
}
TIMES = {
    "timestamp-millis": pa.timestamp("ms", "UTC"),
    "timestamp-micros": pa.timestamp("us", "UTC"),
    "local-timestamp-millis": pa.timestamp("ms"),
    "local-timestamp-micros": pa.timestamp("us"),
}
PLAIN = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
}
# What reading makes of bytes that are no Avro; a codec that is not installed is a ValueError, too.
BROKEN = (
    *(AttributeError, EOFError, IndexError, KeyError, MemoryError, OverflowError, RecursionError, SystemError),
    *(TypeError, ValueError),
    *(struct.error, zlib.error, lzma.LZMAError),
)
MOST_ROWS = 10_000
MOST_BYTES = 8 * 1024 * 1024
"""Of one batch, about, as they stand in the file."""
BLOCK_BYTES = 64 * 1024

Kind = str | list[Any] | dict[str, Any]
"""A type, as Avro's schemas write it."""


def is_avro(path: str) -> bool:
    return path.endswith(AVRO)


class AvroFile:
    """An open file of Avro; ``own`` says which of its columns to read. Raises ArrowInvalid where it is none."""

    def __init__(self, stream: Any, own: Callable[[Sequence[str]], list[str]] = list) -> None:
        self._fastavro = import_fastavro()
        self._stream = stream
        try:
            self._header = self._fastavro.schemaless_reader(stream, HEADER, None)
            given = json.loads(self._header["meta"]["avro.schema"])
            self.codec = self._header["meta"].get("avro.codec", b"null").decode()
        except BROKEN:
            raise pa.ArrowInvalid("it does not begin as a file of Avro") from None
        if self._header["magic"] != MAGIC:
            raise pa.ArrowInvalid("it does not begin as a file of Avro")
        if not isinstance(given, dict) or given.get("type") != "record":
            raise pa.ArrowInvalid("its schema is no record: an event has to be one, with a field value")
        self._whole = given
        with told_as_broken():
            self._find_columns(given, own)

    def _find_columns(self, given: dict[str, Any], own: Callable[[Sequence[str]], list[str]]) -> None:
        named: dict[str, Any] = {}
        parsed = self._fastavro.parse_schema(given, named, _force=True, _ignore_default_error=True)
        names = own([each["name"] for each in given["fields"]])
        self.fields = [each for each in given["fields"] if each["name"] in names]
        self.record: dict[str, Any] = {**given, "fields": self.fields}
        """The schema of the columns that are read, as the file has it."""
        columns = [each for each in parsed["fields"] if each["name"] in names]
        self.schema = pa.schema([pa.field(each["name"], _column(each, named)) for each in columns])

    def batches(self) -> Iterator[tuple[pa.RecordBatch, int]]:
        """All rows, and how many bytes of the file have been read. Raises ArrowInvalid where it is cut."""
        stored = pa.schema([pa.field(each.name, _stored(each.type)) for each in self.schema])
        for rows, read in self._rows():
            batch = pa.RecordBatch.from_pylist(rows, stored)
            yield batch.cast(self.schema), read

    def _rows(self) -> Iterator[tuple[list[dict[str, Any]], int]]:
        stream = _Plain(self._fastavro, self._header, self._whole, self._stream)
        held: list[dict[str, Any]] = []
        begun = 0
        with told_as_broken():
            for record in read_records(stream):
                held.append(record)
                if len(held) == MOST_ROWS or stream.read_bytes - begun > MOST_BYTES:
                    yield held, stream.read_bytes
                    held, begun = [], stream.read_bytes
        if held:
            yield held, stream.read_bytes


def read_records(stream: Any) -> Iterator[Any]:
    """All records of a file of Avro. Raises ValueError where a block holds more or fewer than it counts.

    fastavro believes the count: a wrong one would leave records out in silence.
    """
    for block in import_fastavro().block_reader(stream):
        if block.num_records < 0:
            raise ValueError(f"a block counts {block.num_records} records")
        yield from block
        if left := len(block.bytes_.getbuffer()) - block.bytes_.tell():
            raise ValueError(f"a block has {left} bytes behind the {block.num_records} records that it counts")


@contextmanager
def told_as_broken() -> Iterator[None]:
    """Raises ArrowInvalid for whatever reading makes of bytes that are no Avro."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, BROKEN) and type(error).__module__.partition(".")[0] not in {"cramjam", "fastavro"}:
            raise
        raise pa.ArrowInvalid(_why(error)) from None


def _why(error: BaseException) -> str:
    told = str(error) or "it ends in the middle of a block"
    return told.replace("\n", " ")


class _Plain:
    """The file with a header that says nothing of what numbers and bytes mean, so that they come as they are."""

    def __init__(self, fastavro: Any, header: Mapping[str, Any], schema: dict[str, Any], stream: Any) -> None:
        made = io.BytesIO()
        meta = {**header["meta"], "avro.schema": json.dumps(_without_meaning(schema)).encode()}
        fastavro.schemaless_writer(made, HEADER, {**header, "meta": meta})
        self._header = io.BytesIO(made.getvalue())
        self._stream = stream
        self.read_bytes = 0

    def read(self, size: int) -> bytes:
        found = self._header.read(size)
        if len(found) == size:
            return found
        more: bytes = self._stream.read(size - len(found))
        self.read_bytes += len(more)
        return found + more

    def tell(self) -> int:
        """fastavro keeps it for each block; nothing here needs it."""
        return self.read_bytes


class AvroSink:
    """A file of Avro by the schema of the one that its rows are of, with the columns that are added behind.

    Its marker is made of the schema and the name, so that it is the same when it is written again.
    """

    def __init__(self, stream: Any, schema: dict[str, Any], codec: str, name: str) -> None:
        marker = hashlib.sha256(json.dumps([schema, name], sort_keys=True).encode()).digest()[:16]
        self._stream = stream
        self._writer = import_fastavro().write.Writer(stream, schema, codec, BLOCK_BYTES, sync_marker=marker)

    def write(self, batch: pa.RecordBatch) -> None:
        stored = batch.cast(pa.schema([pa.field(each.name, _stored(each.type)) for each in batch.schema]))
        for row in stored.to_pylist(maps_as_pydicts="lossy"):
            self._writer.write(row)

    def close(self) -> None:
        self._writer.flush()
        self._stream.close()


def written_schema(record: dict[str, Any], changing: Sequence[str], added: pa.Schema) -> dict[str, Any]:
    """The record with columns ``changing`` that may be null, and ``added`` behind its own."""
    fields = [
        {**each, "type": _nullable(each)} if each["name"] in changing else dict(each) for each in record["fields"]
    ]
    avro = {pa.int64(): "long", pa.string(): "string"}
    fields += [{"name": each.name, "type": ["null", avro[each.type]], "default": None} for each in added]
    return {**record, "fields": fields}


def _nullable(field: Mapping[str, Any]) -> Kind:
    kind: Kind = field["type"]
    if isinstance(kind, list):
        return kind if "null" in kind else [*kind, "null"]
    # A default is of the first type of a union.
    return [kind, "null"] if "default" in field else ["null", kind]


def _column(field: Mapping[str, Any], named: Mapping[str, Any]) -> pa.DataType:
    kind = _not_null(field["type"], field["name"])
    time = TIMES.get(kind.get("logicalType", "")) if isinstance(kind, dict) and kind.get("type") == "long" else None
    return time or _type(kind, named, field["name"])


def _type(kind: Kind, named: Mapping[str, Any], place: str, inside: tuple[str, ...] = ()) -> pa.DataType:
    """As what Arrow holds it. Raises ArrowInvalid for what it cannot hold."""
    kind = _not_null(kind, place)
    if isinstance(kind, dict):
        return _type_of_several(kind, named, place, inside)
    if kind in PLAIN:
        return PLAIN[kind]
    if kind in inside or kind not in named:
        raise pa.ArrowInvalid(f"field {place} has a type that contains itself: write the file without it")
    return _type_of_several(named[kind], named, place, inside)


def _type_of_several(
    kind: dict[str, Any], named: Mapping[str, Any], place: str, inside: tuple[str, ...]
) -> pa.DataType:
    match kind["type"]:
        case "record":
            within = (*inside, kind["name"])
            parts = [
                (each["name"], _type(each["type"], named, f"{place}.{each['name']}", within)) for each in kind["fields"]
            ]
            return pa.struct(parts)
        case "enum":
            return pa.string()
        case "fixed":
            return pa.binary(kind["size"])
        case "array":
            return pa.list_(_type(kind["items"], named, place, inside))
        case "map":
            return pa.map_(pa.string(), _type(kind["values"], named, place, inside))
        case other:
            return _type(other, named, place, inside)


def _not_null(kind: Kind, place: str) -> str | dict[str, Any]:
    if not isinstance(kind, list):
        return kind
    rest = [each for each in kind if each != "null"]
    if len(rest) != 1:
        raise pa.ArrowInvalid(f"field {place} may be of several types: write the file with one of them")
    found: str | dict[str, Any] = rest[0]
    return found


def _without_meaning(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_meaning(each) for each in schema]
    if isinstance(schema, dict):
        return {name: _without_meaning(each) for name, each in schema.items() if name != "logicalType"}
    return schema


def _stored(kind: pa.DataType) -> pa.DataType:
    return pa.int64() if pa.types.is_timestamp(kind) else kind


def import_fastavro() -> Any:
    """Raises WorkerError where it is not installed."""
    try:
        import fastavro
    except ImportError:
        raise WorkerError(
            f"the archive has files of Avro or is a table of Iceberg, which need fastavro: {pip_install('avro')}",
            code="UPC1951",
        ) from None
    return fastavro
