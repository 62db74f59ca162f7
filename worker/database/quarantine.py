"""The quarantine: a table beside the documents' own, with copies of the rows that failed, and why."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Table,
    Text,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)

from upcasters import Fault
from worker.database import registry
from worker.database.registry import DocumentSet
from worker.database.rows import Row


def name_of(place: DocumentSet) -> str:
    return f"{place.table}_{place.column}_set_aside"


def begin(connection: Connection, place: DocumentSet) -> None:
    """An empty table: what was in it is tried again."""
    table = _table(place)
    table.create(connection, checkfirst=True)
    _renew(connection, place)
    connection.execute(delete(table).where(_is_of(table, place)))


def put(connection: Connection, place: DocumentSet, failed: Iterable[tuple[Row, Fault]]) -> None:
    """The rows stay where they are; a copy of each document is kept with its reason."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rows: list[dict[str, Any]] = [
        {
            "row_key": json.dumps(row.key, default=str),
            "event_type": place.event_type,
            "schema_name": place.schema,
            "row_condition": place.condition,
            "document": None if row.document is None else row.document.decode(errors="backslashreplace"),
            "stage": fault.stage,
            "error_type": fault.error_type,
            "message": fault.message,
            "path": fault.path,
            "step": fault.step,
            "fingerprint": fault.fingerprint,
            "set_aside": now,
        }
        for row, fault in failed
    ]
    connection.execute(insert(_table(place)), rows)


def count(connection: Connection, place: DocumentSet) -> int:
    if not inspect(connection).has_table(name_of(place)):
        return 0
    table = _table(place)
    is_theirs = _is_of(table, place) if _is_current(connection, place) else table.c.event_type == place.event_type
    return connection.execute(select(func.count()).select_from(table).where(is_theirs)).scalar_one()


def _renew(connection: Connection, place: DocumentSet) -> None:
    """The table of an earlier release held the rows of the last migration of a type, and did not say of which."""
    if _is_current(connection, place):
        return
    name = connection.dialect.identifier_preparer.quote(name_of(place))
    for column in ("schema_name", "row_condition"):
        connection.execute(text(f"ALTER TABLE {name} ADD COLUMN {column} TEXT NOT NULL DEFAULT ''"))
    table = _table(place)
    for each in registry.entries(connection):
        if name_of(each.place) == name_of(place):
            said = {"schema_name": each.place.schema, "row_condition": each.place.condition}
            connection.execute(update(table).where(table.c.event_type == each.place.event_type).values(said))


def _is_current(connection: Connection, place: DocumentSet) -> bool:
    return "schema_name" in {each["name"] for each in inspect(connection).get_columns(name_of(place))}


def _is_of(table: Table, place: DocumentSet) -> ColumnElement[bool]:
    mine = (table.c.event_type == place.event_type) & (table.c.schema_name == place.schema)
    return mine & (table.c.row_condition == place.condition) if place.condition else mine


def _table(place: DocumentSet) -> Table:
    return Table(
        name_of(place),
        MetaData(),
        Column("row_key", Text, nullable=False),
        *(
            Column(name, Text, nullable=name == "document")
            for name in (
                "event_type",
                "schema_name",
                "row_condition",
                "document",
                "stage",
                "error_type",
                "message",
                "path",
                "step",
                "fingerprint",
                "set_aside",
            )
        ),
    )
