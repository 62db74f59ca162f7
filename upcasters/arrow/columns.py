"""Which columns of a table hold an event's parts, and how they are read without an Arrow scalar for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pyarrow as pa

from upcasters.event import Header

_BYTES = (pa.types.is_binary, pa.types.is_string, pa.types.is_large_binary, pa.types.is_large_string)


@dataclass(frozen=True)
class Columns:
    """The names of an event's parts in a table.

    ``value`` has to be there. Any other name that is not given is used where the table has such a column; one that is
    given has to be there. ``origin`` names topic, partition and offset.
    """

    value: str = "value"
    key: str | None = None
    headers: str | None = None
    timestamp: str | None = None
    origin: tuple[str, str, str] | None = None

    def of(self, schema: pa.Schema) -> Found:
        """The columns of a table with this schema. Raises ValueError for one that is missing or of another type."""
        topic, partition, offset = (
            _named(schema, self.origin and self.origin[place], name)
            for place, name in enumerate(("topic", "partition", "offset"))
        )
        found = Found(
            _named(schema, self.value, ""),
            _named(schema, self.key, "key"),
            _named(schema, self.headers, "headers"),
            _named(schema, self.timestamp, "timestamp"),
            topic,
            partition,
            offset,
        )
        for name, what, fits in (
            (found.value, "binary or string", _is_bytes),
            (found.key, "binary or string", _is_bytes),
            (found.headers, "a list of structs of a string and a binary, or a map of these", _is_headers),
            (found.timestamp, "a timestamp, or a whole number of milliseconds", _is_time),
            (found.topic, "string", _is_text),
            (found.partition, "a whole number", pa.types.is_integer),
            (found.offset, "a whole number", pa.types.is_integer),
        ):
            if name and not fits(schema.field(name).type):
                raise ValueError(f"column {name} is {schema.field(name).type}: it has to be {what}")
        return found


@dataclass(frozen=True)
class Found:
    """The columns that a table has; the empty string for one that it lacks."""

    value: str
    key: str
    headers: str
    timestamp: str
    topic: str
    partition: str
    offset: str


def _named(schema: pa.Schema, given: str | None, usual: str) -> str:
    if given is None:
        return usual if usual in schema.names else ""
    if given not in schema.names:
        raise ValueError(f"there is no column {given}: the table has {', '.join(schema.names)}")
    return given


def _is_bytes(kind: pa.DataType) -> bool:
    return any(fits(kind) for fits in _BYTES)


def _is_text(kind: pa.DataType) -> bool:
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(plain) or pa.types.is_large_string(plain))


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_integer(kind))


def _is_headers(kind: pa.DataType) -> bool:
    if pa.types.is_map(kind):
        return _is_bytes(kind.key_type) and _is_bytes(kind.item_type)
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return False
    pair = kind.value_type
    return bool(pa.types.is_struct(pair)) and pair.num_fields == 2 and all(_is_bytes(part.type) for part in pair)


def texts_of(column: pa.Array) -> list[bytes | None]:
    """The bytes of each row, cut out of the column's buffer at once: a tenth of ``to_pylist``."""
    offsets = _offsets(column)
    first, last = offsets[0], offsets[-1]
    data = column.buffers()[2]
    held = b"" if data is None else data.slice(first, last - first).to_pybytes()
    found: list[bytes | None] = [held[begin - first : end - first] for begin, end in pairwise(offsets)]
    for row in _nulls(column):
        found[row] = None
    return found


def headers_of(column: pa.Array) -> list[Sequence[Header]]:
    """The headers of each row as pairs; names that come again are one string."""
    offsets = _offsets(column)
    first, last = offsets[0], offsets[-1]
    pairs = column.values.slice(first, last - first)
    names, values = pairs.flatten()
    encoded = names.dictionary_encode()
    known = [(name or b"").decode("utf-8", "surrogateescape") for name in texts_of(encoded.dictionary)]
    flat = list(zip(map(known.__getitem__, numbers_of(encoded.indices)), texts_of(values), strict=True))
    found: list[Sequence[Header]] = [flat[begin - first : end - first] for begin, end in pairwise(offsets)]
    for row in _nulls(column):
        found[row] = ()
    return found


def milliseconds_of(column: pa.Array) -> list[Any]:
    """The time of each row, None where it has none."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", column.type.tz), safe=False)
    return numbers_of(column)


def numbers_of(column: pa.Array) -> list[Any]:
    """The whole number of each row, None where it has none."""
    whole = column.cast(pa.int64())
    if len(whole) == 0:
        return []
    found: list[Any] = memoryview(whole.buffers()[1]).cast("q")[whole.offset : whole.offset + len(whole)].tolist()
    for row in _nulls(whole):
        found[row] = None
    return found


def _offsets(column: pa.Array) -> Sequence[int]:
    """Where each row begins and the last one ends. An empty column may have no buffer for them."""
    large = pa.types.is_large_binary(column.type) or pa.types.is_large_string(column.type)
    wide = large or pa.types.is_large_list(column.type)
    held = column.buffers()[1]
    if held is None or len(column) == 0:
        return [0]
    view: Any = memoryview(held).cast("q" if wide else "i")
    return list(view[column.offset : column.offset + len(column) + 1].tolist())


def _nulls(column: pa.Array) -> Sequence[int]:
    if not column.null_count:
        return ()
    return [row for row, missing in enumerate(column.is_null().to_pylist()) if missing]
