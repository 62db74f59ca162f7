"""The registry of column versions: a table in the same database, written in the same transaction.

It lets a migration that was cut off go on, and tells ``upcast db validate`` what to look at."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    column,
    delete,
    false,
    insert,
    inspect,
    select,
    table,
)

from worker.database import schemas
from worker.database.failures import AtRestError
from worker.database.rows import Storage

NAME = "upcast_columns"

FORMAT = 2
"""Entries of format 1 were known by table, column and event type alone: rows of several conditions, or tables of one
name in several schemas, shared one."""

_columns = Table(
    NAME,
    MetaData(),
    Column("schema_name", String(200), primary_key=True),
    Column("table_name", String(200), primary_key=True),
    Column("column_name", String(200), primary_key=True),
    Column("event_type", String(200), primary_key=True),
    Column("row_condition", Text, primary_key=True),
    Column("chain", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("since", Text, nullable=True),
    Column("version_column", Text, nullable=False),
    Column("done_up_to", Text, nullable=True),
    Column("also", Text, nullable=False),
    Column("format", Integer, nullable=False),
    Column("encoding", Text, nullable=False),
    Column("changed", Text, nullable=False),
)


@dataclass(frozen=True)
class DocumentSet:
    """A column's documents of one type: all of them, or those in the rows that ``condition`` picks.

    ``schema`` is the table's own where the database has several, else empty.
    """

    table: str
    column: str
    event_type: str
    schema: str = ""
    condition: str = ""

    def __str__(self) -> str:
        return f"{schemas.qualified(self.schema, self.table)}.{self.column}"

    @property
    def whole(self) -> DocumentSet:
        """The same documents, whatever the condition."""
        return replace(self, condition="")


@dataclass(frozen=True)
class Entry:
    """``version`` is what the column was brought to, ``since`` what it was at before, None where nobody knows.

    ``done_up_to`` is the key of the last row that is done where a migration in several transactions is under way, None
    when it has ended. ``version_column`` is as the migration gave it, or empty. ``also`` names columns of the table,
    and other tables, that change with the documents. ``encoding`` is how these are written.
    """

    place: DocumentSet
    chain: str
    version: str
    since: str | None = None
    version_column: str = ""
    done_up_to: tuple[Any, ...] | None = None
    also: tuple[str, ...] = ()
    format: int = FORMAT
    encoding: str = "json"

    @property
    def finished(self) -> bool:
        return self.done_up_to is None

    @property
    def settled(self) -> str | None:
        """The version that every document was at when the last migration had ended."""
        return self.version if self.finished else self.since


def all_entries(connection: Connection) -> list[Entry]:
    """Those of every schema's registry: a migration for each tenant may have written into the tenant's own."""
    found = [schema for schema in schemas.names(connection) if inspect(connection).has_table(NAME, schema=schema)]
    return sorted(
        (entry for schema in found for entry in _read(connection, schema)),
        key=lambda entry: (str(entry.place), entry.place.event_type, entry.place.condition),
    )


def entries(connection: Connection) -> list[Entry]:
    """What the registry of the migration at work knows; none where there is no such table."""
    if not inspect(connection).has_table(NAME):
        return []
    return _read(connection, schemas.of_table(connection, NAME, None) or None)


def note(connection: Connection, given: Entry) -> None:
    """Write an entry down, in place of what stood there. An entry for all rows takes the place of those for some."""
    if inspect(connection).has_table(NAME) and not _is_current(connection, None):
        _renew(connection)
    _columns.create(connection, checkfirst=True)
    place = given.place
    known = _columns.c
    replaced = delete(_columns).where(
        known.schema_name == place.schema,
        known.table_name == place.table,
        known.column_name == place.column,
        known.event_type == place.event_type,
    )
    connection.execute(replaced.where(known.row_condition == place.condition) if place.condition else replaced)
    _insert(connection, [given])


def _renew(connection: Connection) -> None:
    """Make the table of an earlier release anew. The statement in front begins SQLite's transaction."""
    connection.execute(delete(_columns).where(false()))
    kept = entries(connection)
    _columns.drop(connection)
    _columns.create(connection)
    _insert(connection, kept)


def _insert(connection: Connection, given: Iterable[Entry]) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for entry in given:
        connection.execute(
            insert(_columns).values(
                schema_name=entry.place.schema,
                table_name=entry.place.table,
                column_name=entry.place.column,
                event_type=entry.place.event_type,
                row_condition=entry.place.condition,
                chain=entry.chain,
                version=entry.version,
                since=entry.since,
                version_column=entry.version_column,
                done_up_to=None if entry.done_up_to is None else _key(entry.done_up_to),
                also=json.dumps(entry.also),
                format=entry.format,
                encoding=entry.encoding,
                changed=now,
            )
        )


def _is_current(connection: Connection, schema: str | None) -> bool:
    return _names(connection, schema) >= {each.name for each in _columns.c}


def _names(connection: Connection, schema: str | None) -> set[str]:
    return {each["name"] for each in inspect(connection).get_columns(NAME, schema=schema)}


def _read(connection: Connection, schema: str | None) -> list[Entry]:
    """The entries of the registry in one schema."""
    there = _names(connection, schema)
    known = table(NAME, *(column(each.name) for each in _columns.c if each.name in there), schema=schema)
    rows = connection.execute(select(known)).mappings()
    if "schema_name" in there:
        return [_entry(row, row["schema_name"], tuple(json.loads(row["also"])), row["format"]) for row in rows]
    return [_entry(row, _schema_of(connection, row["table_name"], schema), (), 1) for row in list(rows)]


def _schema_of(connection: Connection, name: str, schema: str | None) -> str:
    """Where the table of an entry is that does not say so: beside the registry, or the one schema that has it."""
    if schema is None or inspect(connection).has_table(name, schema=schema):
        return schema or ""
    having = [each for each in schemas.names(connection) if inspect(connection).has_table(name, schema=each)]
    return (having[0] or schema) if len(having) == 1 else schema


def _entry(row: RowMapping, schema: str, also: tuple[str, ...], written_as: int) -> Entry:
    done = row["done_up_to"]
    return Entry(
        DocumentSet(row["table_name"], row["column_name"], row["event_type"], schema, row["row_condition"]),
        row["chain"],
        row["version"],
        row["since"],
        row["version_column"],
        None if done is None else tuple(json.loads(done)),
        also,
        written_as,
        row.get("encoding", "json"),
    )


def _key(values: Sequence[Any]) -> str:
    return json.dumps(list(values), default=str)


def settled_version(connection: Connection, storage: Storage, place: DocumentSet, found: Sequence[Entry]) -> str | None:
    """The version that every row of the place is at; None where nobody has noted it.

    What is noted for the same condition holds, then what is noted for all rows. Raises AtRestError where rows of the
    place are also those of another condition, and that one is at another version.
    """
    here = [entry for entry in found if _is_about(entry, place)]
    same = next((entry for entry in here if entry.place == place), None)
    if same and place.condition:
        return same.settled
    rest = next((entry for entry in here if entry.place == place.whole), None)
    version = rest.settled if rest else None
    for entry in here:
        if entry.settled != version and entry is not rest and _shares(connection, storage, entry):
            others = f"rows where {entry.place.condition}" if entry.place.condition else "rows"
            raise AtRestError(
                f"{place}: upcast_columns knows {others} of {entry.place} at {entry.settled}, and that may be some of "
                f"these, of which it knows {version or 'no version'}: look at which version they are, "
                'and name it: since="…"',
                code="UPC1914",
            )
    return version


def _is_about(entry: Entry, place: DocumentSet) -> bool:
    """An entry of an earlier release may be about the table of that name in any schema."""
    theirs = replace(entry.place.whole, schema=place.schema) if entry.format < FORMAT else entry.place.whole
    return theirs == place.whole


def _shares(connection: Connection, storage: Storage, entry: Entry) -> bool:
    """An entry of an earlier release may be about any of the table's rows."""
    return entry.format < FORMAT or storage.shares(connection, entry.place.condition)
