"""The README claims nothing that is not there: its links, commands and snippets are tried."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment in which ``upcast`` is this checkout's command."""
    command = tmp_path / "bin" / "upcast"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m worker "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return {**os.environ, "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"}


def run(line: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([a-z-]+)", "\n".join(blocks("console")), re.MULTILINE):
        assert f"\n{target}:" in makefile, target


def test_the_smallest_upcaster_works(tmp_path: Path, shell: dict[str, str]) -> None:
    (tmp_path / "chains.py").write_text(blocks("python")[0], encoding="utf-8")
    lines = [line for block in blocks("console") for line in block.splitlines() if "chains:chain" in line]
    shown, checked = (run(line, tmp_path, shell) for line in lines)
    assert '"customer_id":7,"total":1.10,"currency":"EUR"' in shown
    assert checked.startswith("ok:")


def test_the_configuration_is_the_one_in_deploy(tmp_path: Path, shell: dict[str, str]) -> None:
    ours = (ROOT / "deploy" / "upcast.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(blocks("yaml")[0]) == yaml.safe_load(ours)
    (tmp_path / "upcast.yaml").write_text(ours, encoding="utf-8")
    assert run("upcast check --config upcast.yaml", tmp_path, shell).startswith("ok:")
