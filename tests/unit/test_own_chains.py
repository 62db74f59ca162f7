"""The golden pairs of the worker's own histories: of its configuration and of its API."""

from __future__ import annotations

import pytest

from upcasters import load_chain
from upcasters.testing import laws
from upcasters.testing.golden import golden_folder
from upcasters.testing.law import Law

CHAINS = ("worker.settings.history:chain", "worker.api.history:chain")


def golden_laws(name: str) -> list[Law]:
    chain = load_chain(name)
    return [law for law in laws(chain, golden=golden_folder(name, chain)) if law.name == "golden"]


GOLDEN = [law for name in CHAINS for law in golden_laws(name)]


@pytest.mark.parametrize("law", GOLDEN, ids=lambda law: law.id)
def test_golden_pairs(law: Law) -> None:
    law.check()


def test_there_are_some_of_both() -> None:
    assert len(GOLDEN) > 10
