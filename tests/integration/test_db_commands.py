"""`alembic` and `upcast db` as the migration guide writes them: where `alembic.ini` is, with data under `data/`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from alembic.config import Config
from sqlalchemy import make_url

from tests.databases import TestDatabase
from worker.database.alembic_project import Database, reading
from worker.database.backup import read_backup, restored
from worker.database.comparison import compare
from worker.errors import WorkerError

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
OLD = '{"metadata": {"taskId": "%d", "projectId": "a/b"}, "nodes": {"select": {"status": "completed", "cost": 1.10}}}'


class Home:
    """A copy of what the repository has at its root, with a database of its own."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.folder = folder
        if not (folder / "alembic.ini").exists():
            shutil.copy(ROOT / "alembic.ini", folder)
            shutil.copytree(ROOT / "migrations", folder / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
        self.url = url
        self.database = TestDatabase(url or f"sqlite:///{folder / 'data' / 'devteam_runner.db'}", "JSON")

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **({"DEVTEAM_RUNNER_DATABASE_URL": self.url} if self.url else {}), "COLUMNS": "200"}

    def run(self, *command: str, code: int = 0) -> str:
        """What the command says on both streams."""
        done = subprocess.run(
            [BIN / command[0], *command[1:]],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        assert "Traceback" not in said
        return said

    def fill(self, documents: Sequence[str | None]) -> None:
        self.run("alembic", "upgrade", "0002")
        cast = "" if self.database.is_sqlite else "::json"
        with self.database.connection() as connection:
            for number, document in enumerate(documents):
                connection.exec_driver_sql(
                    f"INSERT INTO task_contexts VALUES ({number}, 't{number}', "
                    f"{'NULL' if document is None else repr(document) + cast}, '2025-01-01')"
                )
            connection.commit()

    def documents(self) -> list[str | None]:
        column = "context" if self.database.is_sqlite else "context::text"
        return [row[0] for row in self.database.rows(f"SELECT {column} FROM task_contexts ORDER BY id")]

    @property
    def backup(self) -> Path:
        found = [file for file in (self.folder / "backup").iterdir() if file.suffix != ".json"]
        return found[0].relative_to(self.folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    return Home(tmp_path, url)


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders to copy, on SQLite: before the migration to 2.0, and after it with a backup."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("old", "migrated")}
    Home(folders["old"]).fill([OLD % number for number in range(20)])
    shutil.copytree(folders["old"], folders["migrated"], dirs_exist_ok=True)
    Home(folders["migrated"]).run("upcast", "db", "migrate")
    return folders


@pytest.fixture
def old(tmp_path: Path, templates: dict[str, Path]) -> Home:
    shutil.copytree(templates["old"], tmp_path, dirs_exist_ok=True)
    return Home(tmp_path)


@pytest.fixture
def migrated(tmp_path: Path, templates: dict[str, Path]) -> Home:
    shutil.copytree(templates["migrated"], tmp_path, dirs_exist_ok=True)
    return Home(tmp_path)


@pytest.mark.long
def test_the_guides_commands_work_on_an_empty_place(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.run("alembic", "upgrade", "head")
    assert home.database.rows("SELECT count(*) FROM task_contexts") == [(0,)]
    home.run("alembic", "downgrade", "-1")
    assert "0002" in home.run("alembic", "current")
    assert "at revision 0002" in home.run("upcast", "db", "validate", code=1)


@pytest.mark.long
def test_all_four_steps_as_one_and_back(home: Home) -> None:
    home.fill([OLD % number for number in range(20)] + [None])
    before = home.documents()
    said = home.run("upcast", "db", "migrate")
    assert "restored and compared, 21 rows in 1 table" in said
    assert (
        "task_contexts.context: 21 rows: 20 migrated to task_context 2.0, 0 already at it, 1 null, 0 set aside" in said
    )
    assert "PASS: 1 table, 21 rows; 20 documents changed: 20 come back the same" in said
    assert "task_contexts.context: 20 documents of task_context 2.0" in said
    assert '"task_id":"3"' in str(home.documents()[3])
    assert "nothing to migrate" in home.run("upcast", "db", "migrate")

    home.run("upcast", "db", "downgrade")
    assert [each and json.loads(each) for each in home.documents()] == [each and json.loads(each) for each in before]
    assert "PASS" in home.run("upcast", "db", "verify", str(home.backup))
    assert "restored" in home.run("upcast", "db", "restore", str(home.backup), "--yes")
    assert home.documents() == before
    assert "0002" in home.run("alembic", "current")
    home.run("upcast", "db", "upgrade")
    assert "PASS" in home.run("upcast", "db", "validate")


TAMPERED = {
    "a row is gone": ("DELETE FROM task_contexts WHERE id = 3", "task_contexts: 20 rows before, 19 now"),
    "a row is another": (
        "UPDATE task_contexts SET id = 99 WHERE id = 3",
        "task_contexts: other primary keys than before",
    ),
    "two rows have swapped": (
        "UPDATE task_contexts SET context = (SELECT context FROM task_contexts AS o WHERE o.id = 9 - task_contexts.id) "  # noqa: ISC004  # one statement in two lines
        "WHERE id IN (4, 5)",
        "task_contexts.context 4: not what the chain makes of the backup's document",
    ),
    "a document has changed": (
        "UPDATE task_contexts SET context = REPLACE(context, '1.10', '1.2') WHERE id = 3",
        "task_contexts.context 3: not what the chain makes of the backup's document",
    ),
    "a document is no JSON": ("UPDATE task_contexts SET context = '{' WHERE id = 3", "not what the chain makes"),
    "a document is null": ("UPDATE task_contexts SET context = NULL WHERE id = 3", "task_contexts.context 3: a null"),
    "another column has changed": (
        "UPDATE task_contexts SET task_id = 'other' WHERE id = 3",
        "task_contexts.task_id: other values than before, in a column that no migration of ours touches",
    ),
    "the table is gone": ("DROP TABLE task_contexts", "task_contexts: the table is gone"),
}


def compared(home: Home) -> list[str]:
    """What `upcast db verify` finds."""
    url = make_url(home.database.url)
    database = Database(Config(), url, "0003", ("0003",))
    backup = read_backup(home.folder / home.backup)
    with restored(backup, database) as before, reading(url) as now:
        return compare(before, now, lambda _done, _total: None).lines()


@pytest.mark.long
@pytest.mark.parametrize("what", TAMPERED)
def test_verify_finds_it(migrated: Home, what: str) -> None:
    change, finding = TAMPERED[what]
    migrated.database.run(change)
    assert finding in "\n".join(compared(migrated))


def test_verify_knows_what_is_the_same(migrated: Home) -> None:
    migrated.database.run("UPDATE task_contexts SET context = REPLACE(context, '1.10', '1.1') WHERE id = 3")
    assert compared(migrated) == []


def test_verify_fails_with_coordinates(migrated: Home) -> None:
    migrated.database.run("UPDATE task_contexts SET context = REPLACE(context, 'main', 'other')")
    said = migrated.run("upcast", "db", "verify", str(migrated.backup), code=1)
    assert "task_contexts.context 0: not what the chain makes of the backup's document" in said
    assert "… 15 more: not what the chain makes" in said
    assert "FAIL: 1 table, 20 rows" in said
    content = migrated.run("upcast", "db", "verify", str(migrated.backup), "--json", code=1)
    assert json.loads(content)["verdict"] == "FAIL"


def test_validate_finds_documents_that_are_not_there_yet(migrated: Home) -> None:
    migrated.database.run(
        f"UPDATE task_contexts SET context = '{OLD % 3}' WHERE id = 3",
        "UPDATE task_contexts SET context = '{}' WHERE id = 4",
    )
    said = migrated.run("upcast", "db", "validate", code=1)
    assert "task_contexts.context id=3: OtherVersion: the document is at 1.0, not at 2.0" in said
    assert "task_contexts.context id=4: MissingField" in said
    content = migrated.run("upcast", "db", "validate", "--json", code=1)
    assert json.loads(content)["columns"][0]["invalid"] == 2


def test_a_migration_that_fails_names_rows_and_changes_nothing(old: Home) -> None:
    old.database.run("UPDATE task_contexts SET context = '{}' WHERE id = 2")
    before = old.documents()
    for command in (("alembic", "upgrade", "head"), ("upcast", "db", "migrate")):
        said = old.run(*command, code=255 if command[0] == "alembic" else 2)
        assert "1 row cannot be brought to task_context 2.0, and nothing was changed" in said
        assert "id=2: MissingField" in said
    assert old.documents() == before
    assert "0002" in old.run("alembic", "current")


def size_of(file: Path) -> int:
    """0 where it is not there; it comes and goes."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


@pytest.mark.long
def test_killed_in_the_middle_nothing_has_happened(old: Home) -> None:
    """SIGKILL while SQLite's journal shows that rows are being written."""
    with sqlite3.connect(old.folder / "data" / "devteam_runner.db") as connection:
        rows = ((number, f"t{number}", OLD % number, "now") for number in range(20, 50_000))
        connection.executemany("INSERT INTO task_contexts VALUES (?, ?, ?, ?)", rows)
    connection.close()
    journal = old.folder / "data" / "devteam_runner.db-journal"
    with subprocess.Popen([BIN / "alembic", "upgrade", "head"], cwd=old.folder, stderr=subprocess.DEVNULL) as running:
        while size_of(journal) < 100_000:
            assert running.poll() is None, "it was over before it could be killed"
        running.send_signal(signal.SIGKILL)
    assert "0002" in old.run("alembic", "current")
    assert old.documents() == [OLD % number for number in range(50_000)]


def test_a_damaged_backup_is_refused(migrated: Home) -> None:
    file = migrated.folder / migrated.backup
    file.write_bytes(file.read_bytes().replace(b"taskId", b"taskID", 1))
    assert "has changed since it was made" in migrated.run("upcast", "db", "restore", str(migrated.backup), code=2)
    file.with_name(file.name + ".json").write_text("{}")
    with pytest.raises(WorkerError, match="is not the manifest of a backup by this command"):
        read_backup(file)
    file.with_name(file.name + ".json").unlink()
    with pytest.raises(WorkerError, match=r"cannot be read \(No such file"):
        read_backup(file)


def test_what_is_not_there_is_reported(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert "nowhere.ini: there is no such file" in home.run(
        "upcast", "db", "upgrade", "--alembic", "nowhere.ini", code=2
    )
    assert "holds no tables: there is nothing to back up" in home.run("upcast", "db", "backup", code=2)
    assert "Can't locate revision" in home.run("upcast", "db", "upgrade", "nowhere", code=2)
    assert "no SQL script can do" in home.run("alembic", "upgrade", "head", "--sql", code=255)


def test_a_restore_asks_first(migrated: Home) -> None:
    before = migrated.documents()
    assert "everything written since is lost" in migrated.run("upcast", "db", "restore", str(migrated.backup), code=1)
    assert migrated.documents() == before


@pytest.mark.long
def test_a_database_that_cannot_be_reached_is_reported(tmp_path: Path) -> None:
    home = Home(tmp_path, "postgresql://postgres@127.0.0.1:1/nowhere")
    said = home.run("upcast", "db", "upgrade", code=1)
    assert "the database failed (OperationalError: connection failed" in said


@pytest.mark.long
def test_a_user_who_may_make_no_database_is_reported(tmp_path: Path, postgresql_url: str) -> None:
    Home(tmp_path, postgresql_url).fill([OLD % 1])
    database = TestDatabase(postgresql_url, "JSON")
    database.run(
        "CREATE ROLE poor LOGIN",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO poor",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO poor",
        "GRANT ALL ON SCHEMA public TO poor",
    )
    try:
        (tmp_path / "poor").mkdir()
        poor = Home(tmp_path / "poor", postgresql_url.replace("postgres@", "poor@"))
        said = poor.run("upcast", "db", "backup", code=2)
        assert "the user may not make a database to restore it into" in said
        assert "not checked" in poor.run("upcast", "db", "backup", "--unchecked", "--to", "other")
    finally:
        database.run("DROP OWNED BY poor", "DROP ROLE poor")
