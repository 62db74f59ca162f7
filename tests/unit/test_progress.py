"""Progress: plain lines now and then where nobody watches, with an honest guess of what is left; bars that never tear;
and nothing that waits in silence."""

from __future__ import annotations

import io
import logging
import re
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from worker.cli import app
from worker.cli import progress as module
from worker.cli.progress import Lines, Look, progress, told_when_silent, waiting
from worker.cli.replay_progress import replay_progress
from worker.log import set_up_logging


def shown(*steps: tuple[float, int, int]) -> None:
    """Each step is a time in seconds, what is done, and what there is."""
    now = [0.0]
    lines = Lines("census", "offsets", lambda: now[0])
    for at, done, total in steps:
        now[0] = at
        lines.show(done, total)


def test_a_line_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    shown((1, 100, 10_000), (6, 2_500, 10_000), (7, 3_000, 10_000), (12, 5_000, 10_000))
    out, errors = capsys.readouterr()
    assert out == ""
    assert errors.splitlines() == [
        "census: 2,500 of 10,000 offsets (25 %), 0:00:18 left",
        "census: 5,000 of 10,000 offsets (50 %), 0:00:12 left",
    ]


def test_nothing_done_and_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    shown((6, 0, 10), (12, 0, 0))
    assert capsys.readouterr().err.splitlines() == [
        "census: 0 of 10 offsets (0 %)",
        "census: 0 of 0 offsets (all)",
    ]


def test_what_is_silent_says_what_it_waits_for() -> None:
    now = [0.0]
    lines = Lines("census", "offsets", lambda: now[0])
    said = {}
    for second in range(1, 100):
        now[0] = float(second)
        if second == 5:
            lines.show(10, 100)
        if text := lines.silence.line():
            said[second] = text
    assert said == {
        2: "census: waiting for the brokers to answer",
        35: "census: no progress for 30 s; waiting for the brokers to answer",
        65: "census: no progress for 60 s; waiting for the brokers to answer",
        95: "census: no progress for 90 s; waiting for the brokers to answer",
    }


def test_what_blocks_is_watched_from_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.02)
    said = threading.Event()
    printed: list[str] = []

    def echo(text: str, err: bool) -> None:
        assert err, "what a command prints goes to stdout, what it says meanwhile does not"
        printed.append(text)
        said.set()

    monkeypatch.setattr("typer.echo", echo)
    with waiting("topics create: waiting for the brokers to answer"):
        assert said.wait(60)
    assert printed == ["topics create: waiting for the brokers to answer …"]
    with told_when_silent(lambda: None):
        pass
    assert not [thread for thread in threading.enumerate() if thread.name == "silence"]


@pytest.mark.parametrize("look", [Look.PLAIN, Look.BAR])
def test_who_waits_for_no_broker_does_not_say_so(monkeypatch: pytest.MonkeyPatch, look: Look) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.02)
    said = threading.Event()
    printed: list[str] = []

    def echo(text: str, **_: Any) -> None:
        printed.append(text)
        said.set()

    monkeypatch.setattr("typer.echo", echo)
    with progress("backup", "rows", look, "waiting for the database to answer"):
        assert said.wait(60)
    assert printed[0] == "backup: waiting for the database to answer"


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def test_each_command_with_progress_lets_a_person_choose_how_it_looks() -> None:
    found = dict(commands(typer.main.get_command(app)))
    with_choice = {name for name, command in found.items() if any("--progress" in each.opts for each in command.params)}
    for group in ("db", "archive"):
        assert {name for name in found if name.startswith(f"{group} ")} <= with_choice
    assert {"census", "plan", "replay", "verify", "dlq list", "dlq show", "dlq redrive"} <= with_choice


def test_none_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("census", asked=Look.NONE) as show:
        show(1, 2)
    with replay_progress(Look.NONE) as show_states:
        show_states(states(3))
    assert capsys.readouterr() == ("", "")


# Bars, on a terminal that is acted.


class Terminal(io.StringIO):
    """Takes what rich writes and shows what a person would see: moves of the cursor, erased lines, line feeds."""

    def isatty(self) -> bool:
        return True

    def screen(self, width: int) -> list[str]:
        rows, row, column = [""], 0, 0
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", self.getvalue()):
            if part == "\r":
                column = 0
            elif part == "\n":
                row, column = row + 1, 0
                rows += [""] * (row + 1 - len(rows))
            elif up := re.fullmatch(r"\x1b\[(\d*)A", part):
                row -= int(up[1] or 1)
            elif part == "\x1b[2K":
                rows[row] = ""
            elif not part.startswith("\x1b"):
                rows[row] = rows[row].ljust(column)[:column] + part + rows[row][column + len(part) :]
                column += len(part)
        assert max(map(len, rows)) <= width, "a line is wider than the screen, which wraps it: bars tear"
        return [text.rstrip() for text in rows]


WIDTHS = pytest.mark.parametrize("width", [80, 120])


@pytest.fixture
def _own_log() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def acted(monkeypatch: pytest.MonkeyPatch, width: int) -> Terminal:
    """Called inside of the test: pytest puts its own stderr there before."""
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    for name, value in {"COLUMNS": str(width), "LINES": "24", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return made


def states(partitions: int, left: int = 5_000) -> list[Any]:
    return [
        SimpleNamespace(
            planned=SimpleNamespace(partition=number, start=0, end=10_000), remaining=left + 10 * (number == 17)
        )
        for number in range(partitions)
    ]


@WIDTHS
def test_sixty_partitions_are_one_bar_with_the_slowest_named(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    made = acted(monkeypatch, width)
    with replay_progress() as show:
        show(states(60))
    seen = [text for text in made.screen(width) if text]
    assert not seen, "the bars go when they have done their work"
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", made.getvalue())
    assert "60 partitions, slowest 17 (5,010 left)" in drawn
    assert "partition 3" not in drawn


@WIDTHS
def test_few_partitions_have_a_bar_each(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    made = acted(monkeypatch, width)
    with replay_progress() as show:
        show(states(3))
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", made.getvalue())
    assert all(f"partition {number}" in drawn for number in range(3))
    assert not any(made.screen(width))


@WIDTHS
@pytest.mark.usefixtures("_own_log")
def test_the_log_stands_above_the_bars(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """A log line that went past the bars would leave half of one on the screen."""
    made = acted(monkeypatch, width)
    set_up_logging(sys.stderr)
    with replay_progress() as show:
        for round_ in range(5):
            show(states(60, 5_000 - round_))
            logging.getLogger("worker.test").warning("line %s of the log", round_)
    seen = [text for text in made.screen(width) if text]
    told = " ".join(seen)
    assert [f"line {number} of the log" in told for number in range(5)] == [True] * 5
    assert "━" not in told, "what is left on the screen is the log alone"


def test_plain_lines_name_the_slowest(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(module, "EVERY", 0.0)
    with replay_progress(Look.PLAIN) as show:
        show(states(60))
    assert re.fullmatch(
        r"replay: 299,990 of 600,000 offsets \(50 %\), \S+ left; slowest 17 \(5,010 left\)\n",
        capsys.readouterr().err,
    )
