"""docs/reliability.md names what is really there: every fault, every broken worker, every invariant and file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults.hostile import everything
from tests.faults.kinds import CLUSTER, SINGLE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", sorted(SINGLE | CLUSTER))
def test_every_fault_is_described(fault: str) -> None:
    assert f"\n| {fault} |" in PAGE


@pytest.mark.parametrize("number", range(1, 11))
def test_every_invariant_is_there(number: int) -> None:
    assert f"\n| I{number} " in PAGE


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE))))
def test_every_file_is_there(path: str) -> None:
    assert (ROOT / path).is_file()


def test_the_number_of_hostile_records_is_right() -> None:
    assert f"sends {len(everything())} hostile records" in PAGE
