"""A type that is written in two ways is told by what each of them lacks."""

from __future__ import annotations

import pytest

from upcast_authoring.checks import misspelt_types
from upcasters import Baseline, Chain, Step, default, present, rename_type

ADDS = [default("currency", "EUR")]
DID_YOU_MEAN = "oder has a step and no baseline, order has a baseline and no step. Did you mean order?"


def step(event_type: str, source: str = "1", target: str = "2") -> Step:
    return Step(event_type, source, target, ADDS, shape=present("currency"))


@pytest.mark.parametrize(
    ("chain", "told"),
    [
        (Chain([step("oder")], [Baseline("order", "1")]), [DID_YOU_MEAN]),
        (Chain([step("order")], [Baseline("order", "1")]), []),
        (Chain([step("oder")], [Baseline("invoice", "1")]), []),
        (Chain([step("oder"), step("order")], [Baseline("order", "1")]), []),
        (Chain([Step("oder", "1", "1", [rename_type("order")])], [Baseline("order", "1")]), []),
    ],
    ids=["misspelt", "right", "unlike", "both have steps", "one becomes the other"],
)
def test_a_misspelt_type(chain: Chain, told: list[str]) -> None:
    assert misspelt_types(chain) == told
