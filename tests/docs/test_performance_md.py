"""docs/performance.md and docs/sizing.md show the figures that were measured, and name what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.drain.cases import CASES, FIRST
from benchmarks.drain.contenders import CONTENDERS
from benchmarks.drain.pages import blocks, filled
from benchmarks.drain.picture import PICTURE, draw
from benchmarks.drain.report import load
from worker.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = {name: (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("performance.md", "sizing.md")}
RESULTS = load()


@pytest.mark.parametrize("name", PAGES)
def test_the_figures_are_those_of_the_results(name: str) -> None:
    assert filled(PAGES[name], blocks(RESULTS)) == PAGES[name]


def test_the_picture_is_that_of_the_results() -> None:
    assert PICTURE.read_text(encoding="utf-8") == draw(RESULTS["cases"][FIRST.name], FIRST.title)


@pytest.mark.parametrize("name", PAGES)
def test_every_target_is_there(name: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`|^)make ([a-z-]+)", PAGES[name], re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("name", PAGES)
def test_every_file_is_there(name: str) -> None:
    for path in set(re.findall(r"`((?:benchmarks|worker|docs|requirements)/[^`]+)`", PAGES[name])):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("name", PAGES)
def test_every_setting_is_there(name: str) -> None:
    known = set(re.findall(r'"(\w+)"', str(Settings.model_json_schema()).replace("'", '"')))
    for setting in set(re.findall(r"`(?:kafka|routes|limits|validate|http)\.([a-z_.]+)`", PAGES[name])):
        assert set(setting.split(".")) <= known, setting


def test_every_case_and_contender_of_the_results_is_there() -> None:
    assert set(RESULTS["cases"]) <= set(CASES)
    for case in RESULTS["cases"].values():
        assert set(case["contenders"]) <= set(CONTENDERS)
