"""`pg_dump` and `pg_restore`, in their custom format."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from worker.errors import WorkerError
from worker.progress import OnProgress

SUFFIX = ".dump"


def dump(url: URL, file: Path, _show: OnProgress) -> None:
    _run("pg_dump", url, ["--format=custom", f"--file={file}"])


@contextmanager
def restored(url: URL, file: Path) -> Iterator[URL]:
    """A database beside the real one, for as long as it is looked at."""
    name = f"upcast_check_{uuid.uuid4().hex[:12]}"
    try:
        _administer(url, f"CREATE DATABASE {name}")
    except SQLAlchemyError as error:
        raise WorkerError(
            f"{file} cannot be checked: the user may not make a database to restore it into "
            "(grant CREATEDB, or take the risk with --unchecked)"
        ) from error
    try:
        copy = url.set(database=name)
        _run("pg_restore", copy, ["--exit-on-error", "--no-owner", str(file)])
        yield copy
    finally:
        _administer(url, f"DROP DATABASE {name} WITH (FORCE)")


def restore(url: URL, file: Path, _show: OnProgress) -> None:
    """All or nothing. What the backup does not know stays; the caller looks after that."""
    _run("pg_restore", url, ["--clean", "--if-exists", "--no-owner", "--single-transaction", str(file)])


def _administer(url: URL, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(statement))


def _run(program: str, url: URL, arguments: Sequence[str]) -> None:
    if shutil.which(program) is None:
        raise WorkerError(f"{program} is not installed: it comes with PostgreSQL's client programs")
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
        raise WorkerError(f"{program} failed: {said}")
