"""docs/upcasters.md: its commands and snippets run in order and print what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import upcasters
from tests.docs.operations import PAGE, written
from tests.docs.snippets import run_all, snippets
from upcasters import load_chain
from upcasters.readers import READER_NAMES
from upcasters.testing import laws

TEXT = PAGE.read_text(encoding="utf-8")
SNIPPETS = snippets(TEXT)


@pytest.mark.long
def test_from_nothing_to_a_checked_chain(tmp_path: Path) -> None:
    run_all(SNIPPETS, tmp_path, made_by_a_command=True)


def test_in_at_most_twelve() -> None:
    assert len([snippet for snippet in SNIPPETS if snippet.language != "text"]) <= 12


def test_the_table_of_operations_is_that_of_the_code() -> None:
    assert written(TEXT) == TEXT, "run: python -m tests.docs.operations"


def test_names_on_the_page_are_public() -> None:
    called = set(re.findall(r"`(\w+)\(", TEXT.partition("## Steps")[2]))
    assert called - {"using"} <= set(upcasters.__all__)  # `using` is a parameter


def test_every_reader_is_on_the_page() -> None:
    told = TEXT.partition("## Readers")[2].partition("\n## ")[0]
    assert [name for name in READER_NAMES if f"`{name}`" not in told] == []


def test_every_law_is_on_the_page() -> None:
    told = TEXT.partition("## Laws")[2]
    for name in {"golden"} | {law.name for law in laws(load_chain("upcasters.devteam_runner:chain"))}:
        assert f"| {name} |" in told
