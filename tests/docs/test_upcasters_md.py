"""docs/upcasters.md: its commands and snippets run in order and print what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import upcasters
from tests.docs.operations import PAGE, written
from upcasters import load_chain
from upcasters.testing import laws

TEXT = PAGE.read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Snippet:
    """A fenced block: a command (``sh``), Python to run, a file to write (it has a name), or expected output."""

    language: str
    file: str
    text: str


SNIPPETS = [Snippet(*found) for found in FENCE.findall(TEXT)]


def run(snippet: Snippet, folder: Path) -> str:
    command = ["bash", "-euo", "pipefail", "-c"] if snippet.language == "sh" else [sys.executable, "-c"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": f"{ROOT}{os.pathsep}.", "COLUMNS": "120", "NO_COLOR": "1"}
    result = subprocess.run(
        [*command, snippet.text], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"{snippet.text}\n{result.stdout}{result.stderr}"
    return result.stdout


def test_from_nothing_to_a_checked_chain(tmp_path: Path) -> None:
    printed = ""
    for snippet in SNIPPETS:
        if snippet.language == "text":
            assert printed.strip() == snippet.text.strip()
        elif snippet.file:
            file = tmp_path / snippet.file
            assert file.exists(), f"{snippet.file} is one of the files that `upcast new` has written"
            file.write_text(snippet.text, encoding="utf-8")
        else:
            printed = run(snippet, tmp_path)


def test_in_at_most_twelve() -> None:
    assert len([snippet for snippet in SNIPPETS if snippet.language != "text"]) <= 12


def test_the_table_of_operations_is_that_of_the_code() -> None:
    assert written(TEXT) == TEXT, "run: python -m tests.docs.operations"


def test_names_on_the_page_are_public() -> None:
    called = set(re.findall(r"`(\w+)\(", TEXT.partition("## Steps")[2]))
    assert called - {"using"} <= set(upcasters.__all__)  # `using` is a parameter


def test_every_law_is_on_the_page() -> None:
    told = TEXT.partition("## Laws")[2]
    for name in {"golden"} | {law.name for law in laws(load_chain("upcasters.devteam_runner:chain"))}:
        assert f"| {name} |" in told
