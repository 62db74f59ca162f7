"""A chain of one's own is held to the deprecation policy by the file beside it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.tables import DOCS
from upcast_authoring.checks import check_chain

CHAIN = """
from upcasters import Baseline, Chain, Step, anything, rename
chain = Chain([Step("order", "2", "3", [rename("a", "b")])], [Baseline("order", "2", shape=anything())])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "kept_chain.py").write_text(CHAIN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "kept_chain", raising=False)
    return tmp_path


def problems(folder: Path, content: Any) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "deprecations.json").write_text(text)
    (checked,) = check_chain("kept_chain:chain")
    return "\n".join(checked.problems)


def test_no_file_is_no_policy(folder: Path) -> None:
    assert not check_chain("kept_chain:chain")[0].problems


def test_the_example_of_the_page(folder: Path) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", (DOCS / "versioning.md").read_text(), re.DOTALL)
    assert problems(folder, example) == ""
    early = example.replace('"version": "1.6"', '"version": "1.5"')
    assert problems(folder, early) == (
        "deprecations.json: schema order 1: was removed in 1.5, but its removal is due in 1.6: bring it back"
    )
    short = example.replace('"removal": "1.6"', '"removal": "1.5"')
    assert "leave 2 minor versions for it to go" in problems(folder, short)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            {"version": "1.5", "released": {"1.4": ["order 1"]}},
            "order 1: existed in 1.4 and was removed without notice",
        ),
        ({"version": "now"}, "deprecations.json: version: String should match"),
        ({"version": "1.5", "relaesed": {}}, "deprecations.json: relaesed: Extra inputs"),
        ({"version": "1.5", "released": {"soon": ["order 1"]}}, "a key of released is no version"),
        ("{", "deprecations.json: : Invalid JSON"),
    ],
)
def test_what_is_wrong(folder: Path, content: Any, expected: str) -> None:
    assert expected in problems(folder, content)
