"""`upcast archive verify` finds each way in which what was written can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.unit.archive.archives import OLD, VALUES, planned, ran, records, verified, write_archive
from worker.verifying.findings import Result

EVENTS = "events/day=1/0.parquet"
LETTERS = "dead-letters/day=1/0.parquet"
Change = Callable[[pa.Table], pa.Table]


def without_a_row(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table.slice(0, 7), table.slice(8)])


def row_twice(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table.slice(0, 8), table.slice(7)])


def swapped(table: pa.Table) -> pa.Table:
    return table.take([1, 0, *range(2, table.num_rows)])


def replaced(name: str, at: int, value: object) -> Change:
    def change(table: pa.Table) -> pa.Table:
        held = table.column(name).to_pylist()
        held[at] = value
        field = table.field(name)
        return table.set_column(table.schema.get_field_index(name), field, [pa.array(held, field.type)])

    return change


@pytest.mark.parametrize(
    ("file", "change", "kind"),
    [
        (EVENTS, without_a_row, "missing"),
        (EVENTS, lambda table: table.slice(0, 9), "missing"),
        (EVENTS, row_twice, "other counts"),
        (EVENTS, swapped, "out of order"),
        (EVENTS, replaced("day", 3, "2020-01-01"), "changed"),
        (EVENTS, replaced("offset", 3, 99), "changed"),
        (EVENTS, replaced("value", 1, OLD), "changed"),
        (EVENTS, replaced("value", 0, OLD), "invalid"),
        (EVENTS, replaced("value", 0, b'{"customer_id":8,"total":1.10,"currency":"EUR"}'), "not what the chain makes"),
        (EVENTS, replaced("key", 0, b"other"), "not what the chain makes"),
        (EVENTS, replaced("version", 0, "1"), "not what the chain makes"),
        (LETTERS, without_a_row, "missing"),
        (LETTERS, row_twice, "written twice"),
        (LETTERS, replaced("value", 0, OLD), "changed"),
        (LETTERS, replaced("fault", 0, "0"), "not what the chain makes"),
        (LETTERS, replaced("source_row", 0, 0), "written twice"),
    ],
)
def test_a_change_of_rows_is_found(tmp_path: Path, file: str, change: Change, kind: str) -> None:
    to = tmp_path / "current"
    receipt = ran(planned(write_archive(tmp_path), to), tmp_path / "receipt.json")
    pq.write_table(change(pq.read_table(to / file)), to / file)
    verdict = verified(receipt)
    assert verdict.findings.result is Result.FAILED
    assert kind in verdict.findings.counts, verdict.findings.lines()
    assert all("day=1/0.parquet" in place for places in verdict.findings.examples.values() for place in places)


@pytest.mark.parametrize("inside", [False, True])
def test_what_is_no_number_is_as_it_was(tmp_path: Path, inside: bool) -> None:
    (tmp_path / "orders").mkdir()
    value = [float("nan")] if inside else float("nan")
    table = records(VALUES).append_column("ratio", [[value] * len(VALUES)])
    pq.write_table(table, tmp_path / "orders" / "0.parquet")
    verdict = verified(ran(planned(tmp_path / "orders", tmp_path / "current"), tmp_path / "receipt.json"))
    assert verdict.findings.lines() == []


def test_a_sample_sees_structure_in_all_rows(tmp_path: Path) -> None:
    to = tmp_path / "current"
    receipt = ran(planned(write_archive(tmp_path), to), tmp_path / "receipt.json")
    table = pq.read_table(to / EVENTS)
    pq.write_table(table.filter(pc.not_equal(table.column("source_row"), 56)), to / EVENTS)
    verdict = verified(receipt, every=1_000)
    assert verdict.findings.counts["missing"] == 1
    assert verdict.again < 30


def fewer_lines(to: Path) -> None:
    file = to / "events" / "a.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))


def more_lines(to: Path) -> None:
    with (to / "events" / "a.jsonl").open("ab") as file:
        file.write(OLD + b"\n")


def no_events(to: Path) -> None:
    (to / EVENTS).unlink()


def no_letters(to: Path) -> None:
    (to / LETTERS).unlink()


def cut_events(to: Path) -> None:
    (to / EVENTS).write_bytes((to / EVENTS).read_bytes()[:-50])


def strange_file(to: Path) -> None:
    pq.write_table(pq.read_table(to / EVENTS), to / "events" / "more.parquet")


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (fewer_lines, "unreadable"),
        (more_lines, "unreadable"),
        (no_events, "unreadable"),
        (cut_events, "unreadable"),
        (no_letters, "missing"),
        (strange_file, "without a source"),
    ],
)
def test_a_change_of_files_is_found(tmp_path: Path, change: Callable[[Path], None], kind: str) -> None:
    receipt = ran(planned(write_archive(tmp_path), tmp_path / "current"), tmp_path / "receipt.json")
    change(tmp_path / "current")
    verdict = verified(receipt)
    assert verdict.findings.result is Result.FAILED
    assert kind in verdict.findings.counts


def test_an_archive_that_went_on_is_undecided(tmp_path: Path) -> None:
    archive = write_archive(tmp_path)
    receipt = ran(planned(archive, tmp_path / "current"), tmp_path / "receipt.json")
    (archive / "c.jsonl").write_bytes(OLD)
    with (archive / "a.jsonl").open("ab") as file:
        file.write(b"\n" + OLD)
    verdict = verified(receipt)
    assert verdict.findings.result is Result.UNDECIDED
    assert set(verdict.findings.counts) == {"not in the receipt", "source"}
