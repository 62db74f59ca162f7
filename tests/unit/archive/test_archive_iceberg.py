"""A table of Iceberg: the files of its current snapshot, where files alone are the table.

`make archive-check` does the same with a table that Spark has written.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pyarrow.parquet as pq
import pytest

from tests.unit.archive.archives import OLD, VALUES, planned, ran, records, refuse_plan, verified, visible
from worker.errors import WorkerError

MANIFEST = {
    "type": "record",
    "name": "manifest_file",
    "fields": [{"name": "manifest_path", "type": "string"}, {"name": "content", "type": "int"}],
}
ENTRY = {
    "type": "record",
    "name": "manifest_entry",
    "fields": [
        {"name": "status", "type": "int"},
        {
            "name": "data_file",
            "type": {"type": "record", "name": "r2", "fields": [{"name": "file_path", "type": "string"}]},
        },
    ],
}
FIELDS = [{"id": 1, "name": "value", "required": False, "type": "binary"}]


class Table:
    """A table whose files and metadata are written by hand."""

    def __init__(self, folder: Path, location: str = "") -> None:
        self.folder = folder
        self.location = location or f"file:{folder}"
        self.schemas: list[dict[str, Any]] = [{"schema-id": 0, "fields": FIELDS}]
        self.version = 0
        (folder / "metadata").mkdir(parents=True)
        (folder / "data").mkdir()

    def write(self, name: str, rows: int = 10) -> str:
        pq.write_table(records(VALUES * rows), self.folder / "data" / name)
        return f"{self.location}/data/{name}"

    def commit(self, *live: str, gone: tuple[str, ...] = (), deletes: tuple[str, ...] = ()) -> None:
        """A snapshot of these files."""
        self.version += 1
        entries = [{"status": 1, "data_file": {"file_path": path}} for path in live]
        entries += [{"status": 2, "data_file": {"file_path": path}} for path in gone]
        manifests = [{"manifest_path": self.avro("m0", ENTRY, entries), "content": 0}]
        if deletes:
            removed = [{"status": 1, "data_file": {"file_path": path}} for path in deletes]
            manifests.append({"manifest_path": self.avro("m1", ENTRY, removed), "content": 1})
        snapshot = {"snapshot-id": self.version, "manifest-list": self.avro("snap", MANIFEST, manifests)}
        table = {
            "format-version": 2,
            "location": self.location,
            "schemas": self.schemas,
            "current-snapshot-id": self.version,
            "snapshots": [{"snapshot-id": 0, "manifest-list": "is gone"}, snapshot],
        }
        self.say(table)

    def say(self, table: dict[str, Any]) -> None:
        (self.folder / "metadata" / f"v{self.version}.metadata.json").write_text(json.dumps(table), encoding="utf-8")
        (self.folder / "metadata" / "version-hint.text").write_text(f"{self.version}", encoding="utf-8")

    def avro(self, name: str, schema: dict[str, Any], rows: list[dict[str, Any]]) -> str:
        file = self.folder / "metadata" / f"{name}-{self.version}.avro"
        with file.open("wb") as stream:
            fastavro.writer(stream, schema, rows)
        return f"{self.location}/metadata/{file.name}"


@pytest.fixture
def table(tmp_path: Path) -> Table:
    table = Table(tmp_path / "orders")
    table.commit(table.write("a.parquet"), table.write("b.parquet"), gone=(table.write("old.parquet"),))
    table.write("never-committed.parquet")
    return table


def test_the_files_of_the_current_snapshot_are_the_archive(table: Table, tmp_path: Path) -> None:
    receipt = ran(planned(table.folder, tmp_path / "current"), tmp_path / "receipt.json")
    assert [file.path for file in receipt.files] == ["data/a.parquet", "data/b.parquet"]
    assert verified(receipt).findings.lines() == []
    assert {name.partition("/")[0] for name in visible(tmp_path / "current")} == {"events", "dead-letters", "skipped"}


@pytest.mark.parametrize("location", ["file:///lake/shop/orders", "/lake/shop/orders", "s3://lake/shop/orders"])
def test_a_table_that_was_moved_is_read_where_it_is(tmp_path: Path, location: str) -> None:
    table = Table(tmp_path / "orders", location)
    table.commit(table.write("a.parquet"))
    assert [file.path for file in planned(table.folder, tmp_path / "current").files] == ["data/a.parquet"]


def test_a_table_that_has_changed_since_the_plan_is_refused(table: Table, tmp_path: Path) -> None:
    plan = planned(table.folder, tmp_path / "current")
    table.commit(table.write("a.parquet"), table.write("c.parquet"))
    with pytest.raises(WorkerError, match=r"data/.*\.parquet .* since the plan: plan again"):
        ran(plan, tmp_path / "receipt.json")
    assert not (tmp_path / "current").exists()


def rows_are_deleted(table: Table) -> None:
    table.commit(table.write("a.parquet"), deletes=(f"{table.location}/data/deletes.parquet",))


def columns_have_changed(table: Table) -> None:
    table.schemas.append({"schema-id": 1, "fields": [*FIELDS, {**FIELDS[0], "id": 2, "name": "more"}]})
    table.commit(table.write("a.parquet"))


def no_hint(table: Table) -> None:
    (table.folder / "metadata" / "version-hint.text").unlink()


def outside(table: Table) -> None:
    table.commit("s3://elsewhere/a.parquet")


def above(table: Table) -> None:
    table.commit(f"{table.location}/data/../../elsewhere/a.parquet")


def hint_names_no_version(table: Table) -> None:
    (table.folder / "metadata" / "version-hint.text").write_text("1/../../../elsewhere/v1", encoding="utf-8")


def manifest_counts_fewer_files(table: Table) -> None:
    """One of its two live files would not be read."""
    manifest = table.folder / "metadata" / "m0-1.avro"
    whole = manifest.read_bytes()
    start = whole.index(whole[-16:]) + 16
    assert whole[start] == 6  # three entries, as Avro writes a number
    manifest.write_bytes(whole[:start] + b"\x02" + whole[start + 1 :])


def of_format_1(table: Table) -> None:
    table.say({"location": table.location, "current-snapshot-id": 1, "snapshots": [{"snapshot-id": 1}]})


def no_metadata(table: Table) -> None:
    (table.folder / "metadata" / "v1.metadata.json").write_text('{"location"', encoding="utf-8")


def manifest_is_cut(table: Table) -> None:
    manifest = table.folder / "metadata" / "m0-1.avro"
    manifest.write_bytes(manifest.read_bytes()[:-20])


def manifest_is_overwritten(table: Table) -> None:
    manifest = table.folder / "metadata" / "m0-1.avro"
    with manifest.open("wb") as stream:
        fastavro.writer(stream, ENTRY, [{"status": 1, "data_file": {"file_path": "a" * 100}}], codec="snappy")
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[:-30] + b"\xff" * 10 + whole[-20:])


def location_is_a_number(table: Table) -> None:
    told = json.loads((table.folder / "metadata" / "v1.metadata.json").read_text(encoding="utf-8"))
    table.say({**told, "location": 5})


def file_is_gone(table: Table) -> None:
    (table.folder / "data" / "a.parquet").unlink()


def inside_a_folder(table: Table) -> None:
    table.folder.rename(table.folder.with_name("moved"))
    table.folder.mkdir()
    table.folder.with_name("moved").rename(table.folder / "inner")


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (rows_are_deleted, "of which rows are deleted beside its files .*: read it with Spark"),
        (columns_have_changed, "whose columns have changed, so that its files have others than it: read it with Spark"),
        (no_hint, "without version-hint.text, so that its catalog alone knows its current snapshot: read it with"),
        (outside, "with a file outside of its folder, s3://elsewhere/a.parquet: read it with Spark"),
        (above, r"with a file outside of its folder, .*/elsewhere/a.parquet: read it with Spark"),
        (hint_names_no_version, "whose metadata/version-hint.text names no version: read it with Spark"),
        (manifest_counts_fewer_files, "is a table of Iceberg whose metadata cannot be read: .*: restore it"),
        (of_format_1, "of format 1, .*: read it with Spark"),
        (no_metadata, "is a table of Iceberg whose metadata cannot be read: .*: restore it"),
        (manifest_is_cut, "is a table of Iceberg whose metadata cannot be read: .*: restore it"),
        (manifest_is_overwritten, "is a table of Iceberg whose metadata cannot be read: .*: restore it"),
        (location_is_a_number, "is a table of Iceberg whose metadata cannot be read: .*: restore it"),
        (file_is_gone, "data/a.parquet is gone, which the table needs: restore it"),
        (inside_a_folder, "holds a table of Iceberg, inner/metadata: give the table's own folder"),
    ],
)
def test_a_table_that_is_more_than_files_is_refused_in_one_line(
    table: Table, tmp_path: Path, spoil: Callable[[Table], None], line: str
) -> None:
    spoil(table)
    refuse_plan(table.folder, tmp_path / "current", line)


def test_a_folder_that_is_called_metadata_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "orders" / "metadata").mkdir(parents=True)
    (tmp_path / "orders" / "metadata" / "a.jsonl").write_bytes(OLD)
    assert [file.path for file in planned(tmp_path / "orders", tmp_path / "current").files] == ["metadata/a.jsonl"]
