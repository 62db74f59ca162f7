"""`upcast infer`: a step out of events before and after it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import ChainOption

if TYPE_CHECKING:
    from worker.authoring.inference.inferring import Inferred

SHOWN = 5
"""Pairs that come out otherwise, of which the lines say more than their number."""


def infer(
    title: Annotated[str, typer.Argument(help='What the step does, such as "split the name".')],
    event_type: Annotated[str, typer.Option("--type", metavar="TYPE", help="The event type that changes.")],
    before: Annotated[Path, typer.Option(metavar="FILE", help="Old events, one a line, or a JSON list.")],
    after: Annotated[Path, typer.Option(metavar="FILE", help="What each of them became, in the same order.")],
    chain: ChainOption = None,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="The package of steps; where there is none, a chain starts there."),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="The new version; without it, the next one.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the operations.")] = False,
) -> None:
    """Work a step out from events before and after a change, and write it with model and golden pairs.

    It finds fields that were renamed, moved, nested, split, joined, converted, dropped or added, and says what it only
    guessed and what it could not explain. The operations are tried on all pairs. Exit codes: 0 all pairs come out as
    they are after, 1 some do not, 2 wrong use.

    **Example:** `upcast infer "split the name" --type order --before old.jsonl --after new.jsonl --dir orders`
    """
    from worker.authoring.inference.inferring import events_in
    from worker.authoring.inference.inferring import infer as infer_from
    from worker.authoring.inference.writing import write_step

    inferred = infer_from(events_in(before), events_in(after))
    _show(inferred)
    if not dry_run:
        for line in write_step(inferred, title, event_type, chain, folder, to):
            typer.echo(line)
    if inferred.wrong:
        raise typer.Exit(1)


def _show(inferred: Inferred) -> None:
    from worker.authoring.inference.scope import lines

    for line in lines(inferred.calls):
        typer.echo(f"  {line}")
    guessed = sum(not call.is_sure for call in inferred.calls)
    typer.echo(f"{len(inferred.calls)} operations, {guessed} of them guessed")
    for line in inferred.unexplained:
        typer.echo(f"not explained: {line}")
    typer.echo(f"{inferred.right} of {len(inferred.befores)} events come out as they are after")
    for number, reason in inferred.wrong[:SHOWN]:
        typer.echo(f"  event {number}: {reason}")
