"""`upcast try`: events from stdin through a chain, hop by hop."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import ChainOption, Json
from worker.errors import WorkerError

if TYPE_CHECKING:
    from worker.authoring.trying import Tried


def try_events(
    chain: ChainOption = None,
    headers: Annotated[
        list[str] | None,
        typer.Option("--header", "--headers", "-H", metavar="NAME=VALUE", help="A header of each event."),
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="The key of each event.")] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="The target, if not the current version.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="All of stdin is one event, byte for byte, as a topic would hold it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Upcast events from stdin, and show what each hop changes and the outcome.

    One JSON document a line, or a single one over several lines, in UTF-8 or UTF-16. Nothing is sent anywhere. Exit
    codes: 0 all would get through, 1 one would be a dead letter, 2 the command or the chain is wrong.

    **Example:** `echo '{"metadata": {"taskId": "1", "projectId": "p"}, "nodes": {}}' | upcast try`
    """
    from worker.authoring.one_chain import load
    from worker.authoring.trying import as_json as json_of
    from worker.authoring.trying import documents, try_all

    loaded, data = load(chain), sys.stdin.buffer.read()
    events = [data] if whole else documents(data, loaded.readers)
    if not data.strip():
        raise WorkerError("there is no event on stdin; give one JSON document a line")
    tried = try_all(loaded, events, _pairs(headers or []), key, to)
    if as_json:
        typer.echo(json_of(tried))
    else:
        for one in tried:
            _show(one)
    if any(one.dead for one in tried):
        raise typer.Exit(1)


def _pairs(headers: list[str]) -> list[tuple[str, bytes]]:
    for given in headers:
        if "=" not in given:
            raise WorkerError(f"--header {given} is not NAME=VALUE")
    return [(name, value.encode()) for name, _, value in (given.partition("=") for given in headers)]


def _show(tried: Tried) -> None:
    from worker.cli.output import print_hops

    typer.secho(f"event {tried.number}", bold=True)
    if tried.read:
        typer.echo(tried.read)
    print_hops(tried.hops)
    typer.secho(tried.summary, fg="red" if tried.dead else None)
