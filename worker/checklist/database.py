"""Evidence from a database: its schema, its documents, and the backup from before the migration."""

from __future__ import annotations

import asyncio
from pathlib import Path

from worker.checklist.evidence import Evidence, Facts, failed, passed, unknown
from worker.database.alembic_project import Database, explained, find_database, reading
from worker.database.backup import Backup, read_backup, restored
from worker.database.comparison import compare
from worker.database.validation import validate


async def backup_is_whole(facts: Facts) -> list[Evidence]:
    """The named backup is there and has its SHA-256; whether it was restored for a check stands in its manifest."""
    if facts.backup is None:
        return [] if facts.alembic is None else [unknown("name the database's backup with --backup")]
    return [_told(await asyncio.to_thread(read_backup, Path(facts.backup)))]


def _told(backup: Backup) -> Evidence:
    text = f"{backup.file}: {backup.rows:,} rows, made {backup.made}, bytes unchanged since"
    return passed(f"{text}; was restored and compared") if backup.checked else unknown(f"{text}; never restored")


async def schema_and_documents(facts: Facts) -> list[Evidence]:
    """The schema is at its head, and every document at its version and valid."""
    if facts.alembic is None:
        return [unknown("name the database's Alembic configuration with --alembic")]
    return await asyncio.to_thread(_validated, facts.alembic)


def _validated(alembic: str) -> list[Evidence]:
    database = find_database(Path(alembic))
    with explained(database.name):
        found = validate(database, _silently)
    if found.findings:
        return [failed(f"{database.name}: {finding}") for finding in found.findings[:3]]
    columns = [f"{each.documents:,} documents of {each.event_type} {each.version}" for each in found.columns]
    return [passed(f"{database.name}: at revision {database.revision}; {', '.join(columns) or 'no documents'}")]


async def data_as_in_the_backup(facts: Facts) -> list[Evidence]:
    """Nothing but what the chain makes of it has changed since the backup."""
    if facts.alembic is None or facts.backup is None:
        return []
    return [await asyncio.to_thread(_compared, find_database(Path(facts.alembic)), Path(facts.backup))]


def _compared(database: Database, file: Path) -> Evidence:
    backup = read_backup(file)
    with explained(database.name), restored(backup, database) as before, reading(database.url) as now:
        found = compare(before, now, _silently)
    if found.findings:
        return failed(f"{database.name}: {found.findings[0]} (see `upcast db verify {file}`)")
    return passed(
        f"{database.name}: {found.rows:,} rows are those of the backup, {found.documents:,} documents are what the "
        "chain makes of them"
    )


def _silently(_done: int, _total: int) -> None:
    """A checklist shows no progress bar."""
