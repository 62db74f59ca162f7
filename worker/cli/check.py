"""`upcast check`: checks the configuration and the chains."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upcast_authoring.cli.check import Against, Laws, check_by_itself, check_releases, show_all, teller
from worker.cli.options import DEFAULT_CONFIG, ChainOption, Json
from worker.cli.progress import ASKING, waiting

if TYPE_CHECKING:
    from upcast_authoring.checks import Checked

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
    laws: Laws = False,
    against: Against = None,
    as_json: Json = False,
) -> None:
    """Check the configuration and its chains, offline.

    With --chain it checks that chain and reads no configuration. With the files of several workers it also finds
    routes that lead a record back over more than one of them. A released step that was changed is refused, see
    `upcast lock`; --against tries events on the release and on the chain of now. Exit codes: 0 all is well, 1 a chain
    or a topic is wrong, 2 the configuration is.

    **Example:** `upcast check --config upcast.yaml --broker`
    """
    configs, tell = config or [DEFAULT_CONFIG], teller(as_json=as_json)
    if chain is not None:
        checked = check_by_itself(chain, laws=laws, tell=tell)
    else:
        checked = _check_configs(configs, broker, laws, tell)
    if against is not None:
        checked += check_releases([chain] if chain is not None else _chains_of(configs), against)
    show_all(checked, as_json=as_json)
    if chain is None and not broker and not as_json:
        typer.echo(NOT_ASKED)
    if any(each.problems for each in checked):
        raise typer.Exit(2 if any(each.of_settings for each in checked) else 1)


def _check_configs(configs: list[Path], broker: bool, laws: bool, tell: Callable[[str], None]) -> list[Checked]:
    from upcast_authoring.checks import Checked
    from upcast_authoring.laws import check_laws
    from worker.log import set_up_logging
    from worker.offered import policy
    from worker.route_checks import check_brokers, check_routes, check_together
    from worker.settings import load_settings

    given = {str(config): load_settings(config) for config in configs}
    checked = [each for settings in given.values() for each in check_routes(settings)]
    checked += [*check_together(given), Checked("deprecations", "", problems=tuple(policy().breaches()))]
    if laws:
        checked += check_laws([route.chain for settings in given.values() for route in settings.routes], tell)
    if broker:
        set_up_logging(sys.stderr)
        with waiting(f"check: {ASKING}"):
            checked += [each for settings in given.values() for each in check_brokers(settings)]
    return checked


def _chains_of(configs: list[Path]) -> list[str]:
    from worker.settings import load_settings

    return [route.chain for each in configs for route in load_settings(each).routes]
