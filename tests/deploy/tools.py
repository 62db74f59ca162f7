"""The tools that check what is in deploy/; where one is missing, its tests skip and say how to get it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest


def from_debian(command: str, package: str) -> str:
    found = shutil.which(command)
    if found is None:
        pytest.skip(f"{command} is not installed (apt-get install {package})")
    return found


def from_go(command: str) -> str:
    """A command that `make tools` builds, where there is Go."""
    found = Path(sys.executable).with_name(command)
    if not found.exists():
        pytest.skip(f"{command} is not built (make tools, which needs Go for it)")
    return str(found)


def from_python(command: str) -> str:
    """A command of requirements/deploy.txt or docs.txt."""
    beside = Path(sys.executable).with_name(command)
    found = str(beside) if beside.exists() else shutil.which(command)
    if found is None:
        pytest.skip(f"{command} is not installed (make tools)")
    return found


def run(command: Sequence[str], folder: Path, given: str | None = None) -> str:
    """What it printed; the test fails with that where the exit code is not 0."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, input=given)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout
