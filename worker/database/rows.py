"""A table's rows, batch by batch in the order of their key: read as they are stored, written back in place.

Documents are bytes here, never parsed by a driver, so that no digit is lost on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnClause,
    Connection,
    Label,
    LargeBinary,
    Select,
    TableClause,
    Text,
    bindparam,
    case,
    cast,
    column,
    func,
    inspect,
    literal,
    or_,
    select,
    table,
    text,
    tuple_,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.exc import DBAPIError

from upcasters import Fault
from worker.database.document_upcaster import Changed
from worker.database.failures import AtRestError
from worker.database.schemas import key_facts

BATCH_ROWS = 1_000
BATCH_BYTES = 4 * 1024 * 1024
READ_AHEAD = 20
"""Rows that a server's cursor brings at once."""

SQLITE_KEY = "rowid"
UNKNOWN = -1
"""What a driver says that does not count the rows of many statements: asyncpg."""
_DOCUMENTS = {"JSON": JSON, "JSONB": JSONB}
BINARY = "BYTEA"


class Row(NamedTuple):
    """One row. ``document`` is None for a null; ``kind`` is how SQLite has stored it (``text``, ``blob``, …)."""

    key: tuple[Any, ...]
    document: bytes | None
    kind: str
    version: str | int | None
    picked: tuple[bool, ...] = ()
    """Which of the storage's ``marks`` pick it."""


@dataclass(frozen=True)
class Storage:
    """A column of documents, by the names of its table, of its key's columns and, if there is one, of the column that
    holds each document's version. ``condition`` is SQL that picks rows; ``marks`` is SQL of which each row says
    whether it picks it, too."""

    table: str
    column: str
    key: tuple[str, ...]
    kind: str
    version_column: str | None = None
    condition: str | None = None
    schema: str | None = None
    marks: tuple[str, ...] = ()

    @cached_property
    def _table(self) -> TableClause:
        names = dict.fromkeys((*self.key, self.column, *([self.version_column] if self.version_column else [])))
        return table(self.table, *map(column, names), schema=self.schema)

    @property
    def _key(self) -> list[ColumnClause[Any]]:
        return [self._table.c[name] for name in self.key]

    def count(self, connection: Connection) -> int:
        """How many rows there are to go through."""
        counted = self._chosen(select(func.count()).select_from(self._table))
        found: int = connection.execute(counted).scalar_one()
        return found

    def shares(self, connection: Connection, condition: str) -> bool:
        """Whether the rows that are picked here and those of another condition have one in common; so it is said, too,
        where the database does not understand that condition any more."""
        try:
            return self._one_of(connection, condition)
        except DBAPIError:
            return True

    def understands(self, connection: Connection, condition: str) -> bool:
        """Whether the condition can be asked of the table as it is now."""
        try:
            self._one_of(connection, condition)
        except DBAPIError:
            return False
        return True

    def _one_of(self, connection: Connection, condition: str) -> bool:
        query = self._chosen(select(literal(1)).select_from(self._table)).limit(1)
        if condition:
            query = query.where(text(f"({condition})"))
        with _part(connection):
            return connection.execute(query).first() is not None

    def refuse_a_key_that_is_none(self, connection: Connection) -> None:
        """Raise AtRestError where the key does not tell every row of the table from every other one.

        The database's constraints are asked, and the rows where those do not say it.
        """
        if self.key == (SQLITE_KEY,):
            return
        unique, nullable = key_facts(connection, self.table, self.schema, self.key)
        names = ", ".join(self.key)
        if nullable and self._has(connection, select(literal(1)).where(or_(*(part.is_(None) for part in self._key)))):
            raise AtRestError(
                f"{self.table}.{self.column}: ({names}) is null in some rows. Name a unique key: key=[…]",
                code="UPC1910",
            )
        doubles = select(literal(1)).group_by(*self._key).having(func.count() > 1)
        if not unique and self._has(connection, doubles):
            raise AtRestError(
                f"{self.table}.{self.column}: ({names}) is the same in several rows. Name a unique key: key=[…]",
                code="UPC1910",
            )

    def _has(self, connection: Connection, query: Select[Any]) -> bool:
        return connection.execute(query.select_from(self._table).limit(1)).first() is not None

    def lock(self, connection: Connection) -> None:
        """Keep other sessions from writing to the table until the transaction ends. SQLite has one writer anyway."""
        if connection.dialect.name == "postgresql":
            name = connection.dialect.identifier_preparer.format_table(self._table)
            connection.execute(text(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE"))

    def batches(self, connection: Connection, after: tuple[Any, ...] | None, *, lock: bool) -> Iterator[list[Row]]:
        """All rows behind the key ``after``, in bounded batches. ``lock`` keeps other sessions from changing them."""
        while batch := self._batch(connection, after, lock):
            yield batch
            after = batch[-1].key

    def _batch(self, connection: Connection, after: tuple[Any, ...] | None, lock: bool) -> list[Row]:
        read = [*self._read(connection), *self._key, *self._marked()]
        query = self._chosen(select(*read)).order_by(*self._key).limit(BATCH_ROWS)
        if after is not None:
            given = [literal(value) for value in after]
            query = query.where(tuple_(*self._key) > tuple_(*given) if len(after) > 1 else self._key[0] > given[0])
        if lock:
            query = query.with_for_update()
        size, batch = 0, list[Row]()
        # A cursor that is not read to its end: a batch of large documents is cut by its bytes.
        found = connection.execute(query, execution_options={"stream_results": True, "max_row_buffer": READ_AHEAD})
        for part in found.partitions(READ_AHEAD):
            batch += [_row(len(self.key), *row) for row in part]
            size += sum(len(row.document or b"") for row in batch[-len(part) :])
            if size >= BATCH_BYTES:
                break
        found.close()
        return batch

    def _marked(self) -> list[Label[Any]]:
        return [
            case((text(f"({mark})"), 1), else_=0).label(f"mark_{place}") if mark else literal(1).label(f"mark_{place}")
            for place, mark in enumerate(self.marks)
        ]

    def _read(self, connection: Connection) -> list[Label[Any]]:
        document = self._table.c[self.column]
        version: Any = self._table.c[self.version_column] if self.version_column else literal(None)
        stored: tuple[Any, Any] = cast(document, Text), literal("text")
        if self.kind == BINARY:
            stored = document, literal("blob")
        if connection.dialect.name == "sqlite":
            stored = type_coerce(cast(document, LargeBinary), LargeBinary), func.typeof(document)
        return [stored[0].label("document"), stored[1].label("kind"), version.label("version")]

    def _chosen(self, query: Select[Any]) -> Select[Any]:
        return query.where(text(f"({self.condition})")) if self.condition else query

    def write(self, connection: Connection, changes: Sequence[tuple[Row, Changed]]) -> Mapping[tuple[Any, ...], Fault]:
        """Write new documents, and give back what the database refuses: key and why."""
        try:
            with _part(connection):
                self._write(connection, changes)
        except DBAPIError as error:
            if len(changes) == 1:
                name = type(error.orig).__name__
                return {changes[0][0].key: Fault("produce", name, "the database refuses the new document")}
            return {key: why for change in changes for key, why in self.write(connection, [change]).items()}
        return {}

    def _write(self, connection: Connection, changes: Sequence[tuple[Row, Changed]]) -> None:
        new: Any = bindparam("new_document")
        values = {self.column: cast(new, _DOCUMENTS[self.kind]) if self.kind in _DOCUMENTS else new}
        if self.version_column:
            values[self.version_column] = bindparam("new_version")
        statement = update(self._table).values(values)
        for place, part in enumerate(self._key):
            statement = statement.where(part == bindparam(f"key_{place}"))
        parameters = [_parameters(row, changed) for row, changed in changes]
        if not self.version_column:
            for each in parameters:
                del each["new_version"]
        written = connection.execute(statement, parameters).rowcount
        if written not in {len(changes), UNKNOWN}:
            raise AtRestError(
                f"{self.table}.{self.column}: {len(changes)} rows were to change and {written} did: a trigger, a rule "
                "or a policy of the table keeps rows from being changed; switch it off in the migration",
                code="UPC1913",
            )


def _row(parts: int, document: bytes | str | None, kind: str, version: str | int | None, *rest: Any) -> Row:
    content = document.encode() if isinstance(document, str) else document
    return Row(rest[:parts], content, kind, version, tuple(map(bool, rest[parts:])))


def _parameters(row: Row, changed: Changed) -> dict[str, Any]:
    document: Any = changed.document if row.kind == "blob" else changed.document.decode()
    version = int(changed.version) if isinstance(row.version, int) else changed.version
    keys = {f"key_{place}": value for place, value in enumerate(row.key)}
    return {"new_document": document, "new_version": version, **keys}


def _part(connection: Connection) -> AbstractContextManager[object]:
    """PostgreSQL ends the whole transaction at an error, unless there is a savepoint. SQLite does not, and Python's
    driver for it would take a savepoint without a transaction around it for a transaction of its own."""
    return connection.begin_nested() if connection.dialect.name == "postgresql" else nullcontext()


def find_storage(
    connection: Connection,
    table_name: str,
    column_name: str,
    *,
    key: Sequence[str] | None = None,
    version_column: str | None = None,
    condition: str | None = None,
    schema: str | None = None,
    binary: bool = False,
) -> Storage:
    """Look the column and its table's key up in the database. Raises AtRestError where they do not fit."""
    inspector = inspect(connection)
    place = f"{table_name}.{column_name}"
    if not inspector.has_table(table_name, schema=schema):
        raise AtRestError(
            f"{place}: there is no table {table_name}: name one, or run this after the one that makes it",
            code="UPC1911",
        )
    columns = {each["name"]: each["type"] for each in inspector.get_columns(table_name, schema=schema)}
    wanted = [column_name, *([version_column] if version_column else []), *(key or [])]
    missing = [name for name in wanted if name not in columns and name != SQLITE_KEY]
    if missing:
        raise AtRestError(
            f"{place}: {table_name} has no column {missing[0]}: it has {', '.join(columns)}", code="UPC1911"
        )
    found = key or inspector.get_pk_constraint(table_name, schema=schema)["constrained_columns"]
    if not found and connection.dialect.name == "sqlite":
        found = [SQLITE_KEY]
    if not found:
        raise AtRestError(
            f"{place}: {table_name} has no primary key: name the columns of a unique one: key=[…]", code="UPC1910"
        )
    kind = _kind(connection, columns[column_name], place, binary=binary)
    return Storage(table_name, column_name, tuple(found), kind, version_column, condition, schema)


def _kind(connection: Connection, found: Any, place: str, *, binary: bool) -> str:
    name = str(found).split("(")[0].upper()
    if binary:
        if connection.dialect.name == "sqlite" or name == BINARY:
            return BINARY if connection.dialect.name == "postgresql" else "TEXT"
        raise AtRestError(f"{place} is {name}: documents in bytes stand in a column of {BINARY}", code="UPC1911")
    if connection.dialect.name == "sqlite" or name in {"JSON", "JSONB", "TEXT", "VARCHAR", "CHAR"}:
        return name if connection.dialect.name == "postgresql" else "TEXT"
    raise AtRestError(
        f"{place} is {name}: documents can stand in columns of JSON, JSONB, TEXT or VARCHAR", code="UPC1911"
    )
