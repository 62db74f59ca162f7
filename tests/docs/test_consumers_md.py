"""docs/consumers.md: examples run and print what the page says, programs are programs, every adapter is named.

The programs run with their clients in tests/integration/test_consumers.py.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.consumers import NAMES
from tests.docs.snippets import ROOT, run_all, snippets
from upcasters import consumers

TEXT = (ROOT / "docs" / "consumers.md").read_text(encoding="utf-8")


def test_every_example_runs(tmp_path: Path) -> None:
    run_all(snippets(TEXT), tmp_path)


def test_every_program_can_be_read() -> None:
    for snippet in snippets(TEXT):
        if snippet.file:
            compile(snippet.text, snippet.file, "exec")


def test_every_adapter_is_on_the_page() -> None:
    assert {name for name in consumers.__all__ if f"`{name}`" not in TEXT} == set()


def test_every_adapter_has_its_figure() -> None:
    assert {name for name in NAMES if f"| {name} |" not in TEXT} == set()
