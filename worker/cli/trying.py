"""`upcast try`: events from stdin, or a record of a topic, through a chain, hop by hop."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upcast_authoring.cli.trying import (
    FileArgument,
    HeaderOption,
    KeyOption,
    ToOption,
    WholeOption,
    data_of,
    pairs,
    show_tried,
    try_values,
)
from worker.cli.options import DEFAULT_CONFIG, ChainOption, Config, Json
from worker.cli.routes import RouteOption, load_route
from worker.errors import WorkerError

if TYPE_CHECKING:
    from upcast_authoring.trying import Tried
    from upcasters import Event, SourcePartition
    from worker.routes.chains import RouteChain


def try_events(
    file: FileArgument = None,
    chain: ChainOption = None,
    route: RouteOption = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="PARTITION:OFFSET", help="Read this record of the route's source, as 3:1200."),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    headers: HeaderOption = None,
    key: KeyOption = None,
    to: ToOption = None,
    whole: WholeOption = False,
    as_json: Json = False,
) -> None:
    """Upcast events, and show what each hop changes, what changes around them, and the outcome.

    With --route it is done as that route does it, by its rules and its target; with --at for one record of its topic.
    One JSON document a line, or a single one over several lines, in UTF-8 or UTF-16. Nothing is sent anywhere. Exit
    codes: 0 all would get through, 1 one would be a dead letter, 2 the command or the chain is wrong.

    **Example:** `echo '{"metadata": {"taskId": "1", "projectId": "p"}, "nodes": {}}' | upcast try`
    """
    if at is not None:
        if chain or file or headers or key or whole:
            raise WorkerError(
                "--at reads a record as it is: leave out FILE, --chain, --header, --key and --whole", code="UPC1002"
            )
        tried = [_read(config, route, at, to)]
    else:
        given = None if route is None else load_route(config, route)[1]
        tried = _given(given, chain, file, pairs(headers or []), key, to, whole=whole)
    show_tried(tried, as_json=as_json)


def _given(
    given: RouteChain | None,
    chain: str | None,
    file: Path | None,
    headers: list[tuple[str, bytes]],
    key: str | None,
    to: str | None,
    *,
    whole: bool,
) -> list[Tried]:
    from upcast_authoring.one_chain import load
    from upcast_authoring.trying import COORDINATES, documents, events_of
    from upcasters import Policy

    if given is not None and chain is None and given.route.by_schema:
        if given.route.reads.framed and not whole:
            raise WorkerError(
                f"values of {given.route.source} are written by schemas: name a record with --at, or say --whole for a "
                "file that holds one value with its frame",
                code="UPC1002",
            )
        data = data_of(file)
        values = [data] if whole else documents(data)
        return _by_schema(given, events_of(values, headers, key), COORDINATES, to)
    loaded = given.chain if given and chain is None else load(chain)
    return try_values(loaded, given.route.policy() if given else Policy(), file, headers, key, to, whole=whole)


def _read(config: Path, route: str | None, at: str, to: str | None) -> Tried:
    import asyncio

    from upcast_authoring.trying import try_record, upcaster_of
    from upcasters import Event, SourcePartition
    from upcasters.outcome import Fault
    from worker.replay.one_record import record_at

    place = re.fullmatch(r"(\d{1,9}):(\d{1,18})", at)
    if place is None:
        raise WorkerError(f"--at {at} is not PARTITION:OFFSET, such as 3:1200", code="UPC1001")
    settings, given = load_route(config, route)
    source = SourcePartition(given.route.source, int(place[1]))
    if given.route.by_schema:
        record = asyncio.run(record_at(settings, source, int(place[2])))
        event = Event(record.value, record.key, list(record.headers), record.timestamp, record.offset)
        return _by_schema(given, [event], source, to)[0]
    upcaster = upcaster_of(given.chain, given.route.policy(), to)

    async def without_frame() -> Event | Fault:
        record = await record_at(settings, source, int(place[2]))
        await given.learn([record])
        return given.bare(record)

    bare = asyncio.run(without_frame())
    if isinstance(bare, Fault):
        raise WorkerError(f"{source.topic} {at}: {bare.message}", code="UPC1619")
    return try_record(upcaster, bare, source)


def _by_schema(given: RouteChain, events: list[Event], source: SourcePartition, to: str | None) -> list[Tried]:
    import asyncio

    from upcast_authoring.trying import Tried

    if to is not None:
        raise WorkerError(
            "--to is for values in JSON: results of this route are written by the schemas that it names", code="UPC1002"
        )

    async def prepare() -> None:
        await given.begin_to_show()
        await given.learn(events)

    asyncio.run(prepare())
    return [Tried(number, *given.trace(event, source)) for number, event in enumerate(events, start=1)]
