"""Databases for tests, SQLite and PostgreSQL alike, and migrations that run in them without a folder of scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, NullPool, create_engine, make_url, text

T = TypeVar("T")


class TestDatabase:
    """``kind`` is what documents are stored as: JSON, JSONB or TEXT."""

    __test__ = False

    def __init__(self, url: str, kind: str) -> None:
        parsed = make_url(url)
        self.url = url
        self.kind = kind
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        driver = parsed.drivername if self.is_sqlite else "postgresql+psycopg"
        self._engine = create_engine(parsed.set(drivername=driver), poolclass=NullPool)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            yield connection

    def run(self, *statements: str) -> None:
        with self._engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def add(self, documents: Sequence[str | bytes | None], table: str = "contexts") -> None:
        """Rows with ids from 1 on."""
        cast = "" if self.is_sqlite else f"::{self.kind.lower()}"
        with self._engine.begin() as connection:
            for number, document in enumerate(documents, start=1):
                connection.execute(
                    text(f"INSERT INTO {table} (id, document) VALUES (:id, (:document){cast})"),
                    {"id": number, "document": document},
                )

    def documents(self, table: str = "contexts") -> list[Any]:
        """As they are stored, by id."""
        column = "document" if self.is_sqlite else "document::text"
        return [row[0] for row in self.rows(f"SELECT {column} FROM {table} ORDER BY id")]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    def migrate(self, migration: Callable[[Operations], T], **options: Any) -> T:
        """One migration in its own transaction, as `alembic upgrade` runs it."""
        with self._engine.connect() as connection:
            context = MigrationContext.configure(connection, **options)
            with context.begin_transaction(_per_migration=self.is_sqlite), Operations.context(context) as op:
                return migration(op)
