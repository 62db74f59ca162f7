"""`upcast try`: events from stdin through a chain, hop by hop."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upcast_authoring.cli.options import ChainOption, Json
from upcast_authoring.errors import CommandError

if TYPE_CHECKING:
    from upcast_authoring.trying import Tried
    from upcasters import Chain, Policy

FileArgument = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="A file of events, in place of stdin.", readable=False)
]
HeaderOption = Annotated[
    list[str] | None,
    typer.Option("--header", "--headers", "-H", metavar="NAME=VALUE", help="A header of each event."),
]
KeyOption = Annotated[str | None, typer.Option("--key", help="The key of each event.")]
ToOption = Annotated[
    str | None, typer.Option("--to", metavar="VERSION", help="The target, if not the current version.")
]
WholeOption = Annotated[
    bool, typer.Option("--whole", help="All that is read is one event, byte for byte, as a topic would hold it.")
]


def try_events(
    file: FileArgument = None,
    chain: ChainOption = None,
    headers: HeaderOption = None,
    key: KeyOption = None,
    to: ToOption = None,
    whole: WholeOption = False,
    as_json: Json = False,
) -> None:
    """Upcast events, and show what each hop changes, what changes around them, and the outcome.

    One JSON document a line, or a single one over several lines, in UTF-8 or UTF-16. Nothing is sent anywhere. Exit
    codes: 0 all would get through, 1 one would be a dead letter, 2 the command or the chain is wrong.

    **Example:** `echo '{"metadata": {"taskId": "1", "projectId": "p"}, "nodes": {}}' | upcast try`
    """
    from upcast_authoring.one_chain import load
    from upcasters import Policy

    show_tried(try_values(load(chain), Policy(), file, pairs(headers or []), key, to, whole=whole), as_json=as_json)


def try_values(
    chain: Chain,
    policy: Policy,
    file: Path | None,
    headers: list[tuple[str, bytes]],
    key: str | None,
    to: str | None,
    *,
    whole: bool,
) -> list[Tried]:
    """The values of a file or of stdin through a chain by a policy."""
    from upcast_authoring.trying import documents, try_all, upcaster_of

    upcaster = upcaster_of(chain, policy, to)
    data = data_of(file)
    return try_all(upcaster, [data] if whole else documents(data, upcaster.readers), headers, key)


def data_of(file: Path | None) -> bytes:
    """What the file holds, or stdin. Raises CommandError where that is nothing."""
    try:
        data = file.read_bytes() if file else sys.stdin.buffer.read()
    except OSError as error:
        raise CommandError(
            f"{file}: cannot be read ({error.strerror}): name a file of events", code="UPC1005"
        ) from error
    if not data.strip():
        raise CommandError(
            f"there is no event {f'in {file}' if file else 'on stdin'}; give one JSON document a line", code="UPC2111"
        )
    return data


def pairs(headers: list[str]) -> list[tuple[str, bytes]]:
    """Headers as names and values. Raises CommandError."""
    for given in headers:
        if "=" not in given:
            raise CommandError(f"--header {given} is not NAME=VALUE", code="UPC1001")
    return [(name, value.encode()) for name, _, value in (given.partition("=") for given in headers)]


def show_tried(tried: Sequence[Tried], *, as_json: bool) -> None:
    """Print what became of the events, and end with 1 where one is a dead letter."""
    from upcast_authoring.trying import as_json as json_of

    if as_json:
        typer.echo(json_of(tried))
    else:
        for one in tried:
            _show(one)
    if any(one.dead for one in tried):
        raise typer.Exit(1)


def _show(tried: Tried) -> None:
    from upcast_authoring.cli.output import print_diff, print_hops

    typer.secho(f"event {tried.number}", bold=True)
    if tried.read:
        typer.echo(tried.read)
    print_hops(tried.hops)
    print_diff(tried.around)
    typer.secho(tried.summary, fg="red" if tried.dead else None)
