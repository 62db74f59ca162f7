"""Columns of bytes by schemas, of Avro and Protobuf: SQLite and PostgreSQL, up, down, verified and validated."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import fastavro
import pytest
from alembic.config import Config
from fastavro.schema import fingerprint, to_parsing_canonical_form
from sqlalchemy import URL, make_url, text

from tests.databases import TestDatabase
from upcasters import Baseline, Chain, Step, add, present, rename
from upcasters.formats import Schema
from worker.database import AtRestError, MigratedColumn, RowsFailedError, downcast_column, upcast_column
from worker.database.alembic_project import Database, reading
from worker.database.backup import make_backup, restored
from worker.database.comparison import Comparison, compare
from worker.database.encodings import avro_fingerprint
from worker.database.validation import validate

MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
AVRO_1 = {
    "type": "record",
    "name": "shop.Order",
    "fields": [{"name": "custId", "type": "long"}, {"name": "total", "type": MONEY}],
}
AVRO_2 = {
    "type": "record",
    "name": "shop.Order",
    "fields": [
        {"name": "customer_id", "type": "long"},
        {"name": "total", "type": MONEY},
        {"name": "currency", "type": "string"},
    ],
}
PROTO_1 = 'syntax = "proto3"; package shop; message Order { int64 custId = 1; double total = 2; }'
PROTO_2 = """syntax = "proto3"; package shop;
message Order { int64 customer_id = 1; double total = 2; string currency = 3; }"""


def chain_of(old: Schema, new: Schema) -> Chain:
    step = Step(
        *("order", "1", "2", [rename("custId", "customer_id"), add("currency", "EUR")]),
        shape=present("currency"),
        schema=new,
    )
    return Chain([step], [Baseline("order", "1", shape=present("custId"), schema=old)])


avro = chain_of(Schema("avro", json.dumps(AVRO_1)), Schema("avro", json.dumps(AVRO_2)))
protobuf = chain_of(Schema("protobuf", PROTO_1), Schema("protobuf", PROTO_2))
bare = Chain([Step("order", "1", "2", [rename("a", "b")])], [Baseline("order", "1")])


def avro_bytes(schema: Any, row: dict[str, Any]) -> bytes:
    made = io.BytesIO()
    fastavro.schemaless_writer(made, fastavro.parse_schema(schema), row)
    return made.getvalue()


def single_object(schema: Any, row: dict[str, Any]) -> bytes:
    """By fastavro alone."""
    mark = bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
    return b"\xc3\x01" + mark + avro_bytes(schema, row)


OLD_ROWS = [{"custId": number, "total": Decimal(number) / 4} for number in (7, 0, 2**40)]
NEW_ROWS = [{"customer_id": row["custId"], "total": row["total"], "currency": "EUR"} for row in OLD_ROWS]
PROTO_OLD = [b"\x08\x07\x11" + b"\0" * 6 + b"\xf8\x3f", b"\x08\x01", b"\x08\x80\x80\x80\x80\x80\x20"]
PROTO_NEW = [each + b"\x1a\x03EUR" for each in PROTO_OLD]


class Kind(NamedTuple):
    """Documents of one encoding, old and new, and how a migration is told of them."""

    encoding: str
    chain: str
    old: list[bytes]
    new: list[bytes]
    up: dict[str, str]
    down: dict[str, str]


VERSIONED = {"version_column": "version"}
KINDS = [
    Kind(
        "avro-single-object",
        "avro",
        [single_object(AVRO_1, row) for row in OLD_ROWS],
        [single_object(AVRO_2, row) for row in NEW_ROWS],
        {},
        {},
    ),
    Kind(
        "avro",
        "avro",
        [avro_bytes(AVRO_1, row) for row in OLD_ROWS],
        [avro_bytes(AVRO_2, row) for row in NEW_ROWS],
        {"since": "1"},
        {},
    ),
    Kind(
        "avro",
        "avro",
        [avro_bytes(AVRO_1, row) for row in OLD_ROWS],
        [avro_bytes(AVRO_2, row) for row in NEW_ROWS],
        VERSIONED,
        VERSIONED,
    ),
    Kind("protobuf", "protobuf", PROTO_OLD, PROTO_NEW, VERSIONED, VERSIONED),
    Kind("protobuf", "protobuf", PROTO_OLD, PROTO_NEW, {"since": "1"}, {}),
]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> TestDatabase:
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'orders.db'}" if is_sqlite else request.getfixturevalue("postgresql_url")
    found = TestDatabase(url, "BLOB" if is_sqlite else "BYTEA")
    found.run(f"CREATE TABLE orders (id INTEGER PRIMARY KEY, version TEXT, document {found.kind}, note {found.kind})")
    return found


def fill(database: TestDatabase, documents: list[bytes | None]) -> None:
    with database.connection() as connection:
        for number, document in enumerate(documents, start=1):
            connection.execute(
                text("INSERT INTO orders VALUES (:id, '1', :document, NULL)"), {"id": number, "document": document}
            )
        connection.commit()


def stored(database: TestDatabase) -> list[bytes | None]:
    rows = database.rows("SELECT document FROM orders ORDER BY id")
    return [None if row[0] is None else bytes(row[0]) for row in rows]


Change = Callable[..., MigratedColumn]


def bring(database: TestDatabase, change: Change, kind: Kind, to: str, **options: Any) -> MigratedColumn:
    name = f"{__name__}:{kind.chain}"
    asked = {"chain": name, "event_type": "order", "to": to, "encoding": kind.encoding, **options}
    return database.migrate(lambda op: change(op, "orders", "document", **asked))


def at(database: TestDatabase) -> Database:
    return Database(Config(), url_of(database), "1", ("1",))


def url_of(database: TestDatabase) -> URL:
    url = make_url(database.url)
    return url if database.is_sqlite else url.set(drivername="postgresql+psycopg")


def nothing(_done: int, _total: int) -> None:
    """Nobody looks on."""


def verified(database: TestDatabase, backup: Any) -> Comparison:
    with restored(backup, at(database)) as before, reading(url_of(database)) as now:
        return compare(before, now, nothing)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.encoding}-{'-'.join(kind.up)}")
def test_from_backup_to_proof_and_back(database: TestDatabase, tmp_path: Path, kind: Kind) -> None:
    fill(database, [*kind.old, None])
    backup = make_backup(at(database), tmp_path / "backup", nothing)
    assert bring(database, upcast_column, kind, "2", **kind.up) == MigratedColumn(rows=4, changed=3, empty=1)
    assert stored(database) == [*kind.new, None]
    result = verified(database, backup)
    assert (result.findings, result.documents, result.same_back) == ([], 3, 3)
    [column] = validate(at(database), nothing).columns
    assert (column.documents, column.empty, column.failures.count) == (3, 1, 0)
    assert bring(database, upcast_column, kind, "2", **{**kind.up, "since": "2"}).unchanged == 3
    assert bring(database, downcast_column, kind, "1", **kind.down).changed == 3
    assert stored(database) == [*kind.old, None]
    if "version_column" in kind.up:
        assert database.rows("SELECT DISTINCT version FROM orders") == [("1",)]


@pytest.mark.parametrize("kind", KINDS[:1], ids=lambda kind: kind.encoding)
def test_a_change_behind_the_migration_is_found(database: TestDatabase, tmp_path: Path, kind: Kind) -> None:
    fill(database, [*kind.old])
    backup = make_backup(at(database), tmp_path / "backup", nothing)
    bring(database, upcast_column, kind, "2", **kind.up)
    other = single_object(AVRO_2, {**NEW_ROWS[0], "currency": "USD"})
    with database.connection() as connection:
        connection.execute(text("UPDATE orders SET document = :given WHERE id = 1"), {"given": other})
        connection.execute(text("UPDATE orders SET document = :given WHERE id = 2"), {"given": kind.new[1][:-1]})
        connection.commit()
    findings = verified(database, backup).findings
    assert findings == [f"orders.document {n}: not what the chain makes of the backup's document" for n in (1, 2)]
    result = validate(at(database), nothing)
    assert result.columns[0].failures.count == 1
    assert "id=2" in result.findings[0]


HOSTILE = [
    (b"", "it does not begin as Avro's single-object encoding"),
    (b"{}", "it does not begin as Avro's single-object encoding"),
    (b"null", "it does not begin as Avro's single-object encoding"),
    (b"\xc3\x01" + b"\0" * 12, "the fingerprint of its schema is that of no version of the chain"),
    (KINDS[0].old[0][:-1], "DecodeError"),
    (KINDS[0].new[0] + b"\0", "DecodeError"),
]


def test_what_is_no_such_document_stops_it_and_nothing_is_changed(database: TestDatabase) -> None:
    before = [KINDS[0].old[0], *(document for document, _ in HOSTILE)]
    fill(database, [*before])
    with pytest.raises(RowsFailedError) as refused:
        bring(database, upcast_column, KINDS[0], "2")
    assert stored(database) == before
    assert refused.value.count == len(HOSTILE)
    lines = str(refused.value).splitlines()
    for number, (_, why) in enumerate(HOSTILE, start=2):
        assert any(f"id={number}" in line and why in line for line in lines), (number, lines)


def test_a_row_whose_column_says_another_version_than_its_document_fails(sqlite: TestDatabase) -> None:
    fill(sqlite, [KINDS[0].old[0], KINDS[0].new[0]])
    with pytest.raises(
        RowsFailedError, match="fingerprint of its schema is that of another version than the row's"
    ) as it:
        bring(sqlite, upcast_column, KINDS[0], "2", version_column="version")
    assert it.value.count == 1


same_twice = chain_of(Schema("avro", json.dumps(AVRO_2)), Schema("avro", json.dumps(AVRO_2)))


def test_a_schema_of_two_versions_tells_none(sqlite: TestDatabase) -> None:
    fill(sqlite, [KINDS[0].new[0]])
    with pytest.raises(RowsFailedError, match="fingerprint of its schema is that of several versions"):
        bring(sqlite, upcast_column, KINDS[0]._replace(chain="same_twice"), "2")


def test_what_fails_can_be_put_aside(database: TestDatabase) -> None:
    fill(database, [KINDS[0].old[0], b"\xff"])
    result = bring(database, upcast_column, KINDS[0], "2", on_failure="set aside")
    assert (result.changed, result.set_aside) == (1, 1)
    assert database.rows("SELECT document FROM orders_document_set_aside") == [("\\xff",)]


def test_batch_by_batch(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.database.rows.BATCH_ROWS", 2)
    kind = KINDS[1]
    fill(database, [*kind.old])
    result = bring(database, upcast_column, kind, "2", since="1", commit="batch")
    assert result == MigratedColumn(rows=3, changed=3)
    assert stored(database) == kind.new


@pytest.mark.parametrize(
    ("kind", "options", "why"),
    [
        (KINDS[1], {}, 'documents of order do not tell their version in this encoding: .*since="…"'),
        (KINDS[0]._replace(chain="bare"), {}, "order 1 has no schema of avro, but none: name one in the chain"),
        (KINDS[0]._replace(encoding="protobuf"), {"since": "1"}, "order 1 has no schema of protobuf, but one of avro"),
        (KINDS[0]._replace(encoding="xml"), {}, "encoding 'xml': use one of json, avro, avro-single-object, protobuf"),
    ],
)
def test_what_cannot_work_is_refused(sqlite: TestDatabase, kind: Kind, options: dict[str, str], why: str) -> None:
    fill(sqlite, [*kind.old])
    with pytest.raises(AtRestError, match=why):
        bring(sqlite, upcast_column, kind, "2", **options)
    assert stored(sqlite) == kind.old


@pytest.fixture
def sqlite(tmp_path: Path) -> TestDatabase:
    found = TestDatabase(f"sqlite:///{tmp_path / 'orders.db'}", "BLOB")
    found.run("CREATE TABLE orders (id INTEGER PRIMARY KEY, version TEXT, document BLOB, note BLOB)")
    return found


def test_bytes_and_text_are_not_mixed_up(request: pytest.FixtureRequest) -> None:
    found = TestDatabase(request.getfixturevalue("postgresql_url"), "BYTEA")
    found.run("CREATE TABLE orders (id INTEGER PRIMARY KEY, version TEXT, document BYTEA, note TEXT)")
    with pytest.raises(AtRestError, match=r"orders.document is BYTEA: documents can stand in columns of JSON"):
        bring(found, upcast_column, KINDS[0]._replace(encoding="json"), "2")
    name = f"{__name__}:avro"
    with pytest.raises(AtRestError, match=r"orders.note is TEXT: documents in bytes stand in a column of BYTEA"):
        found.migrate(
            lambda op: upcast_column(
                op, "orders", "note", chain=name, event_type="order", to="2", encoding="avro-single-object"
            )
        )


def test_the_fingerprint_is_that_of_the_specification() -> None:
    """Of "int": the value that Avro's own tests have."""
    assert avro_fingerprint(Schema("avro", '"int"')).hex() == "8f5c393f1ad57572"


OLDER_TABLE = """CREATE TABLE upcast_columns (schema_name VARCHAR(200) NOT NULL, table_name VARCHAR(200) NOT NULL,
column_name VARCHAR(200) NOT NULL, event_type VARCHAR(200) NOT NULL, row_condition TEXT NOT NULL, chain TEXT NOT NULL,
version TEXT NOT NULL, since TEXT, version_column TEXT NOT NULL, done_up_to TEXT, also TEXT NOT NULL,
format INTEGER NOT NULL, changed TEXT NOT NULL,
PRIMARY KEY (schema_name, table_name, column_name, event_type, row_condition))"""


def test_the_registry_of_the_release_before_is_read_and_renewed(sqlite: TestDatabase) -> None:
    kind = KINDS[1]
    name = f"{__name__}:avro"
    values = f"('', 'orders', 'note', 'order', '', '{name}', '2', '1', '', NULL, '[]', 2, 'then')"
    sqlite.run(OLDER_TABLE, f"INSERT INTO upcast_columns VALUES {values}")
    fill(sqlite, [*kind.old])
    bring(sqlite, upcast_column, kind, "2", since="1")
    assert sqlite.rows("SELECT column_name, version, encoding FROM upcast_columns ORDER BY 1") == [
        ("document", "2", "avro"),
        ("note", "2", "json"),
    ]
