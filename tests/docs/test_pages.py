"""The pages in docs/: tables are those of the code, links lead somewhere, commands run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.tables import DOCS, pages, written
from tests.served_api import TOKEN, FakeWorker, served
from worker.api.view import RedriveWish
from worker.offered import released
from worker.routes.chains import RouteChain

ROOT = DOCS.parent
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
RUN = ("configuration.md", "migration-guide.md")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(DOCS)))
def test_tables_are_those_of_the_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert written(text) == text, "run: python -m tests.docs.tables"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def anchors(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def run(command: str, folder: Path) -> str:
    """What it prints, errors and all; it must not fail."""
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": binaries, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env={**environment, "TOKEN": TOKEN},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


@pytest.mark.long
@pytest.mark.parametrize("page", RUN)
def test_commands_run_and_print_what_the_page_says(page: str, tmp_path: Path) -> None:
    (tmp_path / "upcast.yaml").write_text((ROOT / "deploy" / "upcast.yaml").read_text(encoding="utf-8"))
    printed = ""
    for language, text in FENCE.findall((DOCS / page).read_text(encoding="utf-8")):
        if language == "sh":
            printed = run(text, tmp_path)
        elif language == "text":
            assert text in printed


def test_the_example_configuration_is_right(tmp_path: Path) -> None:
    text = next(text for language, text in FENCE.findall((DOCS / RUN[0]).read_text()) if language == "yaml")
    (tmp_path / "upcast.yaml").write_text(text)
    run("upcast config check --strict", tmp_path)


def test_requests_of_the_page_are_answered(tmp_path: Path) -> None:
    worker = FakeWorker("devteam.task-context.legacy")
    commands = [text for language, text in FENCE.findall((DOCS / "api.md").read_text()) if language == "sh"]
    wishes: list[RedriveWish] = []

    def redrive(_: RouteChain, wish: RedriveWish) -> dict[str, Any]:
        wishes.append(wish)
        return {"replay_id": "r1", "letters": 1, "destination": "current", "warnings": []}

    with served(worker, start_redrive=redrive) as address:
        for command in commands:
            run(command.replace("localhost:8090", address).replace("curl -s", "curl -sf"), tmp_path)
    assert len(worker.requests) == 5
    assert wishes == [RedriveWish("0123456789abcdef", 500, "Ada: CHG-17")]
    assert worker.route.records_per_second == 500


@pytest.mark.parametrize("version", sorted(released()))
def test_each_version_has_release_notes(version: str) -> None:
    notes = (DOCS / "releases" / f"{version}.md").read_text(encoding="utf-8")
    for heading in ("New", "Deprecated", "Gone", "What to do"):
        assert f"\n## {heading}\n" in notes


def test_the_guide_has_every_section_of_the_services_own() -> None:
    text = (DOCS / "migration-guide.md").read_text(encoding="utf-8")
    numbers = re.findall(r"^#{2,3} ([0-9.]+) ", text, re.MULTILINE)
    sections = ["1.", "2.", "2.1", "3.", "3.1", "3.2", "4.", "4.1", "4.2", "5.", "5.1", "5.2", "6.", "6.1", "6.2"]
    sections += [
        "7.",
        "7.1",
        "7.2",
        "8.",
        "8.1",
        "8.2",
        "9.",
        "9.1",
        "9.2",
        "10.",
        "10.1",
        "10.2",
        "11.",
        "11.1",
        "11.2",
    ]
    assert numbers == sections
