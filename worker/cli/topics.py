"""`upcast topics`: the topics of the routes."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.options import DEFAULT_CONFIG, Config, debugging
from worker.cli.progress import ASKING, waiting

topics = typer.Typer(
    name="topics",
    help="Create the topics that routes need.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@topics.callback()
def _group() -> None:
    """Keeps `create` a command of its own."""


@topics.command("create")
def create(
    config: Config = DEFAULT_CONFIG,
    partitions: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Create sources that are missing, too, with so many partitions."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be created.")] = False,
) -> None:
    """Create the destinations and dead-letter topics that are missing, as `upcast check --broker` wants them.

    They get as many partitions and replicas as the source and take its largest record; they keep the events' own
    timestamps and delete nothing by age (`retention.ms=-1`). Topics that are there stay as they are. Exit codes: 0 all
    are there, 1 may pass when tried again, 2 the brokers refuse, or wrong use.

    **Example:** `upcast topics create --config upcast.yaml`
    """
    import asyncio
    import sys

    from worker.log import set_up_logging
    from worker.preflight.creation import create_missing
    from worker.settings import load_settings

    settings = load_settings(config)
    set_up_logging(sys.stderr, debug=debugging())
    with waiting(f"topics create: {ASKING}"):
        made, there = asyncio.run(create_missing(settings, settings.routes, partitions, dry_run=dry_run))
    for name in there:
        typer.echo(f"{name}: is there already, and stays as it is")
    for topic in made:
        typer.echo(f"{topic.name}: {'would be created' if dry_run else 'created'}, {topic}")
    typer.echo("next: upcast topics create" if dry_run and made else "next: upcast check --broker")
