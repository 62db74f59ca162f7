"""docs/archives.md: examples run and print what the page says; every column that comes out is on the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, run_all, snippets
from upcasters.arrow.results import FIELDS

TEXT = (ROOT / "docs" / "archives.md").read_text(encoding="utf-8")


@pytest.mark.long
def test_every_example_runs(tmp_path: Path) -> None:
    run_all(snippets(TEXT), tmp_path)


def test_every_column_is_on_the_page() -> None:
    assert {field.name for field in FIELDS if f"`{field.name}`" not in TEXT} == set()


@pytest.mark.parametrize("name", ["spark_job.py", "spark_stream.py"])
def test_the_jobs_for_spark_can_be_read(name: str) -> None:
    [job] = [snippet for snippet in snippets(TEXT) if snippet.file == name]
    compile(job.text, job.file, "exec")


def test_packages_are_those_that_archive_check_runs_with() -> None:
    pinned = (ROOT / "tests" / "archives" / "jars.txt").read_text(encoding="utf-8")
    named = re.findall(r"`((?:org|io)\.[\w.]+:[\w.-]+:[\d.]+)`", TEXT)
    assert len(named) == 3
    assert [name for name in named if f"\n{name} " not in pinned] == []
