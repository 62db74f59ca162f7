"""`upcast check`: checks a chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from upcast_authoring.cli.options import ChainOption, Json
from upcast_authoring.cli.waiting import waiting

if TYPE_CHECKING:
    from upcast_authoring.checks import Checked

Laws = Annotated[
    bool,
    typer.Option("--laws", help="Also test the laws of each chain, on its golden pairs and on generated events."),
]
Against = Annotated[
    str | None,
    typer.Option(
        "--against",
        metavar="REF|WHEEL|FILE",
        help="Compare each chain with what was released: a git reference, a wheel, or a lock file.",
    ),
]


def check(chain: ChainOption = None, laws: Laws = False, against: Against = None, as_json: Json = False) -> None:
    """Check a chain, offline. Without --chain it is the shipped chain.

    A released step that was changed is refused, see `upcast lock`; --against tries events on the release and on the
    chain of now. Exit codes: 0 all is well, 1 the chain is wrong, 2 wrong use.

    **Example:** `upcast check --chain orders:chain --laws`
    """
    from upcast_authoring.one_chain import SHIPPED

    checked = check_by_itself(chain or SHIPPED, laws=laws, tell=teller(as_json=as_json))
    if against is not None:
        checked += check_releases([chain or SHIPPED], against)
    show_all(checked, as_json=as_json)
    if any(each.problems for each in checked):
        raise typer.Exit(1)


def check_by_itself(chain: str, *, laws: bool, tell: Callable[[str], None]) -> list[Checked]:
    """What is known of a chain without any configuration; ``tell`` gets a line for each law when it ends."""
    from upcast_authoring.checks import check_chain
    from upcast_authoring.laws import check_laws

    return check_chain(chain) + (check_laws([chain], tell) if laws else [])


def check_releases(chains: Iterable[str], released: str) -> list[Checked]:
    """Each of the chains beside its release."""
    from upcast_authoring.against import check_against

    with waiting(f"check: running the chain of {released} beside this one"):
        return [check_against(name, released) for name in dict.fromkeys(chains)]


def teller(*, as_json: bool) -> Callable[[str], None]:
    """What prints lines while it goes on; nothing where JSON is printed at the end."""
    return (lambda _line: None) if as_json else typer.echo


def show_all(checked: Sequence[Checked], *, as_json: bool) -> None:
    from upcast_authoring.cli.output import print_json

    if as_json:
        print_json([each.as_json() for each in checked])
        return
    for each in checked:
        _show(each)


def _show(checked: Checked) -> None:
    chain = f" (chain {checked.chain}, fingerprint {checked.fingerprint})" if checked.fingerprint else ""
    seen = f": {_counted(checked.size)}" if checked.size and not checked.problems else ""
    typer.echo(f"{'wrong' if checked.problems else 'ok'}: {checked.subject}{chain}{seen}")
    for line in checked.problems:
        typer.echo(f"  {line}")
    for line in checked.warnings:
        typer.echo(f"  warning: {line}")


def _counted(size: Mapping[str, int]) -> str:
    """``1 type, 2 versions, 1 step``."""
    return ", ".join(f"{many} {what[:-1] if many == 1 else what}" for what, many in size.items())
