"""Options that several commands of the worker share, beside those of `upcast_authoring.cli.options`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upcast_authoring.cli.options import Json, Markdown, Plain, debugging

__all__ = [
    "DEFAULT_CONFIG",
    "Allow",
    "ChainOption",
    "Config",
    "End",
    "Json",
    "Markdown",
    "Plain",
    "Processes",
    "Reason",
    "Start",
    "debugging",
]

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
