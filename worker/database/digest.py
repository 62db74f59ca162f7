"""Digests of a table: a count of rows, and a digest of its keys and of each column.

A digest is the sum of the hashes of all rows, so it needs no order and little memory. Each row's hash holds its key, so
two rows that swap their values are noticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Text, cast, column, func, inspect, select, table

from worker.database import quarantine, registry, schemas

READ_AHEAD = 1_000
_SIZE = 32
_MODULUS = 1 << (8 * _SIZE)

NOT_DATA = {"alembic_version", registry.NAME}
"""Tables that are about the migrations."""


@dataclass
class TableDigest:
    """``columns`` by name; digests are hexadecimal."""

    rows: int = 0
    key: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


def digests(connection: Connection, note: Callable[[int], None] = lambda _rows: None) -> dict[str, TableDigest]:
    """Every table with data, by name. ``note`` is told how many rows have been read."""
    return {name: _digest(connection, *place, note) for name, place in data_tables(connection).items()}


def data_tables(connection: Connection) -> dict[str, tuple[str | None, str]]:
    """The tables that hold somebody's data, of every schema: by their name for people, schema and name."""
    ours = NOT_DATA | {quarantine.name_of(entry.place) for entry in registry.all_entries(connection)}
    found = {
        schemas.qualified(schema, name): (schema, name)
        for schema in schemas.names(connection)
        for name in inspect(connection).get_table_names(schema=schema)
        if name not in ours
    }
    return dict(sorted(found.items()))


def rows_of_all(connection: Connection) -> int:
    """How many rows ``digests`` will read."""
    total = 0
    for schema, name in data_tables(connection).values():
        counted = select(func.count()).select_from(table(name, schema=schema))
        total += connection.execute(counted).scalar_one()
    return total


def _digest(connection: Connection, schema: str | None, name: str, note: Callable[[int], None]) -> TableDigest:
    inspector = inspect(connection)
    columns = [each["name"] for each in inspector.get_columns(name, schema=schema)]
    key: Sequence[str] = inspector.get_pk_constraint(name, schema=schema)["constrained_columns"]
    read = table(name, *map(column, columns), schema=schema)
    # PostgreSQL writes every type as text without loss; a driver would make objects of some.
    postgresql = connection.dialect.name == "postgresql"
    chosen = [cast(read.c[each], Text) if postgresql else read.c[each] for each in columns]
    places = [columns.index(each) for each in key]
    sums, keys, count = [0] * len(columns), 0, 0
    options = {"stream_results": True, "max_row_buffer": READ_AHEAD}
    for row in connection.execute(select(*chosen), execution_options=options):
        start = hashlib.blake2b(_bytes([row[place] for place in places]), digest_size=_SIZE)
        keys += int.from_bytes(start.digest())
        for place, value in enumerate(row):
            one = start.copy()
            one.update(_bytes([value]))
            sums[place] += int.from_bytes(one.digest())
        count += 1
        note(count)
    return TableDigest(count, _hex(keys), dict(zip(columns, map(_hex, sums), strict=True)))


def _bytes(values: Sequence[Any]) -> bytes:
    """With its type, so that the number 1 is not the text 1."""
    return repr(values).encode("utf-8", "surrogateescape")


def _hex(total: int) -> str:
    return f"{total % _MODULUS:0{2 * _SIZE}x}"
