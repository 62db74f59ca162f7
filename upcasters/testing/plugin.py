"""pytest items for a chain: one that checks it, and one per law and golden pair. ``upcast_pytest`` registers them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from upcasters.chain import Chain
from upcasters.errors import ChainError
from upcasters.loading import load_chain
from upcasters.testing import laws
from upcasters.testing.golden import golden_folder
from upcasters.testing.law import Law, LawBroken


class LawItem(pytest.Item):
    """One law as a test."""

    def __init__(self, *, law: Law, chain: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._law = law
        self._chain = chain

    def runtest(self) -> None:
        """Try the law."""
        self._law.check()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What a broken law says, without the way there."""
        if isinstance(excinfo.value, (LawBroken, ChainError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Laws have no line; they go by their chain and id."""
        return self.path, None, f"{self._chain} {self._law.id}"


class LawsPlugin:
    """Adds the laws of the chains that ``--upcast-chain`` names to whatever else pytest collects."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Append the items, before other plugins select and shuffle."""
        # As `upcast` does: chains of one's own are found from where one stands.
        sys.path.append(str(config.invocation_params.dir))
        for name in config.getoption("upcast_chain"):
            items.extend(_items(session, name))


def _sound(chain: Chain) -> Law:
    """That ``upcast check`` takes the chain, as a test beside the laws."""

    def check() -> int:
        chain.check()
        return 1

    return Law("check", chain.name or "chain", check)


def _items(session: pytest.Session, name: str) -> Iterator[LawItem]:
    try:
        chain = load_chain(name)
    except ChainError as error:
        raise pytest.UsageError(*str(error).splitlines()) from None
    for law in (_sound(chain), *laws(chain, golden=golden_folder(name, chain))):
        nodeid = f"{name}::{re.sub(r'::', ':', law.id)}"
        yield LawItem.from_parent(session, name=law.id, nodeid=nodeid, law=law, chain=name)
