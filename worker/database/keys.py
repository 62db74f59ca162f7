"""What the database says of a key: whether it is unique, and whether a part of it may be null."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Inspector, inspect


def facts(connection: Connection, table: str, schema: str | None, key: Sequence[str]) -> tuple[bool, bool]:
    """Whether a constraint or an index makes the key unique, and whether one of its columns can hold a null."""
    inspector = inspect(connection)
    unique = any(set(columns) <= set(key) for columns in _unique(inspector, table, schema))
    columns = {each["name"]: each for each in inspector.get_columns(table, schema=schema)}
    return unique, any(name in columns and columns[name]["nullable"] for name in key)


def _unique(inspector: Inspector, table: str, schema: str | None) -> Iterator[Sequence[str]]:
    """The columns of each primary key, unique constraint and unique index; none for an index over some rows, or over an
    expression."""
    primary = inspector.get_pk_constraint(table, schema=schema)["constrained_columns"]
    if primary:
        yield primary
    for constraint in inspector.get_unique_constraints(table, schema=schema):
        yield constraint["column_names"]
    for index in inspector.get_indexes(table, schema=schema):
        names = [name for name in index["column_names"] if name is not None]
        is_partial = any(name.endswith("_where") for name in index.get("dialect_options", {}))
        if index["unique"] and not is_partial and len(names) == len(index["column_names"]):
            yield names
