"""What is published: the packages, pytest's door to the laws of a chain, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.deploy import ROOT

PACKAGES = ("worker", "upcasters", "upcast_demo")
# `upcast_pytest.py` stands outside the packages, so that pytest loads it without importing anything of them.
DOOR = "upcast_pytest.py"


def of_the_packages() -> set[str]:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *PACKAGES, DOOR]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"git does not list the files here: {done.stderr.strip()}")
    return {name for name in done.stdout.split("\0") if (ROOT / name).is_file()}


def test_the_wheel_holds_all_of_the_packages_and_nothing_else(tmp_path: Path) -> None:
    expected = of_the_packages()
    for name in (*expected, "pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "source" / name)
    build = "from setuptools.build_meta import build_wheel; build_wheel('..')"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path / "source", check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == expected
