"""docs/reliability.md names what is really there: every fault, every broken worker, every invariant and file."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path

import pytest

from tests.brokers.page import COLUMNS, rows
from tests.faults.hostile import everything
from tests.faults.kinds import CLUSTER, SINGLE
from tests.faults.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
SEEDS = 5


@pytest.mark.parametrize("fault", sorted({*SINGLE, *CLUSTER, *SCENARIOS}))
def test_every_fault_is_described(fault: str) -> None:
    assert f"\n| {fault} |" in PAGE


@pytest.mark.parametrize("number", range(1, 11))
def test_every_invariant_is_there(number: int) -> None:
    assert f"\n| I{number} " in PAGE


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE))))
def test_every_file_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_number_of_hostile_records_is_right() -> None:
    assert f"sends {len(everything())} hostile records" in PAGE


def _table_behind(heading: str) -> dict[str, list[str]]:
    """The first table behind a heading: the cells of each row by the row's name."""
    lines = PAGE.partition(f"\n### {heading}\n")[2].partition("\n#")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in _first_table(lines)]
    return {name: cells for name, *cells in rows if not name.startswith("---")}


def _first_table(lines: list[str]) -> list[str]:
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    return list(takewhile(lambda line: line.startswith("|"), lines[start:]))


def _numbers_behind(heading: str) -> dict[str, list[float]]:
    table = _table_behind(heading)
    return {
        name: [float(cell.replace(",", "")) for cell in cells]
        for name, cells in table.items()
        if name not in {"Kafka", "commit"}
    }


@pytest.mark.parametrize("heading", ["Long runs", "Shorter runs on 3.7.2 and 4.4.0"])
def test_runs_were_clean_and_add_up(heading: str) -> None:
    numbers = _numbers_behind(heading)
    fates = zip(numbers["records out"], numbers["dead-lettered"], numbers["skipped"], strict=True)
    assert numbers["records in"] == [sum(each) for each in fates]
    for wrong in ("lost", "doubled", "reordered", "otherwise wrong"):
        assert set(numbers[wrong]) == {0}, wrong


def test_the_long_runs_were_long() -> None:
    numbers = _numbers_behind("Long runs")
    assert len(set(numbers["seed"])) == len(numbers["seed"]) >= SEEDS
    assert min(numbers["records in"]) >= 1_000_000
    assert min(numbers["faults injected"]) >= 50


def test_each_broker_that_was_tried_was_clean_and_failed_over() -> None:
    wrong, slow = slice(COLUMNS.index("lost"), COLUMNS.index("slow coordinators")), COLUMNS.index("slow coordinators")
    found = rows(PAGE)
    assert {name: row[wrong] for name, row in found.items()} == dict.fromkeys(found, ["0"] * 4)
    assert all(found[name][slow] != "0" for name in ("3.4.1", "3.7.2", "3.9.0"))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", PAGE))))
def test_every_test_that_is_named_is_there(name: str) -> None:
    files = [*(ROOT / "tests").rglob("test_*.py")]
    assert any(f"def {name}(" in path.read_text(encoding="utf-8") for path in files)
