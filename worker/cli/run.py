"""`upcast run`: the worker itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.options import DEFAULT_CONFIG, Config


def run(
    config: Config = DEFAULT_CONFIG,
    after: Annotated[
        Path | None,
        typer.Option(
            "--after", metavar="RECEIPT", help="Begin where this replay ended. Harmless once the group has moved on."
        ),
    ] = None,
) -> None:
    """Run the worker until SIGTERM or Ctrl-C: read, upcast, write, commit.

    Every setting is also an environment variable, which beats the file: `kafka.group_id` is
    `UPCAST_KAFKA__GROUP_ID`. Exit codes: 0 stopped as asked, 1 may pass when tried again (broker, DNS, port),
    2 needs a person (configuration, chain, topics, rights).

    **Example:** `upcast run --config upcast.yaml`
    """
    import structlog

    from worker.app import serve
    from worker.cli.commands import debugging
    from worker.log import set_up_logging
    from worker.replay.receipt import read_receipt
    from worker.settings import load_settings

    warnings: list[str] = []
    settings = load_settings(config, warnings.append)
    set_up_logging(debug=debugging())
    for line in warnings:
        structlog.get_logger(__name__).warning("deprecated setting", told=line)
    serve(settings, read_receipt(after) if after else None)
