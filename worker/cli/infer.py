"""`upcast infer`: a step out of events before and after it, of two models, or of a topic that has both versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upcast_authoring.cli.infer import (
    AfterOption,
    BeforeOption,
    DryRunOption,
    FolderOption,
    NewVersionOption,
    TitleArgument,
    TypeOption,
    UnpairedOption,
    finish,
    from_sides,
)
from worker.cli.options import DEFAULT_CONFIG, ChainOption, Config
from worker.cli.routes import RouteOption
from worker.errors import WorkerError

if TYPE_CHECKING:
    from upcast_authoring.inference.inferring import Inferred


def infer(
    title: TitleArgument,
    event_type: TypeOption,
    before: BeforeOption = None,
    after: AfterOption = None,
    unpaired: UnpairedOption = False,
    versions: Annotated[
        str | None,
        typer.Option(metavar="OLD:NEW", help="Take events of both versions from the source of a route, as 1.0:2.0."),
    ] = None,
    sample: Annotated[
        int, typer.Option(min=1, max=100_000, metavar="N", help="So many of the newest records of each partition.")
    ] = 1_000,
    route: RouteOption = None,
    config: Config = DEFAULT_CONFIG,
    chain: ChainOption = None,
    folder: FolderOption = None,
    to: NewVersionOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Work a step out from events before and after a change, from two models, or from a topic that has both versions;
    and write it with model and golden pairs.

    It finds fields that were renamed, moved, nested, split, joined, converted, dropped or added, and says what it only
    guessed and what it could not explain. Without pairs fields are matched by their names and values. The operations
    are tried on all pairs. Exit codes: 0 all pairs come out as they are after, 1 some do not, 2 wrong use.

    **Example:** `upcast infer "split the name" --type order --before old.jsonl --after new.jsonl --dir orders`
    """
    if versions is not None:
        if before or after:
            raise WorkerError(
                "infer: --versions takes a topic's events: leave out --before and --after", code="UPC1002"
            )
        inferred = _from_topic(config, route, event_type, versions, sample)
    elif before and after:
        inferred = from_sides(before, after, unpaired=unpaired)
    else:
        raise WorkerError("infer: give --before and --after, or --versions with a route", code="UPC1002")
    finish(inferred, title, event_type, chain, folder, to, dry_run=dry_run)


def _from_topic(config: Path, route: str | None, event_type: str, versions: str, sample: int) -> Inferred:
    import asyncio

    from upcast_authoring.inference.inferring import infer_unpaired
    from upcasters import Event
    from upcasters.outcome import DeadLettered
    from worker.cli.progress import ASKING, waiting
    from worker.cli.routes import load_route
    from worker.replay.sampling import newest_records

    wanted = versions.split(":")
    if len(wanted) != 2 or wanted[0] == wanted[1]:
        raise WorkerError(f"--versions {versions} is not OLD:NEW, such as 1.0:2.0", code="UPC1001")
    settings, given = load_route(config, route)

    async def found() -> dict[str, list[bytes]]:
        records = await newest_records(settings, given.route.source, sample)
        await given.begin_to_show(leniently=True)
        await given.learn(records)
        by_version: dict[str, list[bytes]] = {each: [] for each in wanted}
        for record in records:
            bare, trace = given.trace(Event(record.value, record.key, list(record.headers)), None)
            outcome = trace.outcome
            seen = outcome.fault if isinstance(outcome, DeadLettered) else outcome.passage
            if seen.event_type == event_type and seen.from_version in by_version and bare.value:
                by_version[seen.from_version].append(bare.value)
        return by_version

    with waiting(f"infer: {ASKING}"):
        events = asyncio.run(found())
    typer.echo(
        f"{given.route.source}: " + ", ".join(f"{len(events[each]):,} events of {event_type} {each}" for each in wanted)
    )
    if missing := [each for each in wanted if not events[each]]:
        raise WorkerError(
            f"infer: the newest {sample:,} records of each partition hold no event of {event_type} {missing[0]}: raise "
            "--sample, or name another version (`upcast census` counts them)",
            code="UPC2105",
        )
    return infer_unpaired(events[wanted[0]], events[wanted[1]], by_values=True)
