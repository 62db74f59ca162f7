"""What is wrong with an archive, a plan or a destination is one line, and nothing half written is left."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.archive.archives import CHAIN, OLD, planned, ran, records, refuse_plan, visible, work_of, write_archive
from worker.archive.files import read_plan, read_receipt, write_plan
from worker.errors import WorkerError

Spoil = Callable[[Path], object]


def cut(archive: Path) -> None:
    file = archive / "day=1" / "0.parquet"
    file.write_bytes(file.read_bytes()[:-100])


def cut_in_the_middle(archive: Path) -> None:
    file = archive / "day=1" / "0.parquet"
    content = bytearray(file.read_bytes())
    content[4:2000] = bytes(1996)
    file.write_bytes(content)


def cut_gzip(archive: Path) -> None:
    file = archive / "b.json.gz"
    file.write_bytes(file.read_bytes()[:-12])


def other_type(archive: Path) -> None:
    pq.write_table(pa.table({"value": [1, 2]}), archive / "day=1" / "0.parquet")


def no_value(archive: Path) -> None:
    pq.write_table(pa.table({"body": [OLD]}), archive / "day=1" / "0.parquet")


def taken_name(archive: Path) -> None:
    pq.write_table(records([OLD]).append_column("outcome", pa.array(["x"])), archive / "day=1" / "0.parquet")


def stranger(archive: Path) -> None:
    (archive / "notes.csv").write_text("a,b", encoding="utf-8")


def delta(archive: Path) -> None:
    (archive / "_delta_log").mkdir()


def empty(archive: Path) -> None:
    shutil.rmtree(archive)
    archive.mkdir()


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (cut, r"day=1/0.parquet cannot be read to its end: .*: restore it, or leave it out with --include"),
        (cut_in_the_middle, r"day=1/0.parquet cannot be read to its end: .*: restore it"),
        (cut_gzip, r"b.json.gz cannot be read to its end: .*: restore it"),
        (other_type, r"day=1/0.parquet: column value is int64: it has to be binary or string"),
        (no_value, r"day=1/0.parquet: there is no column value: the table has body"),
        (taken_name, r"day=1/0.parquet: the table has a column outcome already: give the new columns a prefix"),
        (stranger, r"notes.csv is none of Parquet \(.parquet\), Avro \(.avro\) and JSON lines \(.*\): leave it out"),
        (
            delta,
            r"is a table of Delta whose metadata cannot be read: .*: restore it",
        ),
        (empty, r"there is no file to upcast: give the folder of the archive"),
        (shutil.rmtree, r"cannot be listed: .*"),
    ],
)
def test_a_plan_refuses_in_one_line(tmp_path: Path, spoil: Spoil, line: str) -> None:
    archive = write_archive(tmp_path)
    spoil(archive)
    refuse_plan(archive, tmp_path / "current", line)


def test_each_file_that_is_wrong_has_its_line(tmp_path: Path) -> None:
    archive = write_archive(tmp_path)
    cut(archive)
    cut_gzip(archive)
    with pytest.raises(WorkerError) as refused:
        planned(archive, tmp_path / "current")
    assert len(str(refused.value).splitlines()) == 2


def new_file(archive: Path) -> None:
    (archive / "c.jsonl").write_bytes(OLD)


def longer(archive: Path) -> None:
    with (archive / "a.jsonl").open("ab") as file:
        file.write(b"\n" + OLD)


def gone(archive: Path) -> None:
    (archive / "a.jsonl").unlink()


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (new_file, "c.jsonl is new since the plan: plan again"),
        (longer, "a.jsonl has changed since the plan: plan again"),
        (gone, "a.jsonl is gone since the plan: plan again"),
    ],
)
def test_a_run_refuses_an_archive_that_has_changed(tmp_path: Path, spoil: Spoil, line: str) -> None:
    archive = write_archive(tmp_path)
    plan = planned(archive, tmp_path / "current")
    spoil(archive)
    with pytest.raises(WorkerError, match=line):
        ran(plan, tmp_path / "receipt.json")
    assert not (tmp_path / "current").exists()


def test_a_run_refuses_a_destination_that_holds_something(tmp_path: Path) -> None:
    archive = write_archive(tmp_path)
    plan = planned(archive, tmp_path / "current")
    (tmp_path / "current" / "events").mkdir(parents=True)
    with pytest.raises(WorkerError, match=r"is not empty, it holds events: give .* a --to that is not there yet"):
        ran(plan, tmp_path / "receipt.json")
    assert visible(tmp_path / "current") == {}


def test_a_plan_says_that_its_destination_holds_something(tmp_path: Path) -> None:
    archive = write_archive(tmp_path)
    (tmp_path / "current").mkdir()
    assert planned(archive, tmp_path / "current").warnings == ()
    (tmp_path / "current" / "notes").touch()
    [warning] = planned(archive, tmp_path / "current").warnings
    assert warning.endswith("current is not empty, so that a run will be refused: plan with another --to")


def test_a_run_refuses_what_another_plan_has_written(tmp_path: Path) -> None:
    archive = write_archive(tmp_path)
    ran(planned(archive, tmp_path / "current"), tmp_path / "receipt.json")
    plan = planned(archive, tmp_path / "current").model_copy(update={"warnings": ("another",)})
    before = visible(tmp_path / "current")
    with pytest.raises(WorkerError, match=r"holds run .* of another plan"):
        ran(plan, tmp_path / "other.json")
    assert visible(tmp_path / "current") == before


def test_a_chain_that_is_another_by_now_is_refused_with_both_fingerprints(tmp_path: Path) -> None:
    plan = planned(write_archive(tmp_path), tmp_path / "current")
    changed = plan.work.model_copy(update={"chain": "tests.unit.archive.chains:other"})
    with pytest.raises(WorkerError, match=rf"is [-0-9a-f]+ now and {plan.work.chain_fingerprint} in the plan"):
        ran(plan.model_copy(update={"work": changed}), tmp_path / "receipt.json")


@pytest.mark.parametrize(
    ("chain", "line"),
    [
        ("absent:chain", r"chain absent:chain cannot be imported: "),
        ("tests.unit.archive.chains:other", r"is [-0-9a-f]+ here and {} in the plan: give both the same version"),
    ],
)
def test_an_executor_without_the_chain_refuses_before_its_first_row(tmp_path: Path, chain: str, line: str) -> None:
    work = work_of(planned(write_archive(tmp_path), tmp_path / "current"))
    with pytest.raises(WorkerError, match=line.format(work.fingerprint)) as refused:
        replace(work, chain=chain).load()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("place", ["orders/current", ".", "orders"])
def test_a_destination_inside_the_archive_is_refused(tmp_path: Path, place: str) -> None:
    archive = write_archive(tmp_path)
    with pytest.raises(WorkerError, match="are one inside the other: give a folder beside it"):
        planned(archive, tmp_path / place)


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    plan = planned(write_archive(tmp_path), tmp_path / "current")
    write_plan(plan, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan
    with pytest.raises(WorkerError, match="is a plan: give the receipt"):
        read_receipt(tmp_path / "plan.json")
    (tmp_path / "plan.json").write_text(
        (tmp_path / "plan.json").read_text(encoding="utf-8").replace(CHAIN, "a:b"), encoding="utf-8"
    )
    with pytest.raises(WorkerError, match="so the file was edited"):
        read_plan(tmp_path / "plan.json")


def test_a_chain_that_depends_on_something_else_is_seen(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "a.jsonl").write_bytes(OLD)
    plan = planned(tmp_path / "orders", tmp_path / "current", chain="tests.unit.archive.chains:restless")
    assert any("came out differently the second time" in line for line in plan.objections())
