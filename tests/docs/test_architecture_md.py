"""docs/architecture.md and docs/decisions: what they name is in the code, and the states are those of the lanes.

The generated pictures are compared by tests/docs/test_pages.py, as the other pages' tables are.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.docs.tables import DOCS
from worker.lanes.state import TRANSITIONS, LaneState

ROOT = DOCS.parent
PAGE = (DOCS / "architecture.md").read_text(encoding="utf-8")
RECORDS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
INDEX = DOCS / "decisions" / "README.md"
SECTIONS = ["Context", "Decision", "Consequences", "What was measured"]
NAMED = re.compile(r"`([\w./-]+\.py)::([\w.]+)`")
STATES = re.compile(r"`([a-z-]+)`")
GENERATED = ("lane states", "ledger tables", "plan file", "receipt file", "package layers", "package walls")


TEXT = "\n".join([PAGE, *(page.read_text(encoding="utf-8") for page in [INDEX, *RECORDS])])


@cache
def names_in(path: str) -> frozenset[str]:
    return frozenset(_names(ast.parse((ROOT / path).read_text(encoding="utf-8")).body))


def _names(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for each in body:
        if isinstance(each, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + each.name
        if isinstance(each, ast.ClassDef):
            yield from _names(each.body, f"{prefix}{each.name}.")
        targets = (
            each.targets if isinstance(each, ast.Assign) else [each.target] if isinstance(each, ast.AnnAssign) else []
        )
        yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED.findall(TEXT))), ids=str)
def test_each_function_that_is_named_is_there(path: str, name: str) -> None:
    assert (ROOT / path).is_file()
    assert name in names_in(path)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:\w+/)+\w+\.\w+)`", TEXT))))
def test_each_file_that_is_named_is_there(path: str) -> None:
    assert (ROOT / path).is_file()


@pytest.mark.parametrize("name", GENERATED)
def test_each_picture_is_made_from_the_code(name: str) -> None:
    assert f"<!-- {name}: " in PAGE
    assert f"<!-- end of {name} -->" in PAGE


def rows_of(first: str) -> list[list[str]]:
    """The rows of the table whose heading begins so."""
    lines = PAGE[PAGE.index(f"\n{first}") :].partition("\n\n")[0].strip().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_has_every_state() -> None:
    assert [STATES.findall(row[0]) for row in rows_of("| state |")] == [[state.value] for state in LaneState]


def test_the_table_has_every_transition_and_no_other() -> None:
    told = [(before, STATES.findall(row[1])) for row in rows_of("| from |") for before in STATES.findall(row[0])]
    pairs = [(before, after) for before, afters in told for after in afters]
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == {(before.value, after.value) for before, afters in TRANSITIONS.items() for after in afters}


def test_the_way_of_an_event_goes_through_rooms_in_order() -> None:
    numbers = [int(row[0]) for row in rows_of("| | stage |")]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_has_its_parts_and_is_short(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    assert re.match(rf"# {record.name[:4]}\. \S", text)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert len(text.splitlines()) <= 45


def test_each_record_is_in_the_index() -> None:
    assert re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", INDEX.read_text(encoding="utf-8")) == [each.name for each in RECORDS]
