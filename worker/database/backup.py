"""Makes, checks and restores backups, each with a manifest, whatever the database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Connection, MetaData, Table, inspect
from sqlalchemy.exc import SQLAlchemyError

from worker.database import quarantine, registry, schemas
from worker.database.alembic_project import Database, explained, open_engine, reading
from worker.database.digest import NOT_DATA, TableDigest, digests, rows_of_all
from worker.database.dumps import Dumps, PostgresqlDumps, SqliteDumps
from worker.errors import WorkerError
from worker.progress import OnProgress

MANIFEST = ".json"

_Place = tuple[str | None, str]
"""A schema and a table."""


class Backup(BaseModel):
    """What a manifest says. ``sha256`` is of the backup file; ``tables`` were read out of the restored backup."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    file: Path
    made: str
    worker_version: str
    database: str
    kind: Literal["sqlite", "postgresql"]
    revision: str | None
    sha256: str
    bytes: int
    checked: bool
    tables: dict[str, TableDigest]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())


def make_backup(database: Database, folder: Path, show: OnProgress, *, check: bool = True) -> Backup:
    """Write a backup into a folder. ``check`` restores it and compares it with the database. Raises WorkerError."""
    means = _means(database)
    _refuse_missing(database)
    now = datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    name = Path(str(database.url.database)).stem
    file = folder / f"{name}-{now:%Y%m%dT%H%M%SZ}{means.suffix}"
    if file.exists():
        raise WorkerError(f"{file} exists already: wait a second and try again", code="UPC1903")
    with explained(database.name):
        means.dump(database.url, file, show)
        tables = _checked_tables(database, file, show) if check else {}
    made = Backup(
        file=file,
        made=now.isoformat(timespec="seconds"),
        worker_version=metadata.version("upcast-worker"),
        database=database.name,
        kind="sqlite" if database.is_sqlite else "postgresql",
        revision=database.revision,
        sha256=_sha256(file),
        bytes=file.stat().st_size,
        checked=check,
        tables=tables,
    )
    manifest = made.model_dump_json(indent=2, exclude={"file"})
    _manifest_of(file).write_text(manifest + "\n", encoding="utf-8")
    return made


def _checked_tables(database: Database, file: Path, show: OnProgress) -> dict[str, TableDigest]:
    with reading(database.url) as connection:
        total = rows_of_all(connection)
        live = digests(connection, lambda rows: show(rows, total))
    with _means(database).restored(database.url, file) as copy, reading(copy) as connection:
        copied = digests(connection)
    if live != copied:
        name = next(name for name in {**live, **copied} if live.get(name) != copied.get(name))
        raise WorkerError(
            f"{file}: the backup is not what the database holds now (table {name}): stop what writes to it, "
            "then make the backup again",
            code="UPC1904",
        )
    return copied


def read_backup(file: Path) -> Backup:
    """The backup with its manifest, its bytes untouched since. Raises WorkerError."""
    manifest = _manifest_of(file)
    try:
        content = manifest.read_text(encoding="utf-8")
    except OSError as error:
        raise WorkerError(
            f"{manifest} cannot be read ({error.strerror}): it belongs beside the backup", code="UPC1905"
        ) from error
    try:
        read = Backup.model_validate({**json.loads(content), "file": file})
    except (ValidationError, ValueError, TypeError) as error:
        raise WorkerError(
            f"{manifest} is not the manifest of a backup by this command: choose another backup", code="UPC1905"
        ) from error
    if not file.is_file():
        raise WorkerError(f"{file}: there is no such file", code="UPC1905")
    if _sha256(file) != read.sha256:
        raise WorkerError(
            f"{file} has changed since it was made: its SHA-256 is not the manifest's; choose another backup",
            code="UPC1906",
        )
    return read


def check_backup(backup: Backup, database: Database) -> None:
    """Raise WorkerError where the backup is of another kind of database."""
    kind = "sqlite" if database.is_sqlite else "postgresql"
    if backup.kind != kind:
        raise WorkerError(f"{backup.file} is a backup of {backup.kind}, and {database.name} is {kind}", code="UPC1907")


@contextmanager
def restored(backup: Backup, database: Database) -> Iterator[Connection]:
    """The backup's content, open for reading, beside the database."""
    check_backup(backup, database)
    with _means(database).restored(database.url, backup.file) as copy, reading(copy) as connection:
        yield connection


def restore_backup(backup: Backup, database: Database, show: OnProgress) -> None:
    """Make the database what the backup holds, and see that it is. Raises WorkerError."""
    check_backup(backup, database)
    with explained(database.name):
        before = set() if database.is_sqlite else _ours(database)
        _means(database).restore(database.url, backup.file, show)
        _drop_newer(database, backup, before)
        with reading(database.url) as connection:
            found = digests(connection)
    wrong = [name for name, table in backup.tables.items() if found.get(name) != table]
    if wrong:
        raise WorkerError(
            f"{database.name}: table {wrong[0]} is not what the backup holds: does something write to it?",
            code="UPC1904",
        )


def _ours(database: Database) -> set[_Place]:
    """Tables that our migrations have made; a backup from before them does not know them."""
    with reading(database.url) as connection:
        names = {registry.NAME} | {quarantine.name_of(entry.place) for entry in registry.all_entries(connection)}
        return {place for place in _tables(connection) if place[1] in names}


def _tables(connection: Connection) -> set[_Place]:
    inspector = inspect(connection)
    return {(schema, name) for schema in schemas.names(connection) for name in inspector.get_table_names(schema=schema)}


def _drop_newer(database: Database, backup: Backup, ours: set[_Place]) -> None:
    """What is not of the backup and is about migrations goes; all else that it does not know is somebody's data."""
    if not ours:
        return
    with restored(backup, database) as connection:
        known = _tables(connection)
    engine = open_engine(database.url)
    with engine.begin() as connection:
        for schema, name in sorted(ours - known, key=str):
            Table(name, MetaData(), schema=schema).drop(connection, checkfirst=True)
    engine.dispose()


def _refuse_missing(database: Database) -> None:
    try:
        with reading(database.url) as connection:
            names = {name for _, name in _tables(connection)}
    except SQLAlchemyError:
        names = set()
    if not names - NOT_DATA:
        raise WorkerError(f"{database.name} holds no tables: there is nothing to back up", code="UPC1907")


def _means(database: Database) -> Dumps:
    backend = database.url.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise WorkerError(
            f"{backend} databases cannot be backed up here: use their own tools, then `upcast db upgrade`",
            code="UPC1907",
        )
    return SqliteDumps() if backend == "sqlite" else PostgresqlDumps()


def _manifest_of(file: Path) -> Path:
    return file.with_name(file.name + MANIFEST)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
