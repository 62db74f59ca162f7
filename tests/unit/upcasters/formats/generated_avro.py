"""Schemas as Hypothesis makes them, and values of each, as fastavro takes and gives them."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import fastavro
from hypothesis import strategies as st

from upcasters.formats import Schema

LONG = st.one_of(st.integers(-3, 200), st.integers(-(2**63), 2**63 - 1))
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=70)
_MOMENTS = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30))  # noqa: DTZ001  # those of a local timestamp have no zone


def _millis(moment: dt.datetime) -> dt.datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


_AWARE = _MOMENTS.map(lambda moment: moment.replace(tzinfo=dt.UTC))
SCALARS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    ("null", st.none()),
    ("boolean", st.booleans()),
    ("int", st.integers(-(2**31), 2**31 - 1)),
    ("long", LONG),
    ("float", st.floats(width=32, allow_nan=False)),
    ("double", st.floats(allow_nan=False)),
    ("bytes", st.binary(max_size=70)),
    ("string", _TEXT),
    ({"type": "string"}, _TEXT),
    ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 3}, st.decimals(-999999, 999999, places=3)),
    ({"type": "int", "logicalType": "date"}, st.dates()),
    ({"type": "int", "logicalType": "time-millis"}, st.times().map(lambda t: t.replace(microsecond=0))),
    ({"type": "long", "logicalType": "time-micros"}, st.times()),
    ({"type": "long", "logicalType": "timestamp-millis"}, _AWARE.map(_millis)),
    ({"type": "long", "logicalType": "timestamp-micros"}, _AWARE),
    ({"type": "long", "logicalType": "local-timestamp-millis"}, _MOMENTS.map(_millis)),
    ({"type": "long", "logicalType": "local-timestamp-micros"}, _MOMENTS),
    ({"type": "string", "logicalType": "uuid"}, st.uuids().map(str)),
    ({"type": "string", "logicalType": "nobody-knows"}, _TEXT),
]


@dataclass(frozen=True)
class Made:
    """A schema, and a strategy for its values."""

    schema: Any
    values: st.SearchStrategy[Any]


class Names:
    """Names of a schema's types, each once; some with a namespace."""

    def __init__(self) -> None:
        self._numbers: Iterator[int] = itertools.count()

    def new(self) -> str:
        number = next(self._numbers)
        return f"{'a.b.' * (number % 2)}T{number}"


@st.composite
def types(draw: st.DrawFn, names: Names, depth: int) -> Made:
    """Any type."""
    kinds = ["scalar", "scalar", "enum", "fixed", "array", "map", "record", "union"]
    kind = draw(st.sampled_from(kinds if depth else kinds[:4]))
    if kind == "scalar":
        return Made(*draw(st.sampled_from(SCALARS)))
    if kind == "enum":
        symbols = draw(st.lists(st.sampled_from("ABCDEF"), min_size=1, unique=True))
        return Made({"type": "enum", "name": names.new(), "symbols": symbols}, st.sampled_from(symbols))
    if kind == "fixed":
        size = draw(st.integers(0, 9))
        schema = {"type": "fixed", "name": names.new(), "size": size}
        return Made(schema, st.binary(min_size=size, max_size=size))
    if kind in ("record", "union"):
        return draw((records if kind == "record" else unions)(names, depth - 1))
    inner = draw(types(names, depth - 1))
    if kind == "array":
        return Made({"type": "array", "items": inner.schema}, st.lists(inner.values, max_size=3))
    keys = st.sampled_from(["", "k", "key two", "é"])
    return Made({"type": "map", "values": inner.schema}, st.dictionaries(keys, inner.values, max_size=3))


@st.composite
def unions(draw: st.DrawFn, names: Names, depth: int) -> Made:
    """A union whose branches are Python values of different kinds, so that fastavro takes the right one."""
    inner = draw(types(names, depth).filter(lambda made: not isinstance(made.schema, list) and made.schema != "null"))
    branches = draw(st.permutations([Made("null", st.none()), inner]))
    return Made([one.schema for one in branches], st.one_of([one.values for one in branches]))


@st.composite
def records(draw: st.DrawFn, names: Names, depth: int) -> Made:
    """A record of up to five fields."""
    name = names.new()
    fields = draw(st.lists(types(names, depth), max_size=5))
    schema = [{"name": f"f{number}", "type": one.schema} for number, one in enumerate(fields)]
    values = {f"f{number}": one.values for number, one in enumerate(fields)}
    return Made({"type": "record", "name": name, "fields": schema}, st.fixed_dictionaries(values))


@st.composite
def schemas_and_values(draw: st.DrawFn) -> tuple[Schema, Any]:
    """A record's schema and a value of it."""
    made = draw(records(Names(), 3))
    return Schema("avro", json.dumps(made.schema)), draw(made.values)


def avro_bytes(schema: Schema, value: Any) -> bytes:
    """What fastavro writes."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(schema.text)), value)
    return out.getvalue()


def avro_value(schema: Schema, data: bytes) -> Any:
    """What fastavro reads; a UUID as its text."""
    return _plain(fastavro.schemaless_reader(io.BytesIO(data), fastavro.parse_schema(json.loads(schema.text)), None))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inside) for key, inside in value.items()}
    if isinstance(value, list):
        return [_plain(inside) for inside in value]
    return (
        value
        if isinstance(value, (str, bytes, int, float, bool, type(None), Decimal, dt.date, dt.time))
        else str(value)
    )


def paths_of(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path into a value."""
    if prefix:
        yield prefix
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from paths_of(inside, (*prefix, key))
