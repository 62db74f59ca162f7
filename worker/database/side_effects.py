"""Finds triggers and generated columns through which an update of documents would change more, and refuses those that
the migration does not name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, inspect, text

from worker.database import schemas
from worker.database.failures import AtRestError
from worker.database.registry import DocumentSet

_UPDATE = 16
"""The bit in PostgreSQL's `tgtype` of triggers that run at an update."""
_ON_UPDATE = re.compile(r"\bupdate\b(\s+of\b.*?)?\s+on\b", re.IGNORECASE | re.DOTALL)


def refuse_unnamed(connection: Connection, place: DocumentSet, also: Sequence[str] | None) -> None:
    """Raise AtRestError where the table has triggers or generated columns and ``also`` does not say what they change,
    or names what is not there."""
    schema = place.schema or None
    columns = inspect(connection).get_columns(place.table, schema=schema)
    generated = [
        each["name"]
        for each in columns
        if "computed" in each and re.search(rf"\b{re.escape(place.column)}\b", str(each["computed"]["sqltext"]))
    ]
    _refuse_wrong_names(connection, place, also or (), [each["name"] for each in columns])
    unnamed = [f"the generated column {name}" for name in generated if name not in (also or ())]
    if also is None:
        unnamed += [f"the trigger {name}" for name in _triggers(connection, place)]
    if unnamed:
        raise AtRestError(
            f"{place}: {', '.join(unnamed)} may change more than the documents: name the columns of {place.table} and "
            'the tables that change with them, as also=["updated_at", "orders_audit"] (also=[] where nothing does), '
            "or switch triggers off in the migration. Nothing was changed",
            code="UPC1915",
        )


def _refuse_wrong_names(
    connection: Connection, place: DocumentSet, also: Iterable[str], columns: Sequence[str]
) -> None:
    for name in also:
        schema, _, table = name.rpartition(".")
        wanted = schema or place.schema or None
        if name not in columns and not inspect(connection).has_table(table, schema=wanted):
            raise AtRestError(
                f"{place}: also= names {name}, and that is no column of {place.table} and no table", code="UPC1915"
            )


def table_named(place: DocumentSet, name: str) -> str:
    """A table that ``also`` names, as people are told it: of the documents' own schema where it names none."""
    schema, _, table = name.rpartition(".")
    return schemas.qualified(schema or place.schema, table)


def _triggers(connection: Connection, place: DocumentSet) -> list[str]:
    if connection.dialect.name == "sqlite":
        query = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = lower(:name)")
        rows = connection.execute(query, {"name": place.table})
        return [name for name, sql in rows if _ON_UPDATE.search(sql)]
    query = text(
        "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
        "JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = :schema AND relname = :name "
        "AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & :update <> 0 ORDER BY tgname"
    )
    rows = connection.execute(query, {"schema": place.schema, "name": place.table, "update": _UPDATE})
    return list(rows.scalars())
