"""Options that several commands share, so that they mean and read the same everywhere."""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path
from typing import Annotated

import typer

# Not imported from worker.settings, which takes a third of a second.
DEFAULT_CONFIG = Path("upcast.yaml")

# Reading the file later has an error of its own for each way in which it can fail.
Config = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", help="Configuration file (YAML).", readable=False)
]
Processes = Annotated[
    int,
    typer.Option("--processes", metavar="N", min=1, max=64, help="Number of processes that share the partitions."),
]
Start = Annotated[
    str,
    typer.Option("--from", metavar="BOUND", help="earliest, latest, an offset, a time, or a duration ago: 90d."),
]
End = Annotated[str, typer.Option("--to", metavar="BOUND", help="now, an offset or a time.")]
Allow = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A fault's fingerprint or loss:PATH to allow; may be repeated."),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the receipt.")]
ChainOption = Annotated[
    str | None,
    typer.Option(
        "--chain",
        metavar="MODULE:ATTRIBUTE",
        help="A chain, as module:attribute, in place of the configuration's.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown.")]

_DEBUGGING: ContextVar[bool] = ContextVar("debugging", default=False)


def set_debugging(debug: bool) -> None:
    """Set what `--debug` asks for, for the rest of this command."""
    _DEBUGGING.set(debug)


def debugging() -> bool:
    """Whether tracebacks and verbose logs were asked for."""
    return _DEBUGGING.get()
