"""A doubling of what an event costs is seen here; the bounds are generous, the ratios of one run."""

from __future__ import annotations

import pytest

from benchmarks.smoke import BOUNDS, Bound, microseconds


@pytest.fixture(scope="module")
def times() -> dict[str, float]:
    return microseconds()


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.case)
def test_an_event_costs_no_more_than_it_may(bound: Bound, times: dict[str, float]) -> None:
    assert times[bound.case] <= bound.at_most * times[bound.against]
