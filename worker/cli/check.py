"""`upcast check`: checks the configuration and the chains."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import DEFAULT_CONFIG, ChainOption, Json

if TYPE_CHECKING:
    from worker.authoring.checks import Checked

Configs = Annotated[
    list[Path] | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Configuration file (YAML); several are checked together.",
        readable=False,
    ),
]

NOT_ASKED = "not checked: topics, rights and limits at the brokers, which `upcast check --broker` asks"


def check(
    config: Configs = None,
    chain: ChainOption = None,
    broker: Annotated[
        bool, typer.Option("--broker", help="Also check topics and rights at the brokers. Writes nothing.")
    ] = False,
    laws: Annotated[
        bool,
        typer.Option("--laws", help="Also test the laws of each chain, on its golden pairs and on generated events."),
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="REF|WHEEL|FILE",
            help="Compare each chain with what was released: a git reference, a wheel, or a lock file.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the configuration and its chains, offline.

    With --chain it checks that chain and reads no configuration. With the files of several workers it also finds
    routes that lead a record back over more than one of them. A released step that was changed is refused, see
    `upcast lock`; --against tries events on the release and on the chain of now. Exit codes: 0 all is well, 1 a chain
    or a topic is wrong, 2 the configuration is.

    **Example:** `upcast check --config upcast.yaml --broker`
    """
    from worker.cli.output import print_json

    configs = config or [DEFAULT_CONFIG]
    checked = _check(configs, chain, broker, laws, _quiet if as_json else typer.echo)
    if against is not None:
        checked += _check_against(configs, chain, against)
    if as_json:
        print_json([each.as_json() for each in checked])
    else:
        for each in checked:
            _show(each)
        if chain is None and not broker:
            typer.echo(NOT_ASKED)
    if any(each.problems for each in checked):
        raise typer.Exit(2 if any(each.of_settings for each in checked) else 1)


def _quiet(_line: str) -> None:
    """Print nothing: JSON is printed at the end."""


def _check(
    configs: list[Path], chain: ChainOption, broker: bool, laws: bool, tell: Callable[[str], None]
) -> list[Checked]:
    from worker.authoring.checks import Checked, check_brokers, check_chain, check_routes, check_together
    from worker.log import set_up_logging
    from worker.offered import policy
    from worker.settings import load_settings

    if chain is not None:
        return check_chain(chain) + (_check_laws([chain], tell) if laws else [])
    given = {str(config): load_settings(config) for config in configs}
    checked = [each for settings in given.values() for each in check_routes(settings)]
    checked += [*check_together(given), Checked("deprecations", "", problems=tuple(policy().breaches()))]
    if laws:
        checked += _check_laws([route.chain for settings in given.values() for route in settings.routes], tell)
    if broker:
        set_up_logging(sys.stderr)
        checked += [each for settings in given.values() for each in check_brokers(settings)]
    return checked


def _check_against(configs: list[Path], chain: ChainOption, released: str) -> list[Checked]:
    from worker.authoring.against import check_against
    from worker.settings import load_settings

    routes = [] if chain is not None else [route for each in configs for route in load_settings(each).routes]
    names = [chain] if chain is not None else [route.chain for route in routes]
    return [check_against(name, released) for name in dict.fromkeys(names)]


def _check_laws(chains: list[str], tell: Callable[[str], None]) -> list[Checked]:
    from worker.authoring.laws import check_laws

    return check_laws(chains, tell)


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
