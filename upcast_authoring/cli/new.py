"""`upcast new`: the files of a new step, ready to be filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upcast_authoring.cli.options import ChainOption


def new(
    title: Annotated[str, typer.Argument(help='What the step does, such as "add branch".')],
    event_type: Annotated[str, typer.Option("--type", metavar="TYPE", help="The event type that changes.")],
    chain: ChainOption = None,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="The package of steps; where there is none, a chain starts there."),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="The new version; without it, the next one.")
    ] = None,
) -> None:
    """Write a new step with its model and a golden pair, or the first version of a new chain.

    The step changes nothing yet, so that `upcast check --laws` passes right away. Without --chain and --dir it
    becomes part of the shipped chain.

    **Example:** `upcast new "add branch" --type task_context --chain my_events:chain`
    """
    from upcast_authoring.scaffold import scaffold

    for line in scaffold(title, event_type, chain, folder, to):
        typer.echo(line)
