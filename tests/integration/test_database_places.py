"""Rows of several tenants in one database: by a condition, or in a schema for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from sqlalchemy import URL, make_url

from tests.databases import TestDatabase
from upcasters import Always, Baseline, Chain, Detection, FromField, Step, assign, rename
from worker.database import AtRestError, MigratedColumn, downcast_json_column, registry, upcast_json_column
from worker.database.alembic_project import Database, reading
from worker.database.backup import make_backup, restore_backup, restored
from worker.database.comparison import Comparison, compare
from worker.database.quarantine import count
from worker.database.registry import DocumentSet
from worker.database.validation import validate

# Brought twice, a document of this chain is wrong or fails.
silent = Chain(
    [
        Step("order", "1", "2", [rename("a", "b"), assign("seen", value=1)], lossy="on purpose"),
        Step("order", "2", "3", [rename("b", "c")]),
    ],
    [Baseline("order", "1")],
    detection=Detection((Always("order"),), (FromField("v"), Always("1"))),
)
NAMED = f"{__name__}:silent"
OLD_TABLE = """CREATE TABLE upcast_columns (table_name VARCHAR(200) NOT NULL, column_name VARCHAR(200) NOT NULL,
event_type VARCHAR(200) NOT NULL, chain TEXT NOT NULL, version TEXT NOT NULL, since TEXT, version_column TEXT NOT NULL,
row_condition TEXT NOT NULL, done_up_to TEXT, changed TEXT NOT NULL,
PRIMARY KEY (table_name, column_name, event_type))"""


def up(op: Any, to: str = "2", **options: Any) -> MigratedColumn:
    return upcast_json_column(op, "orders", "document", chain=NAMED, event_type="order", to=to, **options)


def bring(database: TestDatabase, to: str = "2", **options: Any) -> MigratedColumn:
    return database.migrate(lambda op: up(op, to, **options))


def nothing(_done: int, _total: int) -> None:
    pass


def found(database: TestDatabase) -> Database:
    return Database(Config(), url_of(database), "1", ("1",))


def url_of(database: TestDatabase) -> URL:
    url = make_url(database.url)
    return url if database.is_sqlite else url.set(drivername="postgresql+psycopg")


@pytest.fixture
def sqlite(tmp_path: Path) -> TestDatabase:
    database = TestDatabase(f"sqlite:///{tmp_path / 'tenants.db'}", "TEXT")
    database.run("CREATE TABLE orders (id INTEGER PRIMARY KEY, tenant TEXT, document TEXT)")
    for number, tenant in enumerate("xxyy"):
        database.run(f"INSERT INTO orders VALUES ({number}, '{tenant}', '{{\"a\": {number}}}')")
    return database


@pytest.fixture
def postgresql(postgresql_url: str) -> TestDatabase:
    database = TestDatabase(postgresql_url, "JSONB")
    for schema in ("north", "south"):
        database.run(
            f"CREATE SCHEMA {schema}",
            f"CREATE TABLE {schema}.orders (id INTEGER PRIMARY KEY, document JSONB)",
            f"INSERT INTO {schema}.orders SELECT i, jsonb_build_object('a', i) FROM generate_series(1, 3) i",
        )
    return database


def test_each_condition_has_an_entry_of_its_own(sqlite: TestDatabase, tmp_path: Path) -> None:
    backup = make_backup(found(sqlite), tmp_path / "backup", nothing)
    for tenant in "xy":
        assert bring(sqlite, where=f"tenant = '{tenant}'") == MigratedColumn(rows=2, changed=2)
        assert bring(sqlite, where=f"tenant = '{tenant}'") == MigratedColumn(rows=2, unchanged=2)
    assert all("b" in json.loads(each) for each in sqlite.documents("orders"))
    assert bring(sqlite, "3", where="tenant = 'y'") == MigratedColumn(rows=2, changed=2)
    assert verified(sqlite, backup).findings == []
    states = validate(found(sqlite), nothing)
    assert (states.findings, [each.documents for each in states.columns]) == ([], [2, 2])
    sqlite.run("UPDATE orders SET document = '{\"a\": 9}' WHERE tenant = 'x'")
    assert "not what the chain makes" in verified(sqlite, backup).findings[0]


def verified(database: TestDatabase, backup: Any) -> Comparison:
    with restored(backup, found(database)) as before, reading(url_of(database)) as now:
        return compare(before, now, nothing)


def test_verify_finds_a_row_that_no_migration_picks(sqlite: TestDatabase, tmp_path: Path) -> None:
    backup = make_backup(found(sqlite), tmp_path / "backup", nothing)
    bring(sqlite, where="tenant = 'x'")
    assert verified(sqlite, backup).findings == []
    sqlite.run("UPDATE orders SET document = '{}' WHERE id = 3")
    assert verified(sqlite, backup).findings == [
        "orders.document 3: changed, and no migration of ours picks this row",
    ]


TOUCH = {
    True: [
        (
            "CREATE TRIGGER touch AFTER UPDATE OF document ON orders BEGIN "
            "UPDATE orders SET tenant = 'z' WHERE id = new.id; "
            "INSERT INTO audit VALUES (new.id); END"
        )
    ],
    False: [
        (
            "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN new.tenant := 'z'; INSERT INTO audit VALUES (new.id); RETURN new; END $$"
        ),
        "CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch()",
    ],
}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql_url"])
def test_what_changes_with_the_documents_is_reported(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'touch.db'}" if kind == "sqlite" else request.getfixturevalue(kind)
    database = TestDatabase(url, "TEXT")
    database.run(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, tenant TEXT, document TEXT, "
        "size INTEGER GENERATED ALWAYS AS (length(document)) STORED)",
        "CREATE TABLE audit (id INTEGER)",
        *TOUCH[database.is_sqlite],
    )
    database.add(['{"a": 1}', '{"a": 2}'], "orders")
    backup = make_backup(found(database), tmp_path / "backup", nothing)
    with pytest.raises(AtRestError, match="the generated column size, the trigger touch may change more"):
        bring(database)
    with pytest.raises(AtRestError, match="the generated column size may change more"):
        bring(database, also=["tenant"])
    with pytest.raises(AtRestError, match="names nothing, and that is no column of orders and no table"):
        bring(database, also=["nothing"])
    assert verified(database, backup).findings == []
    assert bring(database, also=["size", "tenant", "audit"]).changed == 2
    judged = verified(database, backup)
    assert (judged.findings, judged.documents) == ([], 2)
    assert "audit: changes with the documents, as a migration says: not compared" in judged.notes


def test_a_condition_that_came_later_is_asked_of_the_rows_as_they_are(sqlite: TestDatabase, tmp_path: Path) -> None:
    backup = make_backup(found(sqlite), tmp_path / "backup", nothing)
    sqlite.run("ALTER TABLE orders ADD COLUMN kind TEXT DEFAULT 'order'")
    bring(sqlite, where="kind = 'order'")
    assert verified(sqlite, backup).findings == []


def test_what_is_known_of_all_rows_is_known_of_some(sqlite: TestDatabase) -> None:
    bring(sqlite)
    assert bring(sqlite, where="tenant = 'x'") == MigratedColumn(rows=2, unchanged=2)
    assert bring(sqlite, "3", where="tenant = 'x'").changed == 2
    assert [each.documents for each in validate(found(sqlite), nothing).columns] == [2, 2]
    with pytest.raises(AtRestError, match=r"knows rows where tenant = 'x' .* at 3, and .* it knows 2: look .*since="):
        bring(sqlite, "3")
    assert bring(sqlite, "3", where="tenant <> 'x'").changed == 2
    assert bring(sqlite, "3", since="3") == MigratedColumn(rows=4, unchanged=4)
    with sqlite.connection() as connection:
        assert [each.place.condition for each in registry.entries(connection)] == [""]


def test_a_condition_in_other_words_is_not_taken_for_other_rows(sqlite: TestDatabase) -> None:
    bring(sqlite, where="tenant = 'x'")
    with pytest.raises(AtRestError, match="look at which version they are"):
        bring(sqlite, where="tenant='x'")
    assert bring(sqlite, where="tenant='x'", since="2") == MigratedColumn(rows=2, unchanged=2)


def test_rows_put_aside_are_those_of_one_condition(sqlite: TestDatabase) -> None:
    sqlite.run("UPDATE orders SET document = '{}' WHERE id IN (0, 3)")
    for tenant in "xyx":
        options = {"since": "1"} if tenant == "x" else {}
        assert bring(sqlite, where=f"tenant = '{tenant}'", on_failure="set aside", **options).set_aside >= 1
    places = [
        DocumentSet("orders", "document", "order", condition=each) for each in ("tenant = 'x'", "tenant = 'y'", "")
    ]
    with sqlite.connection() as connection:
        assert [count(connection, each) for each in places[1:]] == [1, 3]


def test_rows_that_were_left_are_at_their_version_put_aside_or_found(sqlite: TestDatabase, tmp_path: Path) -> None:
    at_two, refused = '{"v": "2", "b": 1, "seen": 1}', '{"v": "1"}'
    for number, document in enumerate((at_two, refused, "null", "[1]")):
        sqlite.run(f"UPDATE orders SET document = '{document}' WHERE id = {number}")
    sqlite.run("INSERT INTO orders VALUES (4, 'y', '{\"a\": 1}'), (5, 'y', NULL)")
    backup = make_backup(found(sqlite), tmp_path / "backup", nothing)
    assert verified(sqlite, backup).findings == []
    assert bring(sqlite, on_failure="set aside").changed == 1
    assert verified(sqlite, backup).findings == []
    sqlite.run("DELETE FROM orders_document_set_aside")
    refusal = "documents that the chain refuses were left as they were, and not all put aside: 1"
    assert verified(sqlite, backup).findings == [f"orders.document: {refusal}"]
    again = make_backup(found(sqlite), tmp_path / "again", nothing)
    assert verified(sqlite, again).findings == []


@pytest.mark.parametrize("commit", ["migration", "batch"])
def test_a_registry_of_an_earlier_release_is_read_and_rebuilt(sqlite: TestDatabase, commit: Any) -> None:
    entry = f"'document', 'order', '{NAMED}', '2', NULL, '', '', NULL, 'then'"
    sqlite.run(OLD_TABLE, f"INSERT INTO upcast_columns VALUES ('orders', {entry}), ('gone', {entry})")
    sqlite.run('UPDATE orders SET document = \'{"b": 1, "seen": 1}\'')
    assert [each.documents for each in validate(found(sqlite), nothing).columns] == [4]
    assert bring(sqlite, "3", commit=commit).changed == 4
    with sqlite.connection() as connection:
        entries = {each.place.table: (each.version, each.format) for each in registry.entries(connection)}
    assert entries == {"orders": ("3", registry.FORMAT), "gone": ("2", 1)}


def test_what_an_earlier_release_cannot_tell_is_asked(sqlite: TestDatabase) -> None:
    """It noted the last condition only, and took the other rows to be at that version."""
    entry = f"'orders', 'document', 'order', '{NAMED}', '2', NULL, '', 'tenant = ''y''', NULL, 'then'"
    sqlite.run(OLD_TABLE, f"INSERT INTO upcast_columns VALUES ({entry})")
    with pytest.raises(AtRestError, match='since="…"'):
        bring(sqlite, where="tenant = 'x'")
    assert bring(sqlite, where="tenant = 'x'", since="1").changed == 2


@pytest.mark.long
def test_each_schema_is_backed_up_brought_verified_and_validated(postgresql: TestDatabase, tmp_path: Path) -> None:
    backup = make_backup(found(postgresql), tmp_path / "backup", nothing)
    assert {"north.orders", "south.orders"} <= backup.tables.keys()
    for schema in ("north", "south"):
        assert bring(postgresql, schema=schema) == MigratedColumn(rows=3, changed=3)
        assert all("b" in json.loads(each) for each in postgresql.documents(f"{schema}.orders"))
    assert bring(postgresql, schema="south") == MigratedColumn(rows=3, unchanged=3)
    judged = verified(postgresql, backup)
    assert (judged.findings, judged.documents, judged.tables) == ([], 6, 2)
    states = validate(found(postgresql), nothing)
    assert states.findings == []
    assert [(each.place, each.documents) for each in states.columns] == [
        ("north.orders.document", 3),
        ("south.orders.document", 3),
    ]
    postgresql.run('UPDATE south.orders SET document = \'{"v": "1", "a": 1}\'')
    assert "south.orders.document: 3 documents are not valid" in validate(found(postgresql), nothing).findings[-1]
    assert "south.orders.document 1: not what" in verified(postgresql, backup).findings[0]
    postgresql.run("DELETE FROM north.orders WHERE id = 1")
    assert "north.orders: 3 rows before, 2 now" in verified(postgresql, backup).findings
    restore_backup(backup, found(postgresql), nothing)
    assert verified(postgresql, backup).findings == []
    assert postgresql.rows("SELECT to_regclass('upcast_columns')") == [(None,)]


def test_a_row_that_was_left_behind_is_found(postgresql: TestDatabase, tmp_path: Path) -> None:
    """Where documents do not tell their version, only the backup tells that one of them did not come along."""
    backup = make_backup(found(postgresql), tmp_path / "backup", nothing)
    for schema in ("north", "south"):
        bring(postgresql, schema=schema)
    postgresql.run("UPDATE south.orders SET document = jsonb_build_object('a', id) WHERE id > 1")
    left = "left as it was, and the chain makes another document of it"
    assert verified(postgresql, backup).findings == [f"south.orders.document {number}: {left}" for number in (2, 3)]


def test_a_registry_in_each_tenants_schema_is_found(postgresql: TestDatabase) -> None:
    """As Alembic's cookbook has it: the search path chooses the tenant."""

    def north(op: Any) -> MigratedColumn:
        op.execute("SET search_path TO north")
        return up(op)

    def south(op: Any) -> MigratedColumn:
        op.execute("SET search_path TO south")
        return up(op)

    assert postgresql.migrate(north).changed == 3
    assert postgresql.migrate(south).changed == 3
    states = validate(found(postgresql), nothing)
    assert [each.place for each in states.columns] == ["north.orders.document", "south.orders.document"]


@pytest.mark.long
def test_a_schema_that_an_earlier_release_did_not_note(postgresql: TestDatabase) -> None:
    entry = f"'orders', 'document', 'order', '{NAMED}', '2', NULL, '', '', NULL, 'then'"
    postgresql.run(OLD_TABLE, f"INSERT INTO upcast_columns VALUES ({entry})")
    with pytest.raises(AtRestError, match='since="…"'):
        bring(postgresql, "3", schema="north")
    assert bring(postgresql, "3", schema="north", since="1").changed == 3
    postgresql.run("DROP SCHEMA south CASCADE", "DROP TABLE upcast_columns", OLD_TABLE)
    postgresql.run(
        f"INSERT INTO upcast_columns VALUES ({entry})",
        'UPDATE north.orders SET document = \'{"b": 1, "seen": 1}\'',
    )
    assert bring(postgresql, "3", schema="north").changed == 3


def test_the_same_table_by_another_name_is_the_same(postgresql: TestDatabase) -> None:
    postgresql.run("CREATE TABLE orders (id INTEGER PRIMARY KEY, document JSONB)")
    postgresql.add(['{"a": 1}'], "orders")
    assert bring(postgresql).changed == 1
    assert bring(postgresql, schema="public") == MigratedColumn(rows=1, unchanged=1)
    wish: dict[str, Any] = {"chain": silent, "event_type": "order", "to": "1", "schema": "public", "allow_loss": True}
    assert postgresql.migrate(lambda op: downcast_json_column(op, "orders", "document", **wish)).changed == 1
