"""Schemas: PostgreSQL's, as namespaces of tables. SQLite has one."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

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
