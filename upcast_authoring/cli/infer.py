"""`upcast infer`: a step out of events before and after it, or out of two models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from upcast_authoring.cli.options import ChainOption
from upcast_authoring.errors import CommandError

if TYPE_CHECKING:
    from upcast_authoring.inference.inferring import Inferred

SHOWN = 5
"""Pairs that come out otherwise, of which the lines say more than their number."""

TitleArgument = Annotated[str, typer.Argument(metavar="TITLE", help='What the step does, such as "split the name".')]
TypeOption = Annotated[str, typer.Option("--type", metavar="TYPE", help="The event type that changes.")]
BeforeOption = Annotated[
    str | None,
    typer.Option(metavar="FILE|MODEL", help="Old events, one a line; or a JSON Schema, or a model module:Class."),
]
AfterOption = Annotated[
    str | None,
    typer.Option(metavar="FILE|MODEL", help="What each of them became, in the same order; or a schema or model."),
]
UnpairedOption = Annotated[
    bool, typer.Option("--unpaired", help="The files hold events of two versions, which are not the same events.")
]
FolderOption = Annotated[
    Path | None,
    typer.Option("--dir", metavar="DIR", help="The package of steps; where there is none, a chain starts there."),
]
NewVersionOption = Annotated[
    str | None, typer.Option("--to", metavar="VERSION", help="The new version; without it, the next one.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only print the operations.")]


def infer(
    title: TitleArgument,
    event_type: TypeOption,
    before: BeforeOption = None,
    after: AfterOption = None,
    unpaired: UnpairedOption = False,
    chain: ChainOption = None,
    folder: FolderOption = None,
    to: NewVersionOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Work a step out from events before and after a change, or from two models; and write it with model and golden
    pairs.

    It finds fields that were renamed, moved, nested, split, joined, converted, dropped or added, and says what it only
    guessed and what it could not explain. Without pairs fields are matched by their names and values. The operations
    are tried on all pairs. Exit codes: 0 all pairs come out as they are after, 1 some do not, 2 wrong use.

    **Example:** `upcast infer "split the name" --type order --before old.jsonl --after new.jsonl --dir orders`
    """
    if not before or not after:
        raise CommandError("infer: give --before and --after", code="UPC1002")
    inferred = from_sides(before, after, unpaired=unpaired)
    finish(inferred, title, event_type, chain, folder, to, dry_run=dry_run)


def finish(
    inferred: Inferred,
    title: str,
    event_type: str,
    chain: str | None,
    folder: Path | None,
    to: str | None,
    *,
    dry_run: bool,
) -> None:
    """Show what was found, write it, and end as the command does."""
    from upcast_authoring.inference.writing import write_step

    _show(inferred)
    if not dry_run:
        for line in write_step(inferred, title, event_type, chain, folder, to):
            typer.echo(line)
    if inferred.wrong:
        raise typer.Exit(1)


def from_sides(before: str, after: str, *, unpaired: bool) -> Inferred:
    """From files of events, two schemas or two models. Raises CommandError."""
    from upcast_authoring.inference.inferring import events_in, infer_models, infer_unpaired
    from upcast_authoring.inference.inferring import infer as infer_pairs

    schemas = [_schema(side) for side in (before, after)]
    old, new = schemas
    if old is not None and new is not None:
        return infer_models(old, new)
    if old is not None or new is not None:
        raise CommandError(
            "infer: one side is a model or a schema, the other is not: give two of a kind", code="UPC1002"
        )
    events = [events_in(Path(side)) for side in (before, after)]
    return infer_unpaired(*events, by_values=True) if unpaired else infer_pairs(*events)


def _schema(side: str) -> dict[str, Any] | None:
    """The JSON Schema that an option names; None for events."""
    from upcast_authoring.inference.schemas import model_schema, read_schema

    if ":" in side and not Path(side).exists():
        return model_schema(side)
    return read_schema(Path(side))


def _show(inferred: Inferred) -> None:
    from upcast_authoring.inference.scope import lines

    for line in lines(inferred.calls):
        typer.echo(f"  {line}")
    guessed = sum(not call.is_sure for call in inferred.calls)
    typer.echo(f"{len(inferred.calls)} operations, {guessed} of them guessed")
    for line in inferred.unexplained:
        typer.echo(f"not explained: {line}")
    typer.echo(f"{inferred.right} of {len(inferred.befores)} events come out as they are after")
    for number, reason in inferred.wrong[:SHOWN]:
        typer.echo(f"  event {number}: {reason}")
