"""What is published: the engine with the author's commands, the worker on top of it, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.deploy import ROOT

ENGINE, WORKER = ("upcasters", "upcast_authoring"), ("worker", "upcast_demo")
# `upcast_pytest.py` stands outside the packages, so that pytest loads it without importing anything of them.
DOOR = "upcast_pytest.py"


def versioned(*places: str) -> set[str]:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *places]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"git does not list the files here: {done.stderr.strip()}")
    return {name for name in done.stdout.split("\0") if (ROOT / name).is_file()}


def copied(names: Iterable[str], folder: Path) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def build(what: str, project: Path, into: Path) -> Path:
    """The wheel or the source distribution of a project."""
    into.mkdir()
    program = f"from setuptools.build_meta import build_{what} as build; build({str(into)!r})"
    subprocess.run([sys.executable, "-c", program], cwd=project, check=True, capture_output=True)
    (made,) = into.iterdir()
    return made


def files_in(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def test_the_worker_s_wheel_holds_the_worker_and_nothing_else(tmp_path: Path) -> None:
    expected = versioned(*WORKER)
    source = copied(versioned(*ENGINE, *WORKER, DOOR, "pyproject.toml", "README.md", "LICENSE"), tmp_path / "source")
    assert files_in(build("wheel", source, tmp_path / "wheel")) == expected


def test_the_engine_s_wheel_holds_the_engine_and_nothing_else(tmp_path: Path) -> None:
    """Also the one that is made of its source distribution, which knows nothing of the rest of the repository."""
    expected = versioned(*ENGINE, DOOR)
    source = copied(versioned(*ENGINE, *WORKER, DOOR, "engine"), tmp_path / "source")
    assert files_in(build("wheel", source / "engine", tmp_path / "wheel")) == expected
    with tarfile.open(build("sdist", source / "engine", tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (alone,) = (tmp_path / "unpacked").iterdir()
    shutil.rmtree(source)
    assert files_in(build("wheel", alone, tmp_path / "again")) == expected


def test_both_have_one_version_and_one_licence() -> None:
    engine, worker = (
        tomllib.loads((ROOT / name / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for name in ("engine", ".")
    )
    assert f"upcast-engine=={engine['version']}" in worker["dependencies"]
    assert engine["version"] == worker["version"]
    assert (ROOT / "engine" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_what_both_can_have_is_asked_for_alike() -> None:
    """The worker's extras name again what the engine's do, which a message can then say in full."""
    engine, worker = (
        tomllib.loads((ROOT / name / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
        for name in ("engine", ".")
    )
    assert {name: worker.get(name) for name in engine} == engine
