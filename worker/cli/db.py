"""`upcast db`: the migration guide's four steps for a database, each alone or all together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upcast_authoring.counted import counted
from worker.cli.options import Json
from worker.cli.progress import Look, ProgressOption, progress, waiting
from worker.errors import WorkerError

if TYPE_CHECKING:
    from worker.database.alembic_project import Database
    from worker.database.backup import Backup
    from worker.database.comparison import Comparison
    from worker.database.validation import DatabaseValidation

db = typer.Typer(
    help="Back up, migrate, verify and restore a database whose migrations use `upcast_json_column`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Alembic = Annotated[
    Path, typer.Option("--alembic", metavar="FILE", help="Alembic's configuration; its env.py finds the database.")
]
Folder = Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where backups go.")]
Unchecked = Annotated[bool, typer.Option("--unchecked", help="Do not restore the backup to check it.")]
File = Annotated[Path, typer.Argument(metavar="BACKUP", help="The file that `upcast db backup` wrote.")]

ASKING = "waiting for the database to answer"
INI = Path("alembic.ini")
BACKUPS = Path("backup")


@db.command("backup")
def backup(
    alembic: Alembic = INI, to: Folder = BACKUPS, unchecked: Unchecked = False, shown: ProgressOption = Look.AUTO
) -> None:
    """Back the database up by its own means, and restore the backup at once to see that it is whole.

    SQLite's backup API, or `pg_dump`. A manifest beside the file has its SHA-256 and a digest of every column.

    **Example:** `upcast db backup --to backup`
    """
    _print_backup(_back_up(_find(alembic), to, unchecked, shown))


@db.command("upgrade")
def upgrade(
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="Where to go.")] = "head",
    alembic: Alembic = INI,
    shown: ProgressOption = Look.AUTO,
) -> None:
    """Apply the migrations: `alembic upgrade` with a progress bar.

    **Example:** `upcast db upgrade`
    """
    _migrate(alembic, revision, shown, up=True)


@db.command("downgrade")
def downgrade(
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="Where to go: -1 is one back.")] = "-1",
    alembic: Alembic = INI,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Also over steps that cannot be undone; logs what is lost.")
    ] = False,
    shown: ProgressOption = Look.AUTO,
) -> None:
    """Take migrations back: `alembic downgrade` with a progress bar.

    **Example:** `upcast db downgrade`
    """
    _migrate(alembic, revision, shown, up=False, allow_loss=allow_loss)


@db.command("verify")
def verify(file: File, alembic: Alembic = INI, as_json: Json = False, shown: ProgressOption = Look.AUTO) -> None:
    """Prove that nothing but what the migrations say has changed since a backup. Reads only.

    Row counts, primary keys, every untouched column by digest; every document must be what the chain makes of the
    backup's, and come back. Exit codes: 0 PASS, 1 FAIL with coordinates, 2 the backup is damaged or of something else.

    **Example:** `upcast db verify backup/devteam_runner-20260101T000000Z.sqlite`
    """
    if _verify(_find(alembic), _read(file), shown, as_json=as_json).findings:
        raise typer.Exit(1)


@db.command("validate")
def validate(alembic: Alembic = INI, as_json: Json = False, shown: ProgressOption = Look.AUTO) -> None:
    """See that the schema is the newest, and every document at its version and valid. Reads only.

    Exit codes: 0 PASS, 1 FAIL with coordinates.

    **Example:** `upcast db validate`
    """
    if _validate(_find(alembic), shown, as_json=as_json).findings:
        raise typer.Exit(1)


@db.command("restore")
def restore(
    file: File,
    alembic: Alembic = INI,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    shown: ProgressOption = Look.AUTO,
) -> None:
    """Make the database what it was at the backup, and check that it is. What was written since is gone.

    **Example:** `upcast db restore backup/devteam_runner-20260101T000000Z.sqlite`
    """
    from worker.database.backup import check_backup, restore_backup

    database, made = _find(alembic), _read(file)
    check_backup(made, database)
    if not yes:
        typer.confirm(
            f"{database.name} becomes what it was at {made.made}; everything written since is lost. Continue?",
            abort=True,
        )
    with progress("restore", "pages", shown, ASKING) as show:
        restore_backup(made, database, show)
    typer.echo(
        f"restored: {database.name} is what it was at {made.made}, {made.rows:,} rows, at {_revision(made.revision)}"
    )


@db.command("migrate")
def migrate(
    alembic: Alembic = INI, to: Folder = BACKUPS, unchecked: Unchecked = False, shown: ProgressOption = Look.AUTO
) -> None:
    """All four steps, and no next one where one fails: backup, apply, verify, validate.

    Exit codes: 0 all passed, 1 something was found, 2 the backup or the migration failed and nothing was changed.

    **Example:** `upcast db migrate`
    """
    database = _find(alembic)
    if database.at_head:
        typer.echo(f"{database.name} is at {_revision(database.revision)} already: nothing to migrate")
        return
    typer.echo("1/4 backup")
    made = _back_up(database, to, unchecked, shown)
    _print_backup(made)
    typer.echo("2/4 apply the migrations")
    _migrate(alembic, "head", shown, up=True)
    database = _find(alembic)
    typer.echo("3/4 verify data integrity")
    compared = _verify(database, made, shown)
    typer.echo("4/4 validate")
    validated = _validate(database, shown)
    if compared.findings or validated.findings:
        raise WorkerError(
            f"the migration is applied, but the checks above failed: `upcast db restore {made.file}` undoes it",
            1,
            code="UPC1909",
        )
    typer.echo(f"migrated: {database.name} is at {_revision(database.revision)}; the backup is {made.file}")


def _find(alembic: Path) -> Database:
    from worker.database.alembic_project import find_database

    with waiting(f"db: {ASKING}"):
        return find_database(alembic)


def _read(file: Path) -> Backup:
    from worker.database.backup import read_backup

    return read_backup(file)


def _back_up(database: Database, to: Path, unchecked: bool, shown: Look) -> Backup:
    from worker.database.backup import make_backup

    with progress("backup", "rows", shown, ASKING) as show:
        return make_backup(database, to, show, check=not unchecked)


def _print_backup(made: Backup) -> None:
    checked = (
        f"restored and compared, {counted(made.rows, 'row')} in {counted(len(made.tables), 'table')}"
        if made.checked
        else "not checked"
    )
    typer.echo(f"backup: {made.file}, {made.bytes:,} bytes, at {_revision(made.revision)}; {checked}")


def _migrate(alembic: Path, revision: str, shown: Look, *, up: bool, allow_loss: bool = False) -> None:
    from alembic import command

    from worker.database.alembic_project import explained, find_database
    from worker.database.columns import ALLOW_LOSS, PROGRESS

    with progress("upgrade" if up else "downgrade", "rows", shown, ASKING) as show:
        database = find_database(alembic, {PROGRESS: show, ALLOW_LOSS: allow_loss})
        with explained(database.name):
            (command.upgrade if up else command.downgrade)(database.config, revision)
    after = _find(alembic)
    word = "upgraded" if up else "downgraded"
    typer.echo(f"{word}: {after.name} from {_revision(database.revision)} to {_revision(after.revision)}")


def _verify(database: Database, made: Backup, shown: Look, *, as_json: bool = False) -> Comparison:
    from upcast_authoring.cli.output import print_json
    from worker.database.alembic_project import explained, reading
    from worker.database.backup import restored
    from worker.database.comparison import compare

    with (
        progress("verify", "rows", shown, ASKING) as show,
        explained(database.name),
        restored(made, database) as before,
        reading(database.url) as now,
    ):
        found = compare(before, now, show)
    if as_json:
        print_json(
            {
                "verdict": "FAIL" if found.findings else "PASS",
                "tables": found.tables,
                "rows": found.rows,
                "documents": found.documents,
                "same_back": found.same_back,
                "equal_back": found.equal_back,
                "not_reversible": found.not_back,
                "notes": found.notes,
                "findings": found.lines(),
            }
        )
        return found
    for line in (*found.lines(), *found.notes):
        typer.echo(line)
    typer.echo(
        f"{'FAIL' if found.findings else 'PASS'}: {counted(found.tables, 'table')}, {counted(found.rows, 'row')}; "
        f"{found.documents:,} documents changed: {found.same_back:,} come back the same, "
        f"{found.equal_back:,} with the same meaning, {found.not_back:,} cannot come back"
    )
    return found


def _validate(database: Database, shown: Look, *, as_json: bool = False) -> DatabaseValidation:
    from upcast_authoring.cli.output import print_json
    from worker.database.alembic_project import explained
    from worker.database.validation import validate as look

    with progress("validate", "rows", shown, ASKING) as show, explained(database.name):
        found = look(database, show)
    if as_json:
        print_json(
            {
                "verdict": "FAIL" if found.findings else "PASS",
                "revision": database.revision,
                "columns": [
                    {
                        "column": each.place,
                        "event_type": each.event_type,
                        "version": each.version,
                        "documents": each.documents,
                        "empty": each.empty,
                        "no_object": each.others,
                        "set_aside": each.set_aside,
                        "invalid": each.failures.count,
                    }
                    for each in found.columns
                ],
                "findings": found.findings,
            }
        )
        return found
    for line in found.findings:
        typer.echo(line)
    for each in found.columns:
        aside = f", {each.set_aside:,} set aside" if each.set_aside else ""
        others = f", {each.others:,} rows hold no JSON object" if each.others else ""
        typer.echo(f"{each.place}: {each.documents:,} documents of {each.event_type} {each.version}{others}{aside}")
    typer.echo(f"{'FAIL' if found.findings else 'PASS'}: {database.name} at {_revision(database.revision)}")
    return found


def _revision(revision: str | None) -> str:
    return f"revision {revision}" if revision else "no revision"
