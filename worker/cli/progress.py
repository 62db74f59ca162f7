"""Shows the progress of a bounded pass on stderr: a bar with an ETA on a terminal, plain lines elsewhere.

What waits in silence for two seconds says so, once, and so does a pass that stands still.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from upcast_authoring.cli.waiting import SILENCE, told_when_silent, waiting
from worker.progress import OnProgress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, TaskID

__all__ = [
    "ASKING",
    "Lines",
    "Look",
    "ProgressOption",
    "bars",
    "chosen",
    "progress",
    "screen",
    "told_when_silent",
    "waiting",
]

EVERY = 5.0
"""Seconds between two plain lines."""
STILL = 30.0
"""Seconds without progress after which a command says so again."""
REDRAW = 0.1
ASKING = "waiting for the brokers to answer"


class Look(StrEnum):
    """How progress is shown."""

    AUTO = "auto"
    BAR = "bar"
    PLAIN = "plain"
    NONE = "none"


ProgressOption = Annotated[
    Look,
    typer.Option(
        "--progress",
        help="How progress is shown on stderr; auto: a bar on a terminal, plain lines elsewhere.",
    ),
]


def chosen(asked: Look) -> Look:
    """How progress is shown: never ``AUTO``."""
    if asked is not Look.AUTO:
        return asked
    return Look.BAR if sys.stderr.isatty() else Look.PLAIN


def screen(asked: Look) -> Console:
    """Where bars are drawn. While they are up, what is printed to stderr appears above them."""
    from rich.console import Console

    return Console(stderr=True, force_terminal=True if asked is Look.BAR else None)


@contextmanager
def progress(title: str, unit: str = "offsets", asked: Look = Look.AUTO, awaited: str = ASKING) -> Iterator[OnProgress]:
    """Yields the function to call with the amount done and the total. ``awaited``: what is said of silence."""
    how = chosen(asked)
    if how is Look.BAR:
        with _bar(title, screen(asked), awaited) as show:
            yield show
    elif how is Look.NONE:
        yield lambda _done, _total: None
    else:
        lines = Lines(title, unit, awaited=awaited)
        with told_when_silent(lines.silence.line):
            yield lines.show


@contextmanager
def _bar(title: str, console: Console, awaited: str) -> Iterator[OnProgress]:
    from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with bars(title, columns, console, awaited) as (drawn, first, moved):

        def show(done: int, total: int) -> None:
            drawn.update(first, description=title, completed=done, total=total)
            moved(done)

        yield show


@contextmanager
def bars(
    title: str, columns: Sequence[ProgressColumn], console: Console, awaited: str = ASKING
) -> Iterator[tuple[Progress, TaskID, Callable[[int], None]]]:
    """Yields the bars with the first of them, and the function to call after each change, with the amount done.

    Nothing but that function draws: a thread of rich's own could meet a line of the log in the moment in which the
    bars get more lines, and then half a bar stays on the screen."""
    from rich.progress import Progress

    silence = Silence(title, time.monotonic, awaited)
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as drawn:
        first = drawn.add_task(f"{title}: {awaited}", total=None)
        drawn.refresh()
        last = 0.0

        def moved(done: int) -> None:
            nonlocal last
            silence.moved(done)
            if (now := time.monotonic()) - last > REDRAW or drawn.finished:
                drawn.refresh()
                last = now

        with told_when_silent(silence.line):
            yield drawn, first, moved


class Silence:
    """Knows when a pass has to say what it waits for: at first after two seconds, later after half a minute."""

    def __init__(self, title: str, clock: Callable[[], float], awaited: str = ASKING) -> None:
        self._title = title
        self._clock = clock
        self._awaited = awaited
        self._said = self._moved = clock()
        self._done: int | None = None
        self._asked = False

    def moved(self, done: int) -> float:
        """Note the amount done; returns the time."""
        now = self._clock()
        if done != self._done:
            self._done, self._moved = done, now
        return now

    def line(self) -> str | None:
        now = self._clock()
        silent = now - max(self._said, self._moved)
        if silent < (STILL if self._asked or self._done is not None else SILENCE):
            return None
        self._said, self._asked = now, True
        if self._done is None:
            return f"{self._title}: {self._awaited}"
        return f"{self._title}: no progress for {now - self._moved:.0f} s; {self._awaited}"


class Lines:
    """Plain lines, at most one in five seconds."""

    def __init__(
        self, title: str, unit: str, clock: Callable[[], float] = time.monotonic, awaited: str = ASKING
    ) -> None:
        self._title = title
        self._unit = unit
        self.silence = Silence(title, clock, awaited)
        self._began = self._said = clock()

    def show(self, done: int, total: int, more: str = "") -> None:
        """``more`` stands at the end of the line."""
        now = self.silence.moved(done)
        if now - self._said < EVERY:
            return
        self._said = now
        left = (now - self._began) * (total - done) / done if done else None
        remaining = f", {timedelta(seconds=round(left))} left" if left is not None else ""
        share = f"{100 * done / total:.0f} %" if total else "all"
        typer.echo(f"{self._title}: {done:,} of {total:,} {self._unit} ({share}){remaining}{more}", err=True)
