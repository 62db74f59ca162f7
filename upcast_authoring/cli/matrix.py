"""`upcast matrix`: prints which version can be brought to which, and how well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from upcast_authoring.cli.options import ChainOption, Json, Markdown

if TYPE_CHECKING:
    from upcasters.describe import MatrixRow

COLUMNS = ("type", "source", "target", "path", "hops", "complexity", "way back", "notes")


def matrix(
    chain: ChainOption = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every pair of versions, not only to the next and current.")
    ] = False,
    markdown: Markdown = False,
    as_json: Json = False,
) -> None:
    """Print the compatibility matrix of a chain, computed from its steps.

    Each hop and each way to the current version has a row; where the way back is lossy, with the steps that lose
    something. Without --chain it is the shipped chain's.

    **Example:** `upcast matrix --markdown`
    """
    from upcast_authoring.cli.output import print_json, print_markdown, print_table
    from upcast_authoring.one_chain import load
    from upcasters.describe import matrix as rows_of

    rows = rows_of(load(chain), every=every)
    if as_json:
        print_json([_as_json(row) for row in rows])
    else:
        (print_markdown if markdown else print_table)(COLUMNS, [_as_cells(row) for row in rows])


def _as_cells(row: MatrixRow) -> tuple[str, ...]:
    return (
        row.event_type,
        row.source,
        row.target,
        row.path,
        str(row.hops),
        row.complexity,
        row.way_back,
        row.notes,
    )


def _as_json(row: MatrixRow) -> dict[str, object]:
    from dataclasses import asdict

    return {**asdict(row), "reversible": str(row.reversible)}
