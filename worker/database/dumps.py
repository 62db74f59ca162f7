"""Copies databases by their own means: SQLite's backup, and `pg_dump` and `pg_restore`."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import ClassVar, Protocol

from sqlalchemy import URL, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from worker.errors import WorkerError
from worker.progress import OnProgress

PAGES = 4_096
"""Of SQLite, copied at a time, between two looks at the progress bar."""


class Dumps(Protocol):
    """Raises WorkerError where a program is missing or does not do it."""

    suffix: ClassVar[str]

    def dump(self, url: URL, file: Path, show: OnProgress) -> None: ...

    def restored(self, url: URL, file: Path) -> AbstractContextManager[URL]:
        """A database beside the real one with what the file holds, for as long as it is looked at."""

    def restore(self, url: URL, file: Path, show: OnProgress) -> None: ...


class SqliteDumps:
    """A copy that is right even while others read and write."""

    suffix: ClassVar[str] = ".sqlite"

    def dump(self, url: URL, file: Path, show: OnProgress) -> None:
        _copy(_file(url), file, show)

    @contextmanager
    def restored(self, _url: URL, file: Path) -> Iterator[URL]:
        """The backup is a database already: it is opened where it is, and looked through."""
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchall()
        if found != [("ok",)]:
            raise WorkerError(f"{file} is damaged: SQLite finds {found[0][0]}", code="UPC1906")
        yield URL.create("sqlite", database=f"file:{file}", query={"mode": "ro", "uri": "true"})

    def restore(self, url: URL, file: Path, show: OnProgress) -> None:
        _copy(file, _file(url), show)


class PostgresqlDumps:
    """In PostgreSQL's custom format."""

    suffix: ClassVar[str] = ".dump"

    def dump(self, url: URL, file: Path, _show: OnProgress) -> None:
        _run("pg_dump", url, ["--format=custom", f"--file={file}"])

    @contextmanager
    def restored(self, url: URL, file: Path) -> Iterator[URL]:
        """A database beside the real one, for as long as it is looked at."""
        name = f"upcast_check_{uuid.uuid4().hex[:12]}"
        try:
            _administer(url, f"CREATE DATABASE {name}")
        except SQLAlchemyError as error:
            raise WorkerError(
                f"{file} cannot be checked: the user may not make a database to restore it into "
                "(grant CREATEDB, or take the risk with --unchecked)",
                code="UPC1908",
            ) from error
        try:
            copy = url.set(database=name)
            _run("pg_restore", copy, ["--exit-on-error", "--no-owner", str(file)])
            yield copy
        finally:
            _administer(url, f"DROP DATABASE {name} WITH (FORCE)")

    def restore(self, url: URL, file: Path, _show: OnProgress) -> None:
        """All or nothing. What the backup does not know stays; the caller looks after that."""
        _run("pg_restore", url, ["--clean", "--if-exists", "--no-owner", "--single-transaction", str(file)])


def _file(url: URL) -> Path:
    return Path(str(url.database))


def _copy(source: Path, target: Path, show: OnProgress) -> None:
    with closing(sqlite3.connect(source)) as origin, closing(sqlite3.connect(target)) as copy:
        origin.backup(copy, pages=PAGES, progress=lambda _status, left, total: show(total - left, total))


def _administer(url: URL, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(statement))


def _run(program: str, url: URL, arguments: Sequence[str]) -> None:
    if shutil.which(program) is None:
        raise WorkerError(f"{program} is not installed: it comes with PostgreSQL's client programs", code="UPC1908")
    place = url.set(drivername="postgresql", password=None).render_as_string()
    secret = {"PGPASSWORD": url.password} if url.password else {}
    done = subprocess.run(
        [program, f"--dbname={place}", *arguments],
        env={**os.environ, **secret},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it does not say why"])[0]
        raise WorkerError(f"{program} failed: {said}", code="UPC1908")
