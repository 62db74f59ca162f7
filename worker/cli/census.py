"""`upcast census`: counts what a topic holds, and which old versions may be removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import DEFAULT_CONFIG, Config, End, Json, Plain, Start
from worker.cli.progress import Look, ProgressOption, progress
from worker.cli.routes import RouteOption

if TYPE_CHECKING:
    from worker.replay.census.counting import Survey
    from worker.routes.chains import RouteChain


def census(
    route: RouteOption = None,
    config: Config = DEFAULT_CONFIG,
    start: Start = "earliest",
    end: End = "now",
    retire: Annotated[
        bool, typer.Option("--retire", help="Who still sends old versions, and whether each may be removed.")
    ] = False,
    as_json: Json = False,
    plain: Plain = False,
    shown: ProgressOption = Look.AUTO,
) -> None:
    """Count the events of a route's source by type and version. Reads only; joins no group.

    A range ends before --to; offsets may be given for each partition (`0:120,1:90`), times without a zone are UTC.
    With --retire each line ends in yes, no or unknown; yes only after all of the topic was read. Exit codes: 0 done,
    1 may pass when tried again, 2 wrong use.

    **Example:** `upcast census --route devteam.task-context.legacy --from 90d`
    """
    from worker.cli.routes import load_route
    from worker.loop import run_in_loop
    from worker.replay.census.counting import survey

    settings, given = load_route(config, route)
    with progress("census", asked=shown) as show:
        found = run_in_loop(survey(settings, given, start, end, show, producers=retire))
    if retire:
        _print_retiring(found, given, as_json, plain=plain)
    else:
        _print_census(found, given, as_json, plain=plain)


def _print_census(found: Survey, given: RouteChain, as_json: bool, *, plain: bool) -> None:
    from upcast_authoring.cli.output import print_json, print_table
    from worker.replay.census.report import COLUMNS, SPARE, as_cells, content, summary

    if as_json:
        print_json(content(found, given))
        return
    for line in summary(found, given):
        typer.echo(line)
    if found.census.records:
        print_table(COLUMNS, as_cells(found, given.chain), spare=SPARE, plain=plain)


def _print_retiring(found: Survey, given: RouteChain, as_json: bool, *, plain: bool) -> None:
    from upcast_authoring.cli.output import print_json, print_table
    from worker.replay.census.report import RETIRE_COLUMNS, RETIRE_SPARE, retire_cells, retire_content, summary
    from worker.replay.census.retiring import retiring

    lines = retiring(
        given.chain, found.census, whole_range=found.whole, hidden=sum(each.hidden for each in found.hidden)
    )
    if as_json:
        print_json(retire_content(lines, found, given))
        return
    for line in summary(found, given):
        typer.echo(line)
    if given.route.producer_header is None:
        typer.echo("producers are not counted: set the route's producer_header to the header that names them")
    if lines:
        print_table(RETIRE_COLUMNS, retire_cells(lines), spare=RETIRE_SPARE, plain=plain)
    else:
        typer.echo("there is no version below the current one")
