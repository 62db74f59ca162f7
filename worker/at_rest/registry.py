"""What stands at which version: a table of ours in the same database, written in the same transaction.

It lets a migration that was cut off go on, and tells ``upcast db validate`` what to look at.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, MetaData, String, Table, Text, delete, insert, inspect, select

NAME = "upcast_columns"

_columns = Table(
    NAME,
    MetaData(),
    Column("table_name", String(200), primary_key=True),
    Column("column_name", String(200), primary_key=True),
    Column("event_type", String(200), primary_key=True),
    Column("chain", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("since", Text, nullable=True),
    Column("version_column", Text, nullable=False),
    Column("row_condition", Text, nullable=False),
    Column("done_up_to", Text, nullable=True),
    Column("changed", Text, nullable=False),
)


@dataclass(frozen=True)
class Place:
    """A column of documents of one type."""

    table: str
    column: str
    event_type: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


@dataclass(frozen=True)
class Entry:
    """``version`` is what the column was brought to, ``since`` what it was at before, None where nobody knows.

    ``done_up_to`` is the key of the last row that is done where a migration in several transactions is under way, None
    when it has ended. ``version_column`` and ``condition`` are as the migration gave them, or empty.
    """

    place: Place
    chain: str
    version: str
    since: str | None = None
    version_column: str = ""
    condition: str = ""
    done_up_to: tuple[Any, ...] | None = None

    @property
    def finished(self) -> bool:
        return self.done_up_to is None

    @property
    def settled(self) -> str | None:
        """The version that every document was at when the last migration had ended."""
        return self.version if self.finished else self.since


def entries(connection: Connection) -> list[Entry]:
    """All of them, by place; none where there is no such table."""
    if not inspect(connection).has_table(NAME):
        return []
    rows = connection.execute(select(_columns).order_by(*_columns.primary_key)).mappings()
    return [
        Entry(
            Place(row["table_name"], row["column_name"], row["event_type"]),
            row["chain"],
            row["version"],
            row["since"],
            row["version_column"],
            row["row_condition"],
            None if row["done_up_to"] is None else tuple(json.loads(row["done_up_to"])),
        )
        for row in rows
    ]


def entry(connection: Connection, place: Place) -> Entry | None:
    """What is known of one column."""
    return next((each for each in entries(connection) if each.place == place), None)


def note(connection: Connection, given: Entry) -> None:
    """Write an entry down, in place of what stood there."""
    _columns.create(connection, checkfirst=True)
    place = given.place
    columns = _columns.c
    connection.execute(
        delete(_columns).where(
            columns.table_name == place.table,
            columns.column_name == place.column,
            columns.event_type == place.event_type,
        )
    )
    connection.execute(
        insert(_columns).values(
            table_name=place.table,
            column_name=place.column,
            event_type=place.event_type,
            chain=given.chain,
            version=given.version,
            since=given.since,
            version_column=given.version_column,
            row_condition=given.condition,
            done_up_to=None if given.done_up_to is None else _key(given.done_up_to),
            changed=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    )


def _key(values: Sequence[Any]) -> str:
    return json.dumps(list(values), default=str)
