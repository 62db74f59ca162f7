"""The fenced blocks of a page, run in order in an empty folder; what a block prints is what the next ``text`` says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Snippet:
    """A fenced block: a command (``sh``), Python to run, a file to write (it has a name), or expected output."""

    language: str
    file: str
    text: str


def snippets(page: str) -> list[Snippet]:
    return [Snippet(*found) for found in FENCE.findall(page)]


def run(snippet: Snippet, folder: Path) -> str:
    command = ["bash", "-euo", "pipefail", "-c"] if snippet.language == "sh" else [sys.executable, "-c"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": f"{ROOT}{os.pathsep}.", "COLUMNS": "120", "NO_COLOR": "1"}
    result = subprocess.run(
        [*command, snippet.text], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"{snippet.text}\n{result.stdout}{result.stderr}"
    return result.stdout


def run_all(page: list[Snippet], folder: Path, *, made_by_a_command: bool = False) -> None:
    """Every block in order. ``made_by_a_command``: the files that the page shows are there before it fills them in."""
    printed = ""
    for snippet in page:
        if snippet.language == "text":
            assert printed.strip() == snippet.text.strip()
        elif snippet.file:
            file = folder / snippet.file
            assert file.exists() or not made_by_a_command, f"{snippet.file} is one that `upcast new` has written"
            file.write_text(snippet.text, encoding="utf-8")
        else:
            printed = run(snippet, folder)
