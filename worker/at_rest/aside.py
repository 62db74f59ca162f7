"""Rows that were put aside: a table beside the documents' own says which ones, and why."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, Text, delete, func, insert, inspect, select

from upcasters import Fault
from worker.at_rest.registry import Place
from worker.at_rest.rows import Row


def name_of(place: Place) -> str:
    return f"{place.table}_{place.column}_set_aside"


def begin(connection: Connection, place: Place) -> None:
    """An empty table: what was in it is tried again."""
    table = _table(place)
    table.create(connection, checkfirst=True)
    connection.execute(delete(table).where(table.c.event_type == place.event_type))


def put(connection: Connection, place: Place, failed: Iterable[tuple[Row, Fault]]) -> None:
    """The rows stay where they are; a copy of each document is kept with its reason."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rows: list[dict[str, Any]] = [
        {
            "row_key": json.dumps(row.key, default=str),
            "event_type": place.event_type,
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


def count(connection: Connection, place: Place) -> int:
    if not inspect(connection).has_table(name_of(place)):
        return 0
    table = _table(place)
    counted = select(func.count()).select_from(table).where(table.c.event_type == place.event_type)
    return connection.execute(counted).scalar_one()


def _table(place: Place) -> Table:
    return Table(
        name_of(place),
        MetaData(),
        Column("row_key", Text, nullable=False),
        *(
            Column(name, Text, nullable=name == "document")
            for name in (
                "event_type",
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
