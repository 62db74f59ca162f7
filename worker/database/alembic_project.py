"""A user's database and its migrations, by Alembic's own configuration."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from worker.errors import MAY_PASS, WorkerError

DEFAULT = Path("alembic.ini")


@dataclass(frozen=True)
class Database:
    """Where it is, at which revision, and which one is the newest. ``heads`` are several where the history forks."""

    config: Config
    url: URL
    revision: str | None
    heads: tuple[str, ...]

    @property
    def name(self) -> str:
        """For people: never with a password."""
        return str(self.url.database) if self.is_sqlite else self.url.render_as_string(hide_password=True)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def at_head(self) -> bool:
        return self.heads == (self.revision,)


def find_database(file: Path, attributes: dict[str, Any] | None = None) -> Database:
    """Ask ``alembic.ini`` and its ``env.py``, however that finds its database. Raises WorkerError."""
    if not file.is_file():
        raise WorkerError(
            f"{file}: there is no such file: name your Alembic configuration with --alembic FILE", code="UPC1901"
        )
    config = Config(str(file))
    config.attributes.update(attributes or {})
    found: dict[str, Any] = {}

    def look(revision: Any, context: Any) -> list[Any]:
        found["url"] = context.connection.engine.url
        found["revision"] = ",".join(revision) or None if isinstance(revision, tuple) else revision
        return []

    with explained(str(file)), _quiet():
        scripts = ScriptDirectory.from_config(config)
        with EnvironmentContext(config, scripts, fn=look):
            scripts.run_env()
    if "url" not in found:
        raise WorkerError(
            f"{file}: its env.py runs no migrations online, so the database cannot be found", code="UPC1901"
        )
    return Database(config, found["url"], found["revision"], tuple(scripts.get_heads()))


@contextmanager
def _quiet() -> Iterator[None]:
    """Alembic announces each time how it will work; here nothing is done yet."""
    logger = logging.getLogger("alembic.runtime.migration")
    logger.addFilter(_nothing)
    try:
        yield
    finally:
        logger.removeFilter(_nothing)


def _nothing(_line: logging.LogRecord) -> bool:
    return False


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Alembic's and the database's errors as one of ours: the cause in a line, never a statement or its values."""
    try:
        yield
    except CommandError as error:
        raise WorkerError(str(error), code=getattr(error, "code", "UPC1901")) from error
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None)
        kind = type(cause or error).__name__
        first = str(cause or kind).strip().splitlines()[0]
        raise WorkerError(f"{place}: the database failed ({kind}: {first})", MAY_PASS, code="UPC1902") from error


@contextmanager
def reading(url: URL) -> Iterator[Connection]:
    """A connection that reads one state of the database, and text that is no UTF-8 too."""
    engine = open_engine(url)
    if url.get_backend_name() == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def open_engine(url: URL) -> Engine:
    engine = create_engine(url, poolclass=NullPool)
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _any_text)
        event.listen(engine, "begin", _one_state)
    return engine


def _any_text(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")


def _one_state(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
