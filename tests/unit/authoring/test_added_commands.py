"""Commands that other packages add: a broken package is told of, and the author's commands go on working."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from typer.testing import CliRunner

from upcast_authoring.cli.commands import GROUP, make_app, with_added

ADDS = """
def add(app):
    app.command("greet")(lambda: print("hello"))

def fails(app):
    raise RuntimeError("of another version")
"""


@pytest.fixture(autouse=True)
def _package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "adds_commands.py").write_text(ADDS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "adds_commands", raising=False)


def added(value: str) -> EntryPoint:
    return EntryPoint("other", value, GROUP)


def test_a_package_adds_a_command() -> None:
    app = with_added(make_app(), [added("adds_commands:add")])
    assert CliRunner().invoke(app, ["greet"]).output == "hello\n"
    assert CliRunner().invoke(app, ["check"]).exit_code == 0


@pytest.mark.parametrize("value", ["adds_commands:fails", "adds_commands:none", "no_such_package:add"])
def test_one_that_is_broken_hides_no_other(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    app = with_added(make_app(), [added(value), added("adds_commands:add")])
    line = capsys.readouterr().err
    assert line.startswith(f"upcast: the commands of {value} cannot be loaded (")
    assert line.endswith("): install it again (UPC1013)\n")
    assert CliRunner().invoke(app, ["greet"]).output == "hello\n"
