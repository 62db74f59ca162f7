"""The route that a command is about, with its settings and its chain."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import debugging
from worker.errors import WorkerError

if TYPE_CHECKING:
    from worker.routes.chains import RouteChain
    from worker.settings import Settings

RouteOption = Annotated[
    str | None,
    typer.Option(
        "--route", "-r", metavar="SOURCE", help="The route, by its source topic; needed where there are several."
    ),
]


def load_route(config: Path, source: str | None) -> tuple[Settings, RouteChain]:
    """The settings and the route with its chain. Logs go to stderr from here on. Raises WorkerError."""
    from worker.log import set_up_logging
    from worker.routes.chains import load_chains
    from worker.settings import load_settings

    settings = load_settings(config)
    set_up_logging(sys.stderr, debug=debugging())
    chosen = [route for route in settings.routes if source in (None, route.source)]
    if len(chosen) != 1:
        names = ", ".join(route.source for route in settings.routes)
        raise WorkerError(
            f"--route {source or 'is missing'}: the routes' sources are {names}: name one of them", code="UPC1003"
        )
    return settings, load_chains(chosen, settings.schema_registry)[chosen[0].source]
