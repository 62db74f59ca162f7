"""Options that several commands share, so that they mean and read the same everywhere."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Annotated

import typer

ChainOption = Annotated[
    str | None,
    typer.Option("--chain", metavar="MODULE:ATTRIBUTE", help="The chain, as module:attribute, or by its entry point."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Plain = Annotated[
    bool, typer.Option("--plain", help="Print tables with a tab between columns and a line for each row, for scripts.")
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown.")]

_DEBUGGING: ContextVar[bool] = ContextVar("debugging", default=False)


def set_debugging(debug: bool) -> None:
    """Set what `--debug` asks for, for the rest of this command."""
    _DEBUGGING.set(debug)


def debugging() -> bool:
    """Whether tracebacks and verbose logs were asked for."""
    return _DEBUGGING.get()
