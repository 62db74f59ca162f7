"""Numbers whose exponents Decimal does not take compare by their value, beside any others."""

from __future__ import annotations

import itertools
import operator
from decimal import Decimal
from typing import Any

import pytest

from upcasters.vast import Vast, exact

INFINITE = Decimal("Infinity")
ASCENDING: list[Any] = [
    -INFINITE,
    exact(f"-1e{10**40 + 1}"),
    exact(f"-1e{10**40}"),
    exact("-1e99999999999999999999"),
    exact("-1.3e1000000000000000000"),
    exact("-1.25e1000000000000000000"),
    exact("-1.2e1000000000000000000"),
    Decimal("-1e999999999999999999"),
    -1,
    exact("-1e-1999999999999999998"),
    exact("-1e-99999999999999999999"),
    Decimal(0),
    exact("1e-99999999999999999999"),
    exact("1e-1999999999999999998"),
    Decimal("1e-1999999999999999997"),
    exact("1.5e-1999999999999999997"),
    Decimal("2e-1999999999999999997"),
    10**400,
    Decimal("120e999999999999999997"),
    exact("1.2e1000000000000000000"),
    exact("1.25e1000000000000000000"),
    exact("1.3e1000000000000000000"),
    exact("1e1" + "0" * 5_000),
    INFINITE,
]


def test_numbers_are_ordered_by_their_value() -> None:
    for (first, one), (second, other) in itertools.product(enumerate(ASCENDING), repeat=2):
        for compare in (operator.lt, operator.le, operator.eq, operator.ge, operator.gt):
            assert compare(one, other) is compare(first, second), (compare, one, other)


def test_a_vast_number_is_written_as_it_is_read() -> None:
    vast = [number for number in ASCENDING if isinstance(number, Vast)]
    assert len(vast) == 15
    assert [exact(str(number)) for number in vast] == vast


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.1e1000000000000000000", Decimal("1e999999999999999999")),
        ("10e-1999999999999999998", Decimal("1e-1999999999999999997")),
        ("0.00e99999999999999999999", 0),
        ("-0e-99999999999999999999", 0),
        ("1.50", Decimal("1.5")),
    ],
)
def test_what_decimal_holds_in_another_spelling_is_one(text: str, number: Any) -> None:
    assert not isinstance(exact(text), Vast)
    assert exact(text) == number
