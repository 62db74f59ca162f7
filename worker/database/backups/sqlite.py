"""SQLite's own backup: a copy that is right even while others read and write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL

from worker.errors import WorkerError
from worker.progress import OnProgress

SUFFIX = ".sqlite"
PAGES = 4_096
"""Copied at a time, between two looks at the progress bar."""


def dump(url: URL, file: Path, show: OnProgress) -> None:
    _copy(_file(url), file, show)


@contextmanager
def restored(_url: URL, file: Path) -> Iterator[URL]:
    """The backup is a database already: it is opened where it is, and looked through."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchall()
    if found != [("ok",)]:
        raise WorkerError(f"{file} is damaged: SQLite finds {found[0][0]}")
    yield URL.create("sqlite", database=f"file:{file}", query={"mode": "ro", "uri": "true"})


def restore(url: URL, file: Path, show: OnProgress) -> None:
    _copy(file, _file(url), show)


def _file(url: URL) -> Path:
    return Path(str(url.database))


def _copy(source: Path, target: Path, show: OnProgress) -> None:
    with closing(sqlite3.connect(source)) as origin, closing(sqlite3.connect(target)) as copy:
        origin.backup(copy, pages=PAGES, progress=lambda _status, left, total: show(total - left, total))
