"""docs/archives.md: examples run and print what the page says; every column that comes out is on the page."""

from __future__ import annotations

from pathlib import Path

from tests.docs.snippets import ROOT, run_all, snippets
from upcasters.arrow.results import FIELDS

TEXT = (ROOT / "docs" / "archives.md").read_text(encoding="utf-8")


def test_every_example_runs(tmp_path: Path) -> None:
    run_all(snippets(TEXT), tmp_path)


def test_every_column_is_on_the_page() -> None:
    assert {field.name for field in FIELDS if f"`{field.name}`" not in TEXT} == set()


def test_the_job_for_spark_can_be_read() -> None:
    [job] = [snippet for snippet in snippets(TEXT) if snippet.file]
    compile(job.text, job.file, "exec")
