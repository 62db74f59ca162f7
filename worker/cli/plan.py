"""`upcast plan`: a dry run over old offsets, and a plan file with its result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.next_step import after_plan
from worker.cli.options import DEFAULT_CONFIG, Allow, Config, End, Json, Plain, Start
from worker.cli.progress import Look, ProgressOption, progress
from worker.cli.routes import RouteOption

if TYPE_CHECKING:
    from worker.replay.plan.file import Plan

DEFAULT_OUT = Path("plan.json")


def plan(
    route: RouteOption = None,
    config: Config = DEFAULT_CONFIG,
    start: Start = "earliest",
    end: End = "now",
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only events of this type; may be repeated.")
    ] = None,
    versions: Annotated[
        list[str] | None, typer.Option("--version", help="Only events of this version; may be repeated.")
    ] = None,
    keys: Annotated[list[str] | None, typer.Option("--key", help="Only events of this key; may be repeated.")] = None,
    prefixes: Annotated[
        list[str] | None, typer.Option("--key-prefix", help="Only events whose key begins so; may be repeated.")
    ] = None,
    sample: Annotated[
        int,
        typer.Option(
            min=1, max=10_000, help="Events of each type and version to upcast twice and compare field by field."
        ),
    ] = 100,
    coordinates: Annotated[
        int, typer.Option(min=1, max=100, help="Coordinates to keep of each kind of dead letter and of each lost path.")
    ] = 5,
    allow: Allow = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write the plan.")] = DEFAULT_OUT,
    as_json: Json = False,
    plain: Plain = False,
    shown: ProgressOption = Look.AUTO,
) -> None:
    """Run the chain over a range of offsets without writing to Kafka, and say what a replay would do.

    The plan file is for review and for `upcast replay`. A range ends before --to; offsets may be given for each
    partition (`0:120,1:90`), times without a zone are UTC. Exit codes: 0 it may be replayed, 1 something would be
    lost or dead-lettered that was not allowed by name (the file is written all the same), or it may pass when tried
    again, 2 the configuration, the chain or a topic is wrong.

    **Example:** `upcast plan --route devteam.task-context.legacy --from 90d --out plan.json`
    """
    from worker.cli.routes import load_route
    from worker.loop import run_in_loop
    from worker.replay.apply.ledger_entries import keep_begun
    from worker.replay.plan.dry_run import PlanOptions
    from worker.replay.plan.file import Filters, write_plan
    from worker.replay.plan.planning import make_plan

    settings, given = load_route(config, route)
    keep_begun(settings, out)
    filters = Filters(
        types=tuple(types or ()),
        versions=tuple(versions or ()),
        keys=tuple(keys or ()),
        key_prefixes=tuple(prefixes or ()),
    )
    wishes = PlanOptions(start, end, filters, sample, coordinates, tuple(dict.fromkeys(allow or ())))
    with progress("plan", asked=shown) as show:
        made = run_in_loop(make_plan(settings, given, wishes, show))
    write_plan(made, out)
    print_plan(made, out, as_json, plain=plain)
    if not as_json:
        empty = all(each.empty for each in made.ranges)
        typer.echo(after_plan(str(out), objections=bool(made.objections()), empty=empty, config=config))
    if made.objections():
        raise typer.Exit(1)


def print_plan(made: Plan, file: Path, as_json: bool, *, plain: bool = False) -> None:
    """Print a plan, also of a redrive, and what of it is not allowed."""
    from upcast_authoring.cli.output import print_json, print_table
    from worker.replay.plan.report import FAULT_COLUMNS, HOP_COLUMNS, SPARE, fault_cells, hop_cells, summary

    if as_json:
        print_json({**made.sealed(), "objections": made.objections()})
        return
    for line in summary(made):
        typer.echo(line)
    if made.hops and made.redrive is None:
        print_table(HOP_COLUMNS, hop_cells(made), plain=plain)
    if made.dead_letters:
        title = "would be dead letters" if made.redrive is None else "would be dead letters again"
        print_table(FAULT_COLUMNS, fault_cells(made), title, spare=SPARE, plain=plain)
    for line in made.objections():
        typer.secho(f"not allowed: {line}", fg="red")
    typer.echo(f"{file}: {'plan' if made.redrive is None else 'redrive'} {made.replay_id}")
