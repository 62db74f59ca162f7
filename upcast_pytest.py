"""The door through which pytest finds `--upcast-chain`. It stands outside `upcasters`, which costs nothing unless used.

Every run of pytest imports this module, also those that have nothing to do with chains, and before coverage of
`upcasters` may have started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("upcast").addoption(
        "--upcast-chain",
        action="append",
        default=[],
        metavar="MODULE:ATTRIBUTE",
        help="Check this chain, and try its laws and golden pairs, as a test each. May be given several times.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Load the rest where a chain is named."""
    if config.getoption("upcast_chain"):
        from upcasters.testing.plugin import LawsPlugin

        config.pluginmanager.register(LawsPlugin(), "upcast-laws")
