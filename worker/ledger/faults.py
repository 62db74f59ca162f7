"""What a database error means, in one line."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from worker.errors import MAY_PASS, WorkerError
from worker.ledger.port import locked

_MEANINGS = {
    "SQLITE_READONLY": "cannot be written: make the disk and the file writable, or set ledger.url",
    "SQLITE_CANTOPEN": "cannot be opened or made: make its folder writable, or set ledger.url",
    "SQLITE_NOTADB": "is no SQLite database: move the file away, or set ledger.url",
    "SQLITE_CORRUPT": "is damaged: restore it from a backup, or move it away",
    "SQLITE_FULL": "cannot grow, the disk is full: make room",
    "SQLITE_IOERR": "cannot be read or written by the disk: see the system's log",
}


def explained(error: SQLAlchemyError, place: str) -> WorkerError:
    """The error as a line for a person. Never the statement or its values."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    code = getattr(cause, "sqlite_errorname", "")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return locked(place)
    for prefix, meaning in _MEANINGS.items():
        if code.startswith(prefix):
            return WorkerError(f"ledger: {place} {meaning}", code="UPC1502")
    if isinstance(cause, sqlite3.Error):
        return WorkerError(f"ledger: {place}: {cause}: is it the worker's own database?", code="UPC1503")
    kind = type(cause or error).__name__
    if kind == "OperationalError":
        return WorkerError(
            f"ledger: {place}: the database refused or lost the connection: check that it runs, and address, user and "
            "password in ledger.url",
            MAY_PASS,
            code="UPC1503",
        )
    return WorkerError(
        f"ledger: {place}: the database failed ({kind}): check the database and ledger.url", MAY_PASS, code="UPC1503"
    )
