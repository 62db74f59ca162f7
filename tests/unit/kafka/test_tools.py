"""Remedies name a tool that can be run here."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from worker.kafka.tools import kafka_tool


@pytest.fixture(autouse=True)
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.parametrize("script", ["kafka-topics.sh", "kafka-topics"])
def test_the_scripts_of_an_installation_come_first(script: str, tmp_path: Path) -> None:
    (tmp_path / script).touch(mode=0o755)
    assert kafka_tool("topics") == script


def test_without_one_our_own_command_runs_them() -> None:
    assert kafka_tool("topics") == "upcast kafka topics"


def test_without_its_extra_the_script_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert kafka_tool("topics") == "kafka-topics.sh"
