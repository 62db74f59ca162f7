"""`make` is the door to everything: it fits on a screen, and pages and files speak of targets that it has."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
LISTED = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
BENCHES = set(re.findall(r"^BENCHES := (.*)$", MAKEFILE, re.MULTILINE)[0].split())
SUFFIXES = {".md", ".py", ".pml", ".toml", ".yaml", ".yml", ""}
MENTION = re.compile(
    r"`make ([a-z-]+)(?:`| [A-Z]+=[^`]*`)|run: make ([a-z-]+)|^make ([a-z-]+)(?= *(?:#|[A-Z]+=|2>))", re.MULTILINE
)


def test_it_lists_its_targets_on_one_screen() -> None:
    make = shutil.which("make")
    assert make is not None
    done = subprocess.run([make, "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert {line.split()[1] for line in lines} == LISTED
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"git does not list the files here: {done.stderr.strip()}")
    return [ROOT / name for name in done.stdout.split("\0") if name and Path(name).suffix in SUFFIXES]


def test_what_files_speak_of_is_a_target() -> None:
    """CHANGELOG.md may also speak of what there was."""
    spoken = {
        (str(file.relative_to(ROOT)), "".join(found))
        for file in tracked()
        if file.is_file() and file.name != "CHANGELOG.md"
        for found in MENTION.findall(file.read_text(encoding="utf-8"))
    }
    assert {name for _, name in spoken} >= LISTED - {"help"}, "a page says what each is for"
    assert {each for each in spoken if each[1] not in LISTED} == set()


def test_what_can_be_measured_is_there() -> None:
    assert {name for name in BENCHES if not any((ROOT / "benchmarks").glob(f"{name}*"))} == set()
    told = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert {name for name in BENCHES - {"drain"} if f"WHAT={name}" not in told} == set()
