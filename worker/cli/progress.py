"""Shows the progress of a bounded pass on stderr: a bar with an ETA on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import typer

from worker.progress import OnProgress

EVERY = 5.0
"""Seconds between two plain lines."""
REDRAW = 0.1


@contextmanager
def progress(title: str, unit: str = "offsets") -> Iterator[OnProgress]:
    """Yields the function to call with the amount done and the total."""
    if sys.stderr.isatty():
        with _bar(title) as show:
            yield show
    else:
        yield _Lines(title, unit).show


@contextmanager
def _bar(title: str) -> Iterator[OnProgress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        drawn = 0.0

        def show(done: int, total: int) -> None:
            nonlocal drawn
            now = time.monotonic()
            if now - drawn > REDRAW or done >= total:
                bar.update(task, completed=done, total=total)
                drawn = now

        yield show


class _Lines:
    def __init__(self, title: str, unit: str) -> None:
        self._title = title
        self._unit = unit
        self._began = self._said = time.monotonic()

    def show(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._said < EVERY:
            return
        self._said = now
        left = (now - self._began) * (total - done) / done if done else None
        remaining = f", {timedelta(seconds=round(left))} left" if left is not None else ""
        share = f"{100 * done / total:.0f} %" if total else "all"
        typer.echo(f"{self._title}: {done:,} of {total:,} {self._unit} ({share}){remaining}", err=True)
