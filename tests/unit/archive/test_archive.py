"""A plan, a run and its proof: nothing lost, nothing twice, in order, and once only, whatever ends in the middle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.archive.archives import (
    OLD,
    SPLIT,
    VALUES,
    Dying,
    planned,
    ran,
    verified,
    visible,
    work_of,
    write_archive,
)
from worker.archive.runners import Done, OnFile, Processes
from worker.archive.sources import Source
from worker.archive.tasks import Task
from worker.errors import WorkerError
from worker.replay.sealed_file import SealedFile


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_archive(tmp_path)


def outcomes(folder: Path, name: str) -> list[tuple[int, bytes | None, str]]:
    rows = pq.read_table(folder / name).to_pylist()
    return [(row["source_row"], row["value"], row["outcome"]) for row in rows]


def test_each_file_becomes_one_of_its_format_and_order(archive: Path, tmp_path: Path) -> None:
    to = tmp_path / "current"
    receipt = ran(planned(archive, to), tmp_path / "receipt.json")
    assert sorted(visible(to)) == [
        "dead-letters/a.jsonl.parquet",
        "dead-letters/b.json.gz.parquet",
        "dead-letters/day=1/0.parquet",
        "events/a.jsonl",
        "events/b.json.gz",
        "events/day=1/0.parquet",
        "skipped/a.jsonl.parquet",
        "skipped/b.json.gz.parquet",
        "skipped/day=1/0.parquet",
    ]
    new = b'{"customer_id":7,"total":1.10,"currency":"EUR"}'
    found = outcomes(to, "events/day=1/0.parquet")[:6]
    assert found[:3] == [(0, new, "upcast"), (1, VALUES[1], "passed"), (2, None, "passed")]
    assert [(row, outcome) for row, _, outcome in found[3:]] == [(5, "upcast"), (5, "upcast"), (6, "upcast")]
    assert outcomes(to, "dead-letters/day=1/0.parquet")[0] == (3, VALUES[3], "dead-lettered")
    assert outcomes(to, "skipped/day=1/0.parquet")[0] == (4, VALUES[4], "skipped")
    assert (to / "events" / "a.jsonl").read_bytes().splitlines() == [new, VALUES[1], new, new]
    counts = {file.path: file.counts for file in receipt.files}
    told = counts["day=1/0.parquet"]
    assert (told.read, told.upcast, told.passed, told.skipped, told.dead_lettered, told.produced) == (
        70,
        30,
        20,
        {"dropped": 10},
        10,
        60,
    )


def test_the_plan_counts_what_the_run_then_does(archive: Path, tmp_path: Path) -> None:
    plan = planned(archive, tmp_path / "current", allow=False)
    assert [(kind.event_type, kind.version, kind.outcome, kind.rows) for kind in plan.census] == [
        ("order", "1", "skipped", 12),
        ("order", "1", "upcast", 25),
        ("order", "2", "passed", 12),
        ("basket", "1", "upcast", 10),
        ("", "", "dead-lettered", 12),
        ("", "", "passed", 10),
    ]
    [objection] = plan.objections()
    assert "12 dead letters, DetectionError in detect (first at a.jsonl row 2)" in objection
    with pytest.raises(WorkerError, match="not allowed: 12 dead letters"):
        ran(plan, tmp_path / "receipt.json")
    assert not (tmp_path / "current").exists()


def test_all_of_it_is_found_right(archive: Path, tmp_path: Path) -> None:
    verdict = verified(ran(planned(archive, tmp_path / "current"), tmp_path / "receipt.json"))
    assert verdict.findings.lines() == []
    assert (verdict.rows, verdict.again, verdict.dead_letters) == (81, 81, 12)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_run_that_was_ended_goes_on_and_writes_the_same(archive: Path, tmp_path: Path, after: int) -> None:
    ran(planned(archive, tmp_path / "undisturbed"), tmp_path / "other.json")
    plan = planned(archive, tmp_path / "current")
    with pytest.raises(WorkerError, match="killed"):
        ran(plan, tmp_path / "receipt.json", Dying(after))
    whole = visible(tmp_path / "undisturbed")
    seen = visible(tmp_path / "current")
    assert {name: whole[name] for name in seen} == seen
    assert len([name for name in seen if name.startswith("events/")]) == after
    again = Counting()
    receipt = ran(plan, tmp_path / "receipt.json", again)
    assert again.numbers == list(range(after, 3))
    assert visible(tmp_path / "current") == whole
    assert not (tmp_path / "current" / "_upcast" / "parts").exists()
    assert verified(receipt).findings.lines() == []


class Counting(Dying):
    """Notes what it was asked to do."""

    def __init__(self) -> None:
        super().__init__(100)
        self.numbers: list[int] = []

    def __call__(self, task: Task, numbers: Sequence[int], on_file: OnFile) -> Iterator[Done]:
        self.numbers = list(numbers)
        return super().__call__(task, numbers, on_file)


def test_a_run_that_is_finished_is_not_run_again_and_gives_its_receipt(archive: Path, tmp_path: Path) -> None:
    plan = planned(archive, tmp_path / "current")
    first = ran(plan, tmp_path / "receipt.json")
    (tmp_path / "receipt.json").unlink()
    with pytest.raises(WorkerError, match="is finished"):
        ran(plan, tmp_path / "receipt.json")
    assert same(first, json.loads((tmp_path / "receipt.json").read_text(encoding="utf-8")))


def same(file: SealedFile, content: dict[str, object]) -> bool:
    return file.sealed() == content


@pytest.mark.long
def test_processes_write_what_one_does(archive: Path, tmp_path: Path) -> None:
    ran(planned(archive, tmp_path / "one"), tmp_path / "one.json")
    plan = planned(archive, tmp_path / "two", runner=Processes(2))
    receipt = ran(plan, tmp_path / "two.json", Processes(2))
    assert visible(tmp_path / "two") == visible(tmp_path / "one")
    assert verified(receipt).findings.lines() == []


def test_an_archive_that_was_brought_up_is_brought_up_again(archive: Path, tmp_path: Path) -> None:
    ran(planned(archive, tmp_path / "first"), tmp_path / "first.json")
    (tmp_path / "first" / "events" / "a.jsonl").unlink()
    again = planned(tmp_path / "first" / "events", tmp_path / "second")
    ran(again, tmp_path / "second.json")
    first, second = (pq.read_schema(tmp_path / name / "events" / "day=1" / "0.parquet") for name in ("first", "second"))
    assert first.names == second.names
    assert again.counts.dead_lettered == again.counts.read - again.counts.passed - again.counts.upcast


def test_tasks_find_an_archive_from_any_folder(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    work = work_of(planned(Path(archive.name), Path("current")))
    assert (work.archive, work.destination) == (archive.as_posix(), (tmp_path / "current").as_posix())


def test_a_line_of_a_file_that_is_cut_is_a_dead_letter(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "a.jsonl").write_bytes(OLD + b"\n" + OLD[:-3])
    plan = planned(tmp_path / "orders", tmp_path / "current")
    assert (plan.counts.upcast, plan.counts.dead_lettered) == (1, 1)
    ran(plan, tmp_path / "receipt.json")
    assert outcomes(tmp_path / "current", "dead-letters/a.jsonl.parquet") == [(1, OLD[:-3], "dead-lettered")]


def test_rows_without_an_origin_that_need_one_are_dead_letters(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    pq.write_table(pa.table({"value": [SPLIT, OLD]}), tmp_path / "orders" / "0.parquet")
    plan = planned(tmp_path / "orders", tmp_path / "current")
    assert [(group.event_type, group.count) for group in plan.dead_letters] == [("basket", 1)]
    [line] = plan.model_copy(update={"allowed": ()}).objections()
    assert "where each event stood: name its columns with --origin topic,partition,offset, or allow it" in line
    assert verified(ran(plan, tmp_path / "receipt.json")).findings.lines() == []


def test_large_values_come_in_smaller_batches(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    large = [b'{"custId": %d, "text": "%s"}' % (number, b"x" * 1024 * 1024) for number in range(100)]
    pq.write_table(pa.table({"value": large}), tmp_path / "orders" / "0.parquet", compression="none")
    sizes = [batch.num_rows for batch in Source(str(tmp_path / "orders"), "0.parquet").batches()]
    assert sum(sizes) == 100
    assert max(sizes) <= 32
