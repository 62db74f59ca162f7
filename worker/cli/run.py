"""`upcast run`: the worker itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import DEFAULT_CONFIG, Config, Processes, debugging

if TYPE_CHECKING:
    from worker.replay.apply.receipt import Receipt


def run(
    config: Config = DEFAULT_CONFIG,
    after: Annotated[
        Path | None,
        typer.Option(
            "--after", metavar="RECEIPT", help="Begin where this replay ended. No effect once the group is past it."
        ),
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(
            "--beside",
            metavar="REPLAY_ID",
            help="Start although this replay writes offsets that the group has yet to read; may be repeated.",
        ),
    ] = None,
    processes: Processes = 1,
) -> None:
    """Run the worker until SIGTERM or Ctrl-C: read, upcast, write, commit.

    Every setting is also an environment variable, which overrides the file: `kafka.group_id` is
    `UPCAST_KAFKA__GROUP_ID`. With --processes each process has a share of the partitions, and one port answers for
    all of them. It refuses to start where a replay writes offsets that the group has yet to read to the same topic:
    begin after it with --after. Exit codes: 0 stopped as asked, 1 may pass when tried again (broker, DNS, port), 2
    needs a person (configuration, chain, topics, rights).

    **Example:** `upcast run --config upcast.yaml`
    """
    from worker.loop import collect_seldom

    collect_seldom()
    import structlog

    from worker.app import Replays, serve, serve_together
    from worker.log import set_up_logging
    from worker.processes.child import this_child
    from worker.settings.load import load

    loaded = load(config)
    settings = loaded.settings
    set_up_logging(debug=debugging())
    child = this_child()
    replays = Replays(_receipt(after) if after else None, tuple(beside or ()))
    for event, lines in (("deprecated setting", loaded.warnings), ("ignored variable", loaded.ignored)):
        for line in lines if child is None else ():
            structlog.get_logger(__name__).warning(event, detail=line)
    if processes == 1 or child:
        serve(settings, replays)
    else:
        named = [argument for each in replays.beside for argument in ("--beside", each)]
        serve_together(settings, ("run", "--config", str(config), *named), processes, replays)


def _receipt(file: Path) -> Receipt:
    from worker.replay.apply.receipt import read_receipt

    return read_receipt(file)
