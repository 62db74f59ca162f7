"""Files of Avro: their rows as Arrow's, and rows written again by the schema of the file that they are of.

Values are taken as Avro stores them, without a look at what they mean, so that what no chain changes stays as it was to
the last bit: a decimal is its bytes, a date a number of days. Only a column that is a time is read as one.
"""

from __future__ import annotations

import io
import json
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from worker.archive.avro_blocks import CUT, HEADER, MAGIC, UNPACK, BlockSink, CannotBeTakenError, PlainFile
from worker.errors import WorkerError
from worker.extras import pip_install

AVRO = (".avro",)
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
# What reading makes of bytes that are no Avro.
BROKEN = (
    *(AttributeError, EOFError, IndexError, KeyError, MemoryError, OverflowError, RecursionError, SystemError),
    *(TypeError, ValueError),
    *(struct.error, zlib.error, lzma.LZMAError),
)
MOST_ROWS = 2_500
MOST_BYTES = 8 * 1024 * 1024
"""Of one batch, about, as they are when they are unpacked."""
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
            self._header, given, self.codec = _begin(self._fastavro, stream)
        except CannotBeTakenError:
            raise
        except BROKEN:
            raise pa.ArrowInvalid("it does not begin as a file of Avro") from None
        if not isinstance(given, dict) or given.get("type") != "record":
            raise CannotBeTakenError("its schema is no record: write it with one that has a field value")
        self._whole = given
        with told_as_broken():
            self._find_columns(given, own)

    def _find_columns(self, given: dict[str, Any], own: Callable[[Sequence[str]], list[str]]) -> None:
        named: dict[str, Any] = {}
        parsed = self._fastavro.parse_schema(_without_defaults(given), named, _force=True)
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
        plain = _plain(self._fastavro, self._header, self._whole, self.codec, self._stream)
        held: list[dict[str, Any]] = []
        size = 0.0
        with told_as_broken():
            for record, each in _sized_records(self._fastavro, plain):
                held.append(record)
                size += each
                if len(held) == MOST_ROWS or size > MOST_BYTES:
                    yield held, plain.packed_bytes
                    held, size = [], 0.0
        if held:
            yield held, plain.packed_bytes


def read_records(stream: Any) -> Iterator[Any]:
    """All records of a file of Avro. Raises ArrowInvalid where it is none, or is cut."""
    fastavro = import_fastavro()
    with told_as_broken():
        header, schema, codec = _begin(fastavro, stream)
        for record, _ in _sized_records(fastavro, _plain(fastavro, header, schema, codec, stream)):
            yield record


def _begin(fastavro: Any, stream: Any) -> tuple[Any, Any, str]:
    """The header of a file, and of it the schema and the codec. Raises CannotBeTakenError for an unknown codec."""
    header = fastavro.schemaless_reader(stream, HEADER, None)
    schema = json.loads(header["meta"]["avro.schema"])
    codec = header["meta"].get("avro.codec", b"null").decode()
    if header["magic"] != MAGIC:
        raise ValueError("it does not begin as a file of Avro")
    if codec not in UNPACK:
        raise CannotBeTakenError(f"it is packed with {codec}, which is none of {', '.join(UNPACK)}: write it with one")
    return header, schema, codec


def _plain(fastavro: Any, header: Any, schema: Any, codec: str, stream: Any) -> PlainFile:
    """What numbers and bytes mean is left out, so that they come as they are."""
    return PlainFile(fastavro.schemaless_writer, header, _without_meaning(schema), codec, stream)


def _sized_records(fastavro: Any, plain: PlainFile) -> Iterator[tuple[Any, float]]:
    """Each with about how many bytes it has. Raises ValueError where a block holds more or fewer than it counts.

    fastavro believes the count: a wrong one would leave records out in silence.
    """
    for block in fastavro.block_reader(plain):
        if block.num_records < 0:
            raise ValueError(f"a block counts {block.num_records} records")
        whole = len(block.bytes_.getbuffer())
        each = whole / max(1, block.num_records)
        for record in block:
            yield record, each
        if left := whole - block.bytes_.tell():
            raise ValueError(f"a block has {left} bytes behind the {block.num_records} records that it counts")


@contextmanager
def told_as_broken() -> Iterator[None]:
    """Raises ArrowInvalid for whatever reading makes of bytes that are no Avro."""
    try:
        yield
    except CannotBeTakenError:
        raise
    except Exception as error:
        if not isinstance(error, BROKEN) and type(error).__module__.partition(".")[0] != "fastavro":
            raise
        raise pa.ArrowInvalid(_why(error)) from None


def _why(error: BaseException) -> str:
    told = str(error) or CUT
    return told.replace("\n", " ")


class AvroSink:
    """A file of Avro by the schema of the one that its rows are of, with the columns that are added behind."""

    def __init__(self, stream: Any, schema: dict[str, Any], codec: str, name: str) -> None:
        fastavro = import_fastavro()
        self._stream = stream
        self._encode = fastavro.schemaless_writer
        self._blocks = BlockSink(self._encode, stream, schema, codec, name)
        # A copy, since what is read of a schema is marked in it.
        self._schema = fastavro.parse_schema(_without_defaults(schema), {}, _force=True)
        self._held = io.BytesIO()
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        stored = batch.cast(pa.schema([pa.field(each.name, _stored(each.type)) for each in batch.schema]))
        for row in stored.to_pylist(maps_as_pydicts="lossy"):
            self._encode(self._held, self._schema, row)
            self._rows += 1
            if self._held.tell() >= BLOCK_BYTES:
                self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._blocks.write(self._rows, self._held.getvalue())
            self._held, self._rows = io.BytesIO(), 0

    def close(self) -> None:
        self._flush()
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
        raise CannotBeTakenError(f"field {place} has a type that contains itself: write the file without it")
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
        raise CannotBeTakenError(f"field {place} may be of several types: write the file with one of them")
    found: str | dict[str, Any] = rest[0]
    return found


def _without_meaning(schema: Any) -> Any:
    return _without("logicalType", _without_defaults(schema))


def _without_defaults(schema: Any) -> Any:
    """No record is read or written by them, and older files have such as fit no type, as null for bytes."""
    return _without("default", schema)


def _without(key: str, schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without(key, each) for each in schema]
    if isinstance(schema, dict):
        return {name: _without(key, each) for name, each in schema.items() if name != key}
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
