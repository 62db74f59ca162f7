"""`upcast explain`: what a code, a metric, a log line or a fault means, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from upcast_authoring.cli.options import Json
from upcast_authoring.errors import CommandError

if TYPE_CHECKING:
    from upcast_authoring.codes import Code


def explain(
    asked: Annotated[
        list[str],
        typer.Argument(metavar="CODE", help="A code UPC…, or the name of a fault."),
    ],
    as_json: Json = False,
) -> None:
    """
    Say what a code means, why it comes, and what to do.

    Every refusal ends in such a code. Also the names of faults of dead letters are answered.

    **Examples:** `upcast explain UPC1003` · `upcast explain MissingField`
    """
    from upcast_authoring.codes import KINDS, codes

    explain_among(codes, KINDS, asked, as_json=as_json)


def explain_among(
    codes: Callable[[], Mapping[str, Code]], kinds: Mapping[str, str], asked: list[str], *, as_json: bool
) -> None:
    """Print the code that is asked for. Raises CommandError where there is none."""
    import difflib
    from dataclasses import asdict

    from upcast_authoring.cli.output import print_json
    from upcast_authoring.codes import find

    wanted = " ".join(asked)  # a log line needs no quotes
    code = find(wanted, codes())
    if code is None:
        # Of names alone: a number that is like another one has nothing to do with it.
        near = difflib.get_close_matches(wanted, [code.name for code in codes().values() if code.name], n=1)
        hint = f"did you mean {near[0]}?" if near else "docs/codes.md lists all of them"
        raise CommandError(f"explain: there is no code and no name {wanted!r}: {hint}", code="UPC1003")
    if as_json:
        print_json(asdict(code))
        return
    name = f": {code.name}" if code.name else ""
    typer.echo(f"{code.number}, {kinds[code.kind].lower()}{name}")
    for title, text in (("means", code.meaning), ("cause", code.cause), ("remedy", code.remedy)):
        typer.echo(f"  {title:7} {text}")
