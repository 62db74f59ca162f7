"""A table of Delta: the files that its log leaves, where files alone are the table.

`make archive-check` does the same with a table that Spark has written.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.archive.archives import VALUES, planned, ran, records, refuse_plan, verified
from worker.errors import WorkerError

Line = dict[str, Any]
DELETED = pa.struct(
    [
        *(("storageType", pa.string()), ("pathOrInlineDv", pa.string()), ("offset", pa.int32())),
        *(("sizeInBytes", pa.int32()), ("cardinality", pa.int64()), ("maxRowIndex", pa.int64())),
    ]
)
FILE = pa.struct([("path", pa.string()), ("deletionVector", DELETED)])
CHECKPOINT = pa.schema(
    [
        ("add", FILE),
        ("remove", FILE),
        ("protocol", pa.struct([("minReaderVersion", pa.int32()), ("readerFeatures", pa.list_(pa.string()))])),
        (
            "metaData",
            pa.struct(
                [
                    ("partitionColumns", pa.list_(pa.string())),
                    ("configuration", pa.map_(pa.string(), pa.string())),
                ]
            ),
        ),
    ]
)


class Table:
    """A table whose files and log are written by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "_delta_log"
        self.log.mkdir(parents=True)
        self.version = -1
        self.commit(protocol(1), metadata())

    def commit(self, *lines: Line) -> None:
        self.version += 1
        content = "\n".join(json.dumps(line) for line in [{"commitInfo": {}}, *lines])
        (self.log / f"{self.version:020}.json").write_text(content, encoding="utf-8")

    def add(self, path: str, **more: object) -> Line:
        """Its file, too."""
        file = self.folder / path.replace("%20", " ")
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(records(VALUES * 10), file)
        return {"add": {"path": path, **more}}

    def checkpoint(self, parts: list[list[Line]]) -> None:
        """At the version of now; the commits up to it are gone."""
        for number, lines in enumerate(parts, start=1):
            of = f".{number:010}.{len(parts):010}" if len(parts) > 1 else ""
            table = pa.Table.from_pylist(lines, CHECKPOINT)
            pq.write_table(table, self.log / f"{self.version:020}.checkpoint{of}.parquet")
        for commit in self.log.glob("*.json"):
            commit.unlink()

    def paths(self, to: Path) -> list[str]:
        return [file.path for file in planned(self.folder, to).files]


def protocol(version: int, *features: str) -> Line:
    return {"protocol": {"minReaderVersion": version, **({"readerFeatures": list(features)} if features else {})}}


def metadata(*partitions: str, **configuration: str) -> Line:
    return {"metaData": {"partitionColumns": list(partitions), "configuration": configuration}}


def remove(path: str, **more: object) -> Line:
    return {"remove": {"path": path, **more}}


@pytest.fixture
def table(tmp_path: Path) -> Table:
    table = Table(tmp_path / "orders")
    table.commit(table.add("a.parquet"), table.add("old.parquet"))
    table.commit(remove("old.parquet"), table.add("b.parquet"))
    table.add("never-committed.parquet")
    return table


def test_the_files_that_the_log_leaves_are_the_archive(table: Table, tmp_path: Path) -> None:
    receipt = ran(planned(table.folder, tmp_path / "current"), tmp_path / "receipt.json")
    assert [file.path for file in receipt.files] == ["a.parquet", "b.parquet"]
    assert verified(receipt).findings.lines() == []


def test_a_file_may_come_back_and_a_path_has_its_signs_written_out(table: Table, tmp_path: Path) -> None:
    table.commit(remove("a.parquet"))
    table.commit(table.add("a.parquet"), table.add("day=2019-01-01%20x/c.parquet"))
    assert table.paths(tmp_path / "current") == ["a.parquet", "b.parquet", "day=2019-01-01 x/c.parquet"]


@pytest.mark.parametrize("parts", [1, 2])
def test_a_checkpoint_takes_the_place_of_the_commits_before_it(table: Table, tmp_path: Path, parts: int) -> None:
    lines = [protocol(1), metadata(), table.add("a.parquet"), table.add("b.parquet"), remove("old.parquet")]
    table.checkpoint([lines] if parts == 1 else [lines[:3], lines[3:]])
    assert table.paths(tmp_path / "current") == ["a.parquet", "b.parquet"]
    table.commit(remove("b.parquet"), table.add("c.parquet"))
    assert table.paths(tmp_path / "current") == ["a.parquet", "c.parquet"]


def test_a_checkpoint_without_all_of_its_parts_is_none(table: Table, tmp_path: Path) -> None:
    part = f"{table.version:020}.checkpoint.{1:010}.{2:010}.parquet"
    pq.write_table(pa.Table.from_pylist([table.add("old.parquet")], CHECKPOINT), table.log / part)
    assert table.paths(tmp_path / "current") == ["a.parquet", "b.parquet"]


def test_rows_that_were_deleted_before_a_checkpoint_may_be_rewritten_after_it(table: Table, tmp_path: Path) -> None:
    """A checkpoint says more of what is deleted than the commit that takes the file out."""
    deleted = {"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 4}
    whole = {**deleted, "sizeInBytes": 40, "cardinality": 6}
    lines = [protocol(3, "deletionVectors"), metadata(), {"add": {"path": "b.parquet", "deletionVector": whole}}]
    table.checkpoint([lines])
    table.commit(remove("b.parquet", deletionVector=deleted), table.add("c.parquet"))
    assert table.paths(tmp_path / "current") == ["c.parquet"]


def test_features_under_which_files_are_all_are_taken(table: Table, tmp_path: Path) -> None:
    table.commit(protocol(3, "deletionVectors", "timestampNtz", "columnMapping"))
    assert table.paths(tmp_path / "current") == ["a.parquet", "b.parquet"]


def test_a_table_that_has_changed_since_the_plan_is_refused(table: Table, tmp_path: Path) -> None:
    plan = planned(table.folder, tmp_path / "current")
    table.commit(table.add("c.parquet"))
    with pytest.raises(WorkerError, match=r"c.parquet is new since the plan: plan again"):
        ran(plan, tmp_path / "receipt.json")
    assert not (tmp_path / "current").exists()


def rows_are_deleted(table: Table) -> None:
    """A file is put back with rows that are deleted; the one that is taken out stands behind it."""
    added = table.add("a.parquet", deletionVector={"storageType": "u", "pathOrInlineDv": "x"})
    table.commit(protocol(3, "deletionVectors"), added, remove("a.parquet"))


def other_names(table: Table) -> None:
    table.commit(protocol(2), metadata(**{"delta.columnMapping.mode": "name"}))


def more_is_asked(table: Table) -> None:
    table.commit(protocol(3, "typeWidening", "deletionVectors"))


def from_the_future(table: Table) -> None:
    table.commit(protocol(4))


def outside(table: Table) -> None:
    table.commit({"add": {"path": "s3://elsewhere/a.parquet"}})


def above(table: Table) -> None:
    table.commit({"add": {"path": "../elsewhere/a.parquet"}})


def partition_is_the_end_of_another(table: Table) -> None:
    removed = [remove(name) for name in ("a.parquet", "b.parquet")]
    table.commit(metadata("day"), *removed, table.add("birthday=1/a.parquet"))


def partition_is_not_in_the_path(table: Table) -> None:
    table.commit(metadata("day"))


def other_checkpoint(table: Table) -> None:
    (table.log / f"{table.version:020}.checkpoint.9f0c5b1e-0000-4000-8000-000000000000.json").touch()


def a_commit_is_gone(table: Table) -> None:
    (table.log / f"{1:020}.json").unlink()


def a_commit_is_cut(table: Table) -> None:
    (table.log / f"{1:020}.json").write_text('{"add": {"path', encoding="utf-8")


def an_action_is_none(table: Table) -> None:
    with (table.log / f"{1:020}.json").open("a", encoding="utf-8") as log:
        log.write("\n[1]")


def an_action_has_no_end(table: Table) -> None:
    (table.log / f"{1:020}.json").write_text("[" * 100_000, encoding="utf-8")


def the_log_is_empty(table: Table) -> None:
    for commit in table.log.iterdir():
        commit.unlink()


def a_file_is_gone(table: Table) -> None:
    (table.folder / "a.parquet").unlink()


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (rows_are_deleted, "of which rows are deleted beside its files .*: read it with Spark"),
        (other_names, "whose columns have other names in its files: read it with Spark"),
        (more_is_asked, r"that asks more of its readers than files \(typeWidening\): read it with Spark"),
        (from_the_future, r"that asks more of its readers than files \(version 4\): read it with Spark"),
        (outside, "with a file outside of its folder, s3://elsewhere/a.parquet: read it with Spark"),
        (above, "with a file outside of its folder, ../elsewhere/a.parquet: read it with Spark"),
        (partition_is_the_end_of_another, "do not say in their path of which partition they are: read it with Spark"),
        (partition_is_not_in_the_path, "do not say in their path of which partition they are: read it with Spark"),
        (other_checkpoint, "with a checkpoint of another kind, .*: read it with Spark"),
        (a_commit_is_gone, "is a table of Delta whose metadata cannot be read: .*: restore it"),
        (a_commit_is_cut, "is a table of Delta whose metadata cannot be read: .*: restore it"),
        (an_action_is_none, "is a table of Delta whose metadata cannot be read: .*: restore it"),
        (an_action_has_no_end, "is a table of Delta whose metadata cannot be read: .*: restore it"),
        (the_log_is_empty, "its log does not say which columns it has: restore it"),
        (a_file_is_gone, "a.parquet is gone, which the table needs: restore it"),
    ],
)
def test_a_table_that_is_more_than_files_is_refused_in_one_line(
    table: Table, tmp_path: Path, spoil: Callable[[Table], None], line: str
) -> None:
    spoil(table)
    refuse_plan(table.folder, tmp_path / "current", line)
