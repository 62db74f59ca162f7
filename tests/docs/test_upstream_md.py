"""docs/upstream.md: each program shows in aiokafka what the page says of it, and each test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, Snippet, run, snippets
from worker.kafka.aiokafka_internals.versions import TESTED

PAGE = (ROOT / "docs" / "upstream.md").read_text(encoding="utf-8")
BLOCKS = snippets(PAGE)


@pytest.mark.parametrize(("program", "printed"), list(zip(BLOCKS[::2], BLOCKS[1::2], strict=True)))
def test_each_program_shows_it(program: Snippet, printed: Snippet, tmp_path: Path) -> None:
    assert (program.language, printed.language) == ("python", "text")
    assert run(program, tmp_path).strip() == printed.text.strip()


def test_each_test_that_is_named_exists() -> None:
    bugs = (ROOT / "tests" / "unit" / "kafka" / "test_aiokafka_bugs.py").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 5
    assert {name for name in named if f"def {name}(" not in bugs} == set()


def test_the_version_is_the_one_that_is_used() -> None:
    assert f"aiokafka {TESTED[-1]}" in PAGE
