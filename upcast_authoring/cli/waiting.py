"""What waits in silence for two seconds says so on stderr."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

SILENCE = 2.0
"""Seconds after which a command says what it waits for."""


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Around something that has no measure: where it takes over two seconds, stderr says what it waits for."""
    began = time.monotonic()
    said: list[str] = []

    def line() -> str | None:
        if said or time.monotonic() - began < SILENCE:
            return None
        said.append(what)
        return f"{what} …"

    with told_when_silent(line):
        yield


@contextmanager
def told_when_silent(line: Callable[[], str | None]) -> Iterator[None]:
    """Ask for a line now and then, beside whatever blocks, and print it where there is one."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(SILENCE / 4):
            if text := line():
                typer.echo(text, err=True)

    watcher = threading.Thread(target=watch, name="silence", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
