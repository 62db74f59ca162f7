"""`upcast try`: events from stdin through a chain, hop by hop."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import DEFAULT_CONFIG, ChainOption, Config, Json
from worker.cli.routes import RouteOption, load_route
from worker.errors import WorkerError

if TYPE_CHECKING:
    from worker.authoring.trying import Tried


def try_events(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A file of events, in place of stdin.", readable=False)
    ] = None,
    chain: ChainOption = None,
    route: RouteOption = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="PARTITION:OFFSET", help="Read this record of the route's source, as 3:1200."),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    headers: Annotated[
        list[str] | None,
        typer.Option("--header", "--headers", "-H", metavar="NAME=VALUE", help="A header of each event."),
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="The key of each event.")] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="The target, if not the current version.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="All that is read is one event, byte for byte, as a topic would hold it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Upcast events, and show what each hop changes, what changes around them, and the outcome.

    With --route it is done as that route does it, by its rules and its target; with --at for one record of its topic.
    One JSON document a line, or a single one over several lines, in UTF-8 or UTF-16. Nothing is sent anywhere. Exit
    codes: 0 all would get through, 1 one would be a dead letter, 2 the command or the chain is wrong.

    **Example:** `echo '{"metadata": {"taskId": "1", "projectId": "p"}, "nodes": {}}' | upcast try`
    """
    from upcasters import Policy
    from worker.authoring.one_chain import load
    from worker.authoring.trying import as_json as json_of
    from worker.authoring.trying import documents, try_all, upcaster_of

    if at is not None:
        if chain or file or headers or key or whole:
            raise WorkerError("--at reads a record as it is: leave out FILE, --chain, --header, --key and --whole")
        tried = [_read(config, route, at, to)]
    else:
        given = None if route is None else load_route(config, route)[1]
        loaded = given.chain if given and chain is None else load(chain)
        upcaster = upcaster_of(loaded, given.route.policy() if given else Policy(), to)
        data = _data(file)
        if not data.strip():
            where = f"in {file}" if file else "on stdin"
            raise WorkerError(f"there is no event {where}; give one JSON document a line")
        events = [data] if whole else documents(data, upcaster.readers)
        tried = try_all(upcaster, events, _pairs(headers or []), key)
    if as_json:
        typer.echo(json_of(tried))
    else:
        for one in tried:
            _show(one)
    if any(one.dead for one in tried):
        raise typer.Exit(1)


def _data(file: Path | None) -> bytes:
    if file is None:
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise WorkerError(f"{file}: cannot be read ({error.strerror}): name a file of events") from error


def _read(config: Path, route: str | None, at: str, to: str | None) -> Tried:
    import asyncio

    from upcasters import Event, SourcePartition
    from upcasters.outcome import Fault
    from worker.authoring.trying import try_record, upcaster_of
    from worker.replay.one_record import record_at

    place = re.fullmatch(r"(\d{1,9}):(\d{1,18})", at)
    if place is None:
        raise WorkerError(f"--at {at} is not PARTITION:OFFSET, such as 3:1200")
    settings, given = load_route(config, route)
    source = SourcePartition(given.route.source, int(place[1]))
    upcaster = upcaster_of(given.chain, given.route.policy(), to)

    async def without_frame() -> Event | Fault:
        record = await record_at(settings, source, int(place[2]))
        await given.learn([record])
        return given.bare(record)

    event = asyncio.run(without_frame())
    if isinstance(event, Fault):
        raise WorkerError(f"{source.topic} {at}: {event.message}")
    return try_record(upcaster, event, source)


def _pairs(headers: list[str]) -> list[tuple[str, bytes]]:
    for given in headers:
        if "=" not in given:
            raise WorkerError(f"--header {given} is not NAME=VALUE")
    return [(name, value.encode()) for name, _, value in (given.partition("=") for given in headers)]


def _show(tried: Tried) -> None:
    from worker.cli.output import print_diff, print_hops

    typer.secho(f"event {tried.number}", bold=True)
    if tried.read:
        typer.echo(tried.read)
    print_hops(tried.hops)
    print_diff(tried.around)
    typer.secho(tried.summary, fg="red" if tried.dead else None)
