"""What is in the repository holds for everybody: no registry's address, no path of one machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from worker import at_rest, database

ROOT = Path(__file__).resolve().parents[2]

# Written in pieces, so that this file does not name them itself.
REGISTRIES = [
    "pypi" + r"\.org",
    "pypi" + r"\.python\.org",
    "python" + r"hosted\.org",
    "registry" + r"\.npmjs\.org",
    "repo1?" + r"\.maven\.(apache\.)?org",
    "proxy" + r"\.golang\.org",
    "crates" + r"\.io",
    "deb" + r"\.debian\.org",
    "--(extra-)?" + "index-url",
    "--find" + "-links",
]
MACHINE_PATHS = [r"/home/[a-z]\w*/", "/ro" + r"ot/", "/wo" + r"rk/", r"/Users/\w+/", r"[A-Z]:\\Users"]
FORBIDDEN = re.compile("|".join(REGISTRIES + MACHINE_PATHS))


def tracked_files() -> list[Path]:
    """What git has, and what it would take; a copy without git has nothing to check."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    result = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        pytest.skip(f"git does not list the files here: {result.stderr.strip()}")
    return [ROOT / name for name in result.stdout.split("\0") if name]


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = []
    for path in tracked_files():
        if not path.is_file():
            continue
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), start=1):
            if FORBIDDEN.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []


@pytest.mark.parametrize(
    "line", ["https://pypi" + ".org/simple", "/ro" + "ot/x", "see https://repo" + ".maven.apache.org/maven2"]
)
def test_the_rule_finds_what_it_should(line: str) -> None:
    assert FORBIDDEN.search(line)


def test_migrations_import_the_database_by_its_former_name() -> None:
    for name in at_rest.__all__:
        assert getattr(at_rest, name) is getattr(database, {"Brought": "MigratedColumn"}.get(name, name))
