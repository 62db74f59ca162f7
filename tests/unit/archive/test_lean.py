"""pyarrow loads pandas where it is installed, unless it is kept out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT

LOADED = "import sys, pyarrow; pyarrow.array([1]); print('pandas' in sys.modules)"


@pytest.mark.parametrize(
    ("first", "loaded"),
    [
        ("", "True"),
        ("from worker.archive.lean import leave_pandas_out; leave_pandas_out(); leave_pandas_out()", "False"),
    ],
)
def test_pandas_is_kept_out(tmp_path: Path, first: str, loaded: str) -> None:
    (tmp_path / "pandas.py").write_text("__version__ = '0.1'\n", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    command = [sys.executable, "-W", "ignore", "-c", f"{first}\n{LOADED}"]
    told = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == loaded


def test_pandas_can_be_loaded_afterwards(tmp_path: Path) -> None:
    (tmp_path / "pandas.py").touch()
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    text = "from worker.archive.lean import leave_pandas_out\nleave_pandas_out()\nimport pandas"
    subprocess.run([sys.executable, "-c", text], env={**os.environ, "PYTHONPATH": path}, check=True)
