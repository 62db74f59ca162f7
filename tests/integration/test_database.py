"""JSON columns of real databases, up and down the chain: SQLite, and PostgreSQL as JSON, JSONB and TEXT."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from alembic.operations import Operations

from tests.databases import TestDatabase
from upcasters import (
    Always,
    Baseline,
    Chain,
    Detection,
    FromField,
    Step,
    assign,
    default,
    drop,
    drop_event,
    present,
    rename,
    set_header,
    split_each,
    when,
)
from worker.database import AtRestError, MigratedColumn, RowsFailedError, downcast_json_column, rows, upcast_json_column

DEVTEAM = "upcasters.devteam_runner:chain"
OLD = '{"metadata": {"taskId": "1.1", "projectId": "a/b"},  "nodes": {"select": {"status": "completed", "cost": 1.10}}}'
NEW = (
    '{"metadata":{"task_id":"1.1","project_id":"a/b","branch":"main","repo_path":"/workspace/repos/a/b"},'
    '"nodes":{"select":{"status":"completed","cost":1.10},"prep":{"status":"running"}}}'
)
CURRENT = NEW.replace(",", " ,")

KINDS = [("sqlite", "TEXT"), ("postgresql", "JSON"), ("postgresql", "JSONB"), ("postgresql", "TEXT")]

counting = Chain(
    [Step("n", "1", "2", [rename("a", "b")]), Step("n", "2", "3", [drop("c", missing="skip")], lossy="nobody reads c")],
    [Baseline("n", "1")],
    detection=Detection((Always("n"),), (FromField("version"), Always("1"))),
)


@pytest.fixture(params=KINDS, ids="-".join)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> TestDatabase:
    return make(request, tmp_path, *request.param)


@pytest.fixture
def sqlite(request: pytest.FixtureRequest, tmp_path: Path) -> TestDatabase:
    return make(request, tmp_path, "sqlite", "TEXT")


@pytest.fixture
def postgresql(request: pytest.FixtureRequest, tmp_path: Path) -> TestDatabase:
    return make(request, tmp_path, "postgresql", "JSONB")


def make(request: pytest.FixtureRequest, folder: Path, where: str, kind: str) -> TestDatabase:
    url = f"sqlite:///{folder / 'at_rest.db'}" if where == "sqlite" else request.getfixturevalue("postgresql_schema")
    database = TestDatabase(url, kind)
    database.run(f"CREATE TABLE contexts (id INTEGER PRIMARY KEY, document {kind})")
    return database


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BATCH_ROWS", 3)


def up(op: Any, **options: Any) -> MigratedColumn:
    given: dict[str, Any] = {"chain": DEVTEAM, "event_type": "task_context", "to": "2.0"}
    return upcast_json_column(op, "contexts", "document", **{**given, **options})


def down(op: Any, **options: Any) -> MigratedColumn:
    given: dict[str, Any] = {"chain": DEVTEAM, "event_type": "task_context", "to": "1.1"}
    return downcast_json_column(op, "contexts", "document", **{**given, **options})


def test_documents_go_up_and_what_is_there_already_stays_byte_for_byte(database: TestDatabase) -> None:
    database.add([OLD, CURRENT, None])
    current = database.documents()[1]
    assert database.migrate(up) == MigratedColumn(rows=3, changed=1, unchanged=1, empty=1)
    first, second, third = database.documents()
    assert (second, third) == (current, None)
    assert json.loads(first) == json.loads(NEW)
    assert "1.10" in first
    if database.kind != "JSONB":
        assert first == NEW


def test_nulls_and_what_is_no_object_stay_and_are_named(
    database: TestDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLAlchemy writes None into a JSON column as JSON's null."""
    database.add([OLD, "null", None, " null ", "[1]", '"secret"', "false"])
    before = database.documents()
    assert database.migrate(up) == MigratedColumn(rows=7, changed=1, empty=3, others=3)
    assert database.documents()[1:] == before[1:]
    assert "3 rows hold JSON that is no object and stay as they are: id=5; id=6; id=7" in caplog.text
    assert "secret" not in caplog.text


def test_a_number_of_rows_that_the_driver_does_not_know_is_no_other_number(
    postgresql: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncpg says -1."""
    monkeypatch.setattr("sqlalchemy.CursorResult.rowcount", -1)
    postgresql.add([OLD] * 3)
    assert postgresql.migrate(up).changed == 3


def test_rows_that_a_trigger_keeps_are_not_blamed_on_the_key(postgresql: TestDatabase) -> None:
    postgresql.run(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF new.id = 2 THEN RETURN NULL; END IF; RETURN new; END $$",
        "CREATE TRIGGER keep BEFORE UPDATE ON contexts FOR EACH ROW EXECUTE FUNCTION keep()",
    )
    postgresql.add([OLD] * 3)
    with pytest.raises(AtRestError, match="the trigger keep may change more"):
        postgresql.migrate(up)
    with pytest.raises(AtRestError, match="3 rows were to change and 2 did: a trigger, a rule or a policy"):
        postgresql.migrate(lambda op: up(op, also=[]))


def test_a_unique_index_makes_a_key(database: TestDatabase) -> None:
    database.run("DROP TABLE contexts", f"CREATE TABLE contexts (id INTEGER NOT NULL, document {database.kind})")
    database.run("CREATE UNIQUE INDEX one ON contexts (id)")
    database.add([OLD] * 2)
    assert database.migrate(lambda op: up(op, key=["id"])).changed == 2


def test_again_it_changes_nothing(database: TestDatabase) -> None:
    database.add([OLD] * 4)
    database.migrate(up)
    before = database.documents()
    assert database.migrate(up) == MigratedColumn(rows=4, unchanged=4)
    assert database.documents() == before


def test_a_row_that_fails_stops_it_and_nothing_is_changed(database: TestDatabase, small_batches: None) -> None:
    database.add([OLD] * 5 + ['{"metadata": {"taskId": "secret"}, "nodes": {}}', OLD])
    before = database.documents()
    with pytest.raises(RowsFailedError, match=r"1 row cannot be brought to task_context 2\.0, and nothing") as caught:
        database.migrate(up)
    assert "id=6: MissingField at metadata.project_id (step task_context_2_0)" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert (caught.value.count, caught.value.failures[0].key) == (1, {"id": 6})
    assert database.documents() == before
    assert not database.is_sqlite or database.rows("SELECT count(*) FROM upcast_columns") == [(0,)]


def test_of_many_failures_the_first_ones_are_named_and_all_counted(sqlite: TestDatabase) -> None:
    sqlite.add(["{"] * 30)
    with pytest.raises(RowsFailedError, match=r"30 rows(?s:.*)… and 10 more; in all 30 decode DecodeError"):
        sqlite.migrate(up)


def test_rows_that_fail_can_be_put_aside(database: TestDatabase) -> None:
    bad = '{"metadata": {"taskId": "1"}, "nodes": {}}'
    database.add([OLD, bad])
    stored = database.documents()[1]
    assert database.migrate(lambda op: up(op, on_failure="set aside")) == MigratedColumn(rows=2, changed=1, set_aside=1)
    assert database.documents()[1] == stored
    kept = "SELECT row_key, document, stage, error_type, path FROM contexts_document_set_aside"
    assert database.rows(kept) == [("[2]", stored, "upcast", "MissingField", "metadata.project_id")]
    database.run("DELETE FROM contexts")
    database.add([CURRENT, OLD])
    assert database.migrate(lambda op: up(op, on_failure="set aside")).changed == 1
    assert database.rows(kept) == []


def test_and_down_again(database: TestDatabase) -> None:
    database.add([OLD, CURRENT, None])
    database.migrate(up)
    assert database.migrate(down).changed == 2
    first, second, third = database.documents()
    assert json.loads(first) == json.loads(OLD)
    assert json.loads(second) == json.loads(OLD)
    assert third is None
    assert database.migrate(down).changed == 0


def test_a_lossy_step_is_refused_by_name_before_anything_changes(sqlite: TestDatabase) -> None:
    sqlite.add(['{"version": "3", "b": 1}'])
    with pytest.raises(AtRestError, match=r"step n:2->3 cannot be undone \(.*\).*--allow-loss"):
        sqlite.migrate(lambda op: down(op, chain=counting, event_type="n", to="1"))
    assert sqlite.documents() == ['{"version": "3", "b": 1}']


def test_a_loss_can_be_accepted_and_is_reported(sqlite: TestDatabase, caplog: pytest.LogCaptureFixture) -> None:
    sqlite.add(['{"version": "3", "b": 1}'])
    sqlite.migrate(lambda op: down(op, chain=counting, event_type="n", to="1", allow_loss=True))
    assert sqlite.documents() == ['{"version":"1","a":1}']
    assert "contexts.document: the downcast to 1 loses data: n:2->3" in caplog.text


def test_only_the_steps_on_the_way_count(sqlite: TestDatabase) -> None:
    """3 is lossy, and this column never was there."""
    sqlite.add(['{"a": 1}'])
    sqlite.migrate(lambda op: up(op, chain=counting, event_type="n", to="2"))
    sqlite.migrate(lambda op: down(op, chain=counting, event_type="n", to="1"))
    assert sqlite.documents() == ['{"a":1}']


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (when(present("items"), split_each("items", into="item", item="item")), "splits or drops events"),
        (when(present("gone"), drop_event()), "splits or drops events"),
        (set_header("x", "y"), "changes type, key or headers"),
    ],
)
def test_what_a_row_cannot_take_is_refused(sqlite: TestDatabase, operation: Any, why: str) -> None:
    steps = [Step("a", "1", "2", [operation], lossy="on purpose"), Step("a", "2", "3", [default("b", 1)])]
    children = [Baseline("item", "2")] if "split" in str(operation) else []
    chain = Chain(steps, [Baseline("a", "1"), *children], detection=Detection((Always("a"),), (Always("1"),)))
    with pytest.raises(AtRestError, match=rf"step a:1->2 {why}"):
        sqlite.migrate(lambda op: up(op, chain=chain, event_type="a", to="3"))


def test_the_preview_that_splits_is_refused_for_the_shipped_chain(sqlite: TestDatabase) -> None:
    with pytest.raises(AtRestError, match=r"task_context has no version 3\.0: use one of 1\.0, 1\.1, 2\.0"):
        sqlite.migrate(lambda op: up(op, to="3.0"))


def test_a_document_above_the_target_is_no_document_to_upcast(sqlite: TestDatabase) -> None:
    sqlite.add([NEW])
    with pytest.raises(RowsFailedError, match=r"id=1: NotForRows: the document is at a version above 1\.1"):
        sqlite.migrate(lambda op: up(op, to="1.1"))


def test_what_is_below_the_target_on_the_way_down_is_left(sqlite: TestDatabase) -> None:
    sqlite.add([OLD])
    assert sqlite.migrate(down) == MigratedColumn(rows=1, unchanged=1)
    assert sqlite.documents() == [OLD]


class _CutOffError(Exception):
    pass


def test_committed_batch_by_batch_it_goes_on_where_it_was_cut_off(database: TestDatabase, small_batches: None) -> None:
    """The documents do not tell their version: brought twice, they would be wrong."""
    step = Step("n", "1", "2", [assign("seen", value=True), rename("a", "aa")], lossy="on purpose")
    chain = Chain([step], [Baseline("n", "1")], detection=Detection((Always("n"),), (Always("1"),)))
    database.add(['{"a": 1}'] * 8)
    wish: dict[str, Any] = {"chain": chain, "event_type": "n", "to": "2", "commit": "batch"}
    calls = []

    def cut_off(done: int, _total: int) -> None:
        calls.append(done)
        if len(calls) == 5:  # three looks over all rows, then the second batch is written
            raise _CutOffError

    with pytest.raises(_CutOffError):
        database.migrate(lambda op: up(Shown(op, cut_off), **wish))
    half = [json.loads(document) for document in database.documents()]
    assert [("aa" in each) for each in half] == [True] * 6 + [False] * 2
    assert database.migrate(lambda op: up(op, **wish)) == MigratedColumn(rows=8, changed=2, unchanged=6)
    assert [json.loads(document) for document in database.documents()] == [{"aa": 1, "seen": True}] * 8
    assert database.migrate(lambda op: up(op, **wish)) == MigratedColumn(rows=8, unchanged=8)
    assert database.migrate(lambda op: down(op, **{**wish, "to": "1", "allow_loss": True})).changed == 8
    assert [json.loads(document) for document in database.documents()] == [{"a": 1}] * 8


class Shown:
    """``op`` with a progress bar."""

    def __init__(self, op: Operations, show: Any) -> None:
        self._op = op
        self._show = show

    def get_bind(self) -> Any:
        return self._op.get_bind()

    def get_context(self) -> Any:
        context = self._op.get_context()
        return _Context(context, self._show)


class _Context:
    def __init__(self, context: Any, show: Any) -> None:
        self._context = context
        self.as_sql = context.as_sql
        self.config = type("Config", (), {"attributes": {"upcast_progress": show}, "cmd_opts": None})()

    def autocommit_block(self) -> Any:
        return self._context.autocommit_block()


def test_batches_are_all_tried_before_the_first_is_written(database: TestDatabase, small_batches: None) -> None:
    database.add([OLD] * 7 + ["{}"])
    before = database.documents()
    with pytest.raises(RowsFailedError, match="id=8"):
        database.migrate(lambda op: up(op, commit="batch"))
    assert database.documents() == before


def test_a_version_may_stand_in_a_column_of_its_own(sqlite: TestDatabase, postgresql: TestDatabase) -> None:
    chain = Chain([Step("n", "1", "2", [rename("a", "b")])], [Baseline("n", "1")])
    wish: dict[str, Any] = {"chain": chain, "event_type": "n", "to": "2", "version_column": "version"}
    for database, kind in ((sqlite, "INTEGER"), (postgresql, "INTEGER"), (sqlite, "TEXT"), (postgresql, "TEXT")):
        database.run(
            "DROP TABLE contexts",
            f"CREATE TABLE contexts (id INTEGER PRIMARY KEY, document {database.kind}, version {kind})",
        )
        database.add(['{"a": 1}', '{"b": 2}'])
        database.run("UPDATE contexts SET version = id")
        assert database.migrate(lambda op: up(op, **wish)) == MigratedColumn(rows=2, changed=1, unchanged=1)
        assert [json.loads(each) for each in database.documents()] == [{"b": 1}, {"b": 2}]
        two: Any = 2 if kind == "INTEGER" else "2"
        assert database.rows("SELECT version FROM contexts ORDER BY id") == [(two,), (two,)]
        assert database.migrate(lambda op: down(op, **{**wish, "to": "1"})).changed == 2


def test_a_row_without_its_version_fails(sqlite: TestDatabase) -> None:
    sqlite.run("ALTER TABLE contexts ADD COLUMN version TEXT")
    sqlite.add([OLD])
    with pytest.raises(RowsFailedError, match="id=1: DetectionError"):
        sqlite.migrate(lambda op: up(op, version_column="version"))


def test_rows_can_be_picked(database: TestDatabase) -> None:
    database.add([OLD, '{"another": "type"}'])
    assert database.migrate(lambda op: up(op, where="id < 2")) == MigratedColumn(rows=1, changed=1)


@pytest.mark.parametrize("columns", ["tenant TEXT, number INTEGER", "tenant TEXT, number TEXT"])
def test_keys_may_have_several_columns(database: TestDatabase, columns: str, small_batches: None) -> None:
    database.run(
        "DROP TABLE contexts", f"CREATE TABLE contexts ({columns}, document TEXT, PRIMARY KEY (tenant, number))"
    )
    for number in range(10):
        database.run(f"INSERT INTO contexts VALUES ('t{number % 3}', '{number}', '{OLD}')")
    assert database.migrate(up).changed == 10
    assert {row[0] for row in database.rows("SELECT document FROM contexts")} == {NEW}


def test_a_table_without_a_key_needs_one_named(postgresql: TestDatabase, sqlite: TestDatabase) -> None:
    for database in (postgresql, sqlite):
        database.run("DROP TABLE contexts", f"CREATE TABLE contexts (id INTEGER, document {database.kind})")
        database.add([OLD] * 2)
    with pytest.raises(AtRestError, match=r"contexts has no primary key: name the columns of a unique one: key="):
        postgresql.migrate(up)
    assert postgresql.migrate(lambda op: up(op, key=["id"])).changed == 2
    assert sqlite.migrate(up).changed == 2


@pytest.mark.parametrize("ids", [(1, 1, 1, 1), (1, 2, 3, 3, 4), (1, None)])
def test_a_key_that_is_none_is_noticed(database: TestDatabase, ids: tuple[Any, ...], small_batches: None) -> None:
    database.run("DROP TABLE contexts", f"CREATE TABLE contexts (id INTEGER, document {database.kind})")
    for each in ids:
        database.run(f"INSERT INTO contexts VALUES ({each or 'NULL'}, '{OLD}')")
    before = database.documents()
    with pytest.raises(AtRestError, match=r"Name a unique key: key="):
        database.migrate(lambda op: up(op, key=["id"]))
    assert database.documents() == before


def test_large_documents_are_taken_a_few_at_a_time(sqlite: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BATCH_BYTES", 3 * len(OLD))
    monkeypatch.setattr(rows, "READ_AHEAD", 1)
    sqlite.add([OLD] * 10)
    seen: list[int] = []
    assert sqlite.migrate(lambda op: up(Shown(op, lambda done, _total: seen.append(done)))).changed == 10
    assert seen == [3, 6, 9, 10]


def test_what_a_database_refuses_to_store_is_a_row_that_fails(postgresql: TestDatabase, small_batches: None) -> None:
    """JSONB has no NUL; the other rows of the batch are written all the same, where that is asked for."""
    postgresql.run("ALTER TABLE contexts ADD CHECK (document #>> '{nodes,prep,status}' IS DISTINCT FROM 'pending')")
    bad = OLD.replace("completed", "failed")
    postgresql.add([OLD, bad, OLD])
    with pytest.raises(RowsFailedError, match="id=2: CheckViolation: the database refuses the new document"):
        postgresql.migrate(up)
    assert postgresql.migrate(lambda op: up(op, on_failure="set aside")) == MigratedColumn(
        rows=3, changed=2, set_aside=1
    )


def test_sqlite_stores_bytes_and_numbers_too(sqlite: TestDatabase) -> None:
    sqlite.add([OLD.encode(), "{"])
    sqlite.run("INSERT INTO contexts VALUES (3, X'7BFF7D')")
    with pytest.raises(RowsFailedError, match=r"id=2: DecodeError(?s:.*)id=3: DecodeError"):
        sqlite.migrate(up)
    sqlite.run("DELETE FROM contexts WHERE id > 1", "INSERT INTO contexts VALUES (2, X'')")
    sqlite.run("CREATE TABLE numbers (id INTEGER PRIMARY KEY, document)", "INSERT INTO numbers VALUES (1, 5)")
    wish: dict[str, Any] = {"chain": DEVTEAM, "event_type": "task_context", "to": "2.0"}
    numbers = sqlite.migrate(lambda op: upcast_json_column(op, "numbers", "document", **wish))
    assert numbers == MigratedColumn(rows=1, others=1)
    sqlite.run("DELETE FROM contexts WHERE id = 2")
    sqlite.migrate(up)
    assert sqlite.documents() == [NEW.encode()]


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ({"chain": "nowhere:chain"}, "chain nowhere:chain: "),
        ({"event_type": "x"}, "the chain has no type x: use one of task_context"),
        ({"to": "9"}, r"task_context has no version 9: use one of 1\.0, 1\.1, 2\.0"),
        ({"key": ["nokey"]}, "contexts has no column nokey: it has id, document"),
        ({"version_column": "v"}, "contexts has no column v"),
    ],
)
def test_wrong_names_are_reported(sqlite: TestDatabase, wish: dict[str, Any], why: str) -> None:
    with pytest.raises(AtRestError, match=why):
        sqlite.migrate(lambda op: up(op, **wish))


def test_wrong_tables_and_columns_are_reported(sqlite: TestDatabase, postgresql: TestDatabase) -> None:
    wish: dict[str, Any] = {"chain": DEVTEAM, "event_type": "task_context", "to": "2.0"}
    with pytest.raises(AtRestError, match="there is no table nowhere"):
        sqlite.migrate(lambda op: upcast_json_column(op, "nowhere", "document", **wish))
    with pytest.raises(AtRestError, match=r"contexts\.id is INTEGER: documents can stand in columns of JSON"):
        postgresql.migrate(lambda op: upcast_json_column(op, "contexts", "id", **wish))
    with pytest.raises(AtRestError, match="no SQL script can do"):
        sqlite.migrate(up, opts={"as_sql": True})


def test_nobody_else_writes_meanwhile(postgresql: TestDatabase) -> None:
    from sqlalchemy.exc import OperationalError

    postgresql.add([OLD])

    def intrude(_done: int, _total: int) -> None:
        with pytest.raises(OperationalError, match="lock timeout"):
            postgresql.run("SET lock_timeout = '50ms'", f"INSERT INTO contexts VALUES (9, '{OLD}')")

    assert postgresql.migrate(lambda op: up(Shown(op, intrude))).changed == 1
