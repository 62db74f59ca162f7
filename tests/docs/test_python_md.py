"""docs/python.md: every example runs and prints what the page says; a caller finds each name there as it is."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import upcasters
from tests.docs.snippets import ROOT, run_all, snippets
from upcasters import DeadLettered, Passed, Policy, Skipped, Upcast

TEXT = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")


@pytest.mark.long
def test_every_example_runs(tmp_path: Path) -> None:
    run_all(snippets(TEXT), tmp_path)


def test_every_outcome_and_every_option_is_on_the_page() -> None:
    for kind in (Upcast, Passed, Skipped, DeadLettered):
        assert f"| `{kind.__name__}` |" in TEXT
        assert callable(kind.output)
    for option in fields(Policy):
        assert f"| `{option.name}` |" in TEXT


def test_what_the_page_imports_is_public() -> None:
    imported = {name.strip() for line in re.findall(r"from upcasters import (.*)", TEXT) for name in line.split(",")}
    assert imported <= set(upcasters.__all__)
