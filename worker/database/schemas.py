"""What the database says of its tables: their schemas (PostgreSQL's namespaces; SQLite has one) and keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Inspector, inspect, text

USUAL = "public"
"""Tables of this one are told without their schema."""

_SYSTEM = "information_schema"


def names(connection: Connection) -> list[str | None]:
    """Every schema with tables of somebody's; None stands for the only one."""
    if connection.dialect.name != "postgresql":
        return [None]
    return [name for name in sorted(inspect(connection).get_schema_names()) if name != _SYSTEM]


def of_table(connection: Connection, table: str, schema: str | None) -> str:
    """The schema that a table is in, by its search path where none is given; empty where there is only one."""
    if connection.dialect.name != "postgresql":
        return "" if schema in {None, "main"} else str(schema)
    if schema is not None:
        return schema
    preparer = connection.dialect.identifier_preparer
    found = connection.execute(
        text(
            "SELECT nspname FROM pg_namespace "
            "WHERE oid = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass(:name))"
        ),
        {"name": preparer.quote_identifier(table)},
    ).scalar()
    return str(found or "")


def qualified(schema: str | None, table: str) -> str:
    """A table's name for people."""
    return f"{schema}.{table}" if schema and schema != USUAL else table


def key_facts(connection: Connection, table: str, schema: str | None, key: Sequence[str]) -> tuple[bool, bool]:
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
