"""Opening a ledger: made, found again, migrated by one process at a time, and every way not to."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from worker.errors import MAY_PASS, WorkerError
from worker.ledger import Run, open_ledger, opening
from worker.ledger.tables import metadata

RUN = Run("a1b2", "d" * 64, "cluster", "legacy", datetime(2026, 1, 2, tzinfo=UTC), "0.1.0")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def url(file: Path) -> str:
    return f"sqlite:///{file}"


def complaint(given: str) -> WorkerError:
    with pytest.raises(WorkerError) as caught:
        open_ledger(given)
    assert "\n" not in str(caught.value)
    return caught.value


def test_it_outlives_its_process(file: Path) -> None:
    open_ledger(url(file)).start_run(RUN)
    assert open_ledger(url(file)).run("a1b2") == RUN


def test_many_may_open_it_at_once(file: Path) -> None:
    failures: list[Exception] = []

    def open_it() -> None:
        try:
            open_ledger(url(file)).close()
        except Exception as error:  # noqa: BLE001  # whatever it is, the test shows it
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_migrations_make_the_tables_that_the_code_knows(file: Path) -> None:
    open_ledger(url(file)).close()
    engine = create_engine(url(file))
    found = inspect(engine)
    for table in metadata.sorted_tables:
        columns = {(one["name"], str(one["type"]), one["nullable"]) for one in found.get_columns(table.name)}
        assert columns == {(one.name, str(one.type), one.nullable) for one in table.columns}
    engine.dispose()


def test_a_missing_folder(tmp_path: Path) -> None:
    error = complaint(url(tmp_path / "none" / "ledger.db"))
    assert "none is not a folder: create it, or set ledger.url" in str(error)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path, file: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert "cannot be opened or made: make its folder writable" in str(complaint(url(file)))
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written(file: Path) -> None:
    ledger = open_ledger(url(file))
    file.chmod(0o400)
    with pytest.raises(WorkerError, match="cannot be written: make the disk and the file writable"):
        ledger.start_run(RUN)


def test_a_read_only_disk(file: Path) -> None:
    """As root sees it, too: the database itself is opened for reading."""
    open_ledger(url(file)).close()
    ledger = open_ledger(f"sqlite:///file:{file}?mode=ro&uri=true")
    assert ledger.runs() == []
    with pytest.raises(WorkerError, match="cannot be written: make the disk and the file writable"):
        ledger.start_run(RUN)


def test_a_newer_worker_wrote_it(file: Path) -> None:
    open_ledger(url(file)).close()
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    assert "was written by a newer worker (its version is 9999)" in str(complaint(url(file)))


def test_another_process_keeps_it_locked(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
    ledger = open_ledger(url(file))
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(WorkerError, match="is locked by another process: try again") as caught:
            ledger.runs()
        assert caught.value.exit_code == MAY_PASS


def test_a_file_that_is_no_database(file: Path) -> None:
    file.write_bytes(b"these are plainly other people's notes\n" * 50)
    assert "is no SQLite database" in str(complaint(url(file)))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("no url", "is no URL of a database"),
        ("sqlite://", "names no database"),
        ("sqlite:///:memory:", "names no database"),
        ("postgresql://postgres:secret@127.0.0.1:1/none", "ledger: "),
    ],
)
def test_urls_that_name_nothing(given: str, expected: str) -> None:
    message = str(complaint(given))
    assert expected in message
    assert "secret" not in message
