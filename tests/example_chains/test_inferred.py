"""`upcast infer` on the steps of this folder: docs/upcasters.md gives the figures."""

from __future__ import annotations

import pytest

from tests.example_chains.inferred import measure, report


@pytest.mark.long
def test_two_fifths_of_the_steps_are_inferred_right() -> None:
    measured = list(measure())
    right = sum(each.is_right for each in measured)
    assert right * 5 >= len(measured) * 2, "\n".join(report(measured))
