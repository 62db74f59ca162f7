"""docs/registry.md: its configuration is right, its frames and faults are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, run_all, snippets
from worker.schemas import framing
from worker.schemas.frames import FRAMES, VALUE_HEADERS
from worker.settings.detection import SCHEMA_TYPE, SCHEMA_VERSION, Rule, detection
from worker.settings.sections import parse_text

PAGE = (ROOT / "docs/registry.md").read_text(encoding="utf-8")


@pytest.mark.long
def test_the_configuration_is_right_and_checked(tmp_path: Path) -> None:
    run_all(snippets(PAGE), tmp_path)


def test_the_frames_are_those_that_there_are() -> None:
    table = PAGE.partition("<!-- frames")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.MULTILINE) == ["frame", "none", *FRAMES]
    for header in VALUE_HEADERS:
        assert header in PAGE


@pytest.mark.parametrize("rule", re.findall(r"`(\{schema: .+?\}\})`", PAGE))
def test_each_rule_of_the_page_is_one(rule: str) -> None:
    given = Rule.model_validate(parse_text(rule))
    assert given.of_schema is not None
    assert detection((given,), (given,)).version


def test_the_faults_are_those_of_the_code() -> None:
    text = Path(framing.__file__ or "").read_text(encoding="utf-8")
    named = set(re.findall(r'Fault\(\s*"\w+", "(\w+)"', text))
    assert named == set(re.findall(r"A dead letter, `(\w+)`", PAGE))


def test_headers_of_a_preview_are_named() -> None:
    assert f"`{SCHEMA_VERSION}`" in PAGE
    assert f"`{SCHEMA_TYPE}`" in PAGE
