"""Opens a ledger: connects to its database, creates it where there is none, and migrates its tables."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from worker.errors import WorkerError
from worker.extras import pip_install
from worker.ledger.faults import explained
from worker.ledger.sql import SqlLedger

BUSY_SECONDS = 5.0
"""How long SQLite waits for another process that writes."""
LOCK = 0x75706361
"""PostgreSQL's advisory lock of ours, for the length of a migration."""


def open_ledger(url: str) -> SqlLedger:
    """``sqlite:///FILE`` or ``postgresql://USER@HOST/DATABASE``. Raises WorkerError in one line where that fails."""
    target = _parsed(url)
    place = target.database if _is_sqlite(target) else target.render_as_string(hide_password=True)
    engine = _engine(target)
    try:
        _migrate(engine, str(place))
    except SQLAlchemyError as error:
        engine.dispose()
        raise explained(error, str(place)) from error
    except WorkerError:
        engine.dispose()
        raise
    return SqlLedger(engine, str(place))


def _parsed(url: str) -> URL:
    try:
        target = make_url(url)
    except ArgumentError:
        raise WorkerError("ledger: ledger.url is no URL of a database: write sqlite:///FILE", code="UPC1501") from None
    if not target.database or target.database == ":memory:":
        raise WorkerError("ledger: ledger.url names no database: write sqlite:///FILE", code="UPC1501")
    if _is_sqlite(target):
        _check_folder(Path(target.database))
    return target.set(drivername="postgresql+psycopg") if target.drivername == "postgresql" else target


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _check_folder(file: Path) -> None:
    if not str(file).startswith("file:") and not file.parent.is_dir():
        raise WorkerError(f"ledger: {file.parent} is not a folder: create it, or set ledger.url", code="UPC1501")


def _engine(url: URL) -> Engine:
    try:
        if not _is_sqlite(url):
            return create_engine(url, pool_pre_ping=True)
        engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS})
    except (ImportError, NoSuchModuleError):
        raise WorkerError(
            f"ledger: the driver for {url.get_backend_name()} is not installed: {pip_install('postgresql')}",
            code="UPC1006",
        ) from None
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_at_once)
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    """Begin transactions explicitly: Python's driver begins them late, and not at all for DDL."""
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_at_once(connection: Connection) -> None:
    """Takes the lock first, so that what a transaction has read stays true until it writes."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _migrate(engine: Engine, place: str) -> None:
    """One process at a time; nothing is done where the tables are of today."""
    config = Config()
    config.set_main_option("script_location", str(files("worker.ledger") / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        found = MigrationContext.configure(connection).get_current_revision()
        if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
            raise WorkerError(
                f"ledger: {place} was written by a newer worker (its version is {found}): use that worker, "
                "or set ledger.url",
                code="UPC1504",
            )
        if found != scripts.get_current_head():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
