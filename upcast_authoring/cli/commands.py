"""Puts the commands together. A module of a command imports little, so that `--help` answers at once."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated

import typer

from upcast_authoring.cli import check, explain, history, infer, matrix, new, options, show, trying
from upcast_authoring.errors import with_code
from upcast_authoring.extras import ENGINE

GROUP = "upcast.commands"
"""Entry points of other packages that add commands: each is a function that takes the application."""
HELP = "Brings old events to their current schema version, through one chain of upcasters."


def installed_app() -> typer.Typer:
    """The application with the commands of all that is installed."""
    return with_added(make_app(), entry_points(group=GROUP))


def make_app(description: str = HELP) -> typer.Typer:
    """The application with the commands of a chain's author."""
    app = typer.Typer(
        name="upcast",
        help=description,
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command("check")(check.check)
    app.command("new")(new.new)
    app.command("infer")(infer.infer)
    app.command("show")(show.show)
    app.command("history")(history.history)
    app.command("heads")(history.heads)
    app.command("lock")(history.lock)
    app.command("explain")(explain.explain)
    app.command("try")(trying.try_events)
    app.command("matrix")(matrix.matrix)
    app.callback()(_globals)
    return app


def with_added(app: typer.Typer, added: Iterable[EntryPoint]) -> typer.Typer:
    """The application with the commands of other packages. One that cannot be loaded is told of; the others work."""
    for point in added:
        try:
            point.load()(app)
        except Exception as error:  # noqa: BLE001  # a broken package may raise anything
            package = point.dist.name if point.dist else point.value
            line = f"the commands of {package} cannot be loaded ({type(error).__name__}: {error}): install it again"
            typer.echo(f"upcast: {with_code(line, 'UPC1013')}", err=True)
    return app


def _show_version(asked: bool) -> None:
    if asked:
        from upcasters.native.extension import engine

        typer.echo(f"upcast {version(ENGINE)}, {engine()}")
        raise typer.Exit


def _globals(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and verbose logs.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del version
    options.set_debugging(debug)
