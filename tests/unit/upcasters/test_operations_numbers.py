"""Numbers in another unit: no digit is lost, and what cannot be said exactly is an error."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tests.unit.upcasters.applying import applied
from upcasters import (
    Baseline,
    Chain,
    ChainError,
    Operation,
    Reversibility,
    Step,
    StepError,
    at,
    everywhere,
    present,
    scale,
)
from upcasters.errors import EventError, FormatMismatch, MissingField, WrongType
from upcasters.operations.base import undo

DONE: list[tuple[Operation, str, str]] = [
    (scale("a", "0.01"), '{"a":1250}', '{"a":12.5}'),
    (scale("a", "0.01", digits=2), '{"a":1250}', '{"a":12.50}'),
    (scale("a", "0.01", digits=2), '{"a":5}', '{"a":0.05}'),
    (scale("a", "0.01", digits=2), '{"a":-5}', '{"a":-0.05}'),
    (scale("a", "0.01", digits=2), '{"a":0}', '{"a":0.00}'),
    (scale("a", 0.01), '{"a":1200}', '{"a":12}'),
    (scale("a", 100), '{"a":12.50}', '{"a":1250}'),
    (scale("a", 1000), '{"a":1.5e2}', '{"a":150000}'),
    (scale("a", 10), '{"a":12345678901234567890.12345}', '{"a":123456789012345678901.2345}'),
    (scale("a", "1/60"), '{"a":90}', '{"a":1.5}'),
    (scale("a", Fraction(1, 60)), '{"a":5400.0}', '{"a":90}'),
    (scale("a", Decimal("0.001"), digits=0, more="cut"), '{"a":1999}', '{"a":1}'),
    (scale("a", Decimal("0.001"), digits=1, more="cut"), '{"a":-1999}', '{"a":-1.9}'),
    (
        scale("items.*.cents", "0.01"),
        '{"items":[{"cents":1},{"cents":20}]}',
        '{"items":[{"cents":0.01},{"cents":0.2}]}',
    ),
    (scale("a", "9/5", plus=32), '{"a":36.6}', '{"a":97.88}'),
    (scale("a", 1, plus="273.15"), '{"a":-273.15}', '{"a":0}'),
    (scale("a", 1, plus=1), '{"a":0}', '{"a":1}'),
    (scale("a", 1, plus=-0.5, digits=2), '{"a":1e2}', '{"a":99.50}'),
    (scale("a", 2, null="keep"), '{"a":null}', '{"a":null}'),
    (scale("a", 2, missing="skip"), "{}", "{}"),
    (scale("a", 2, wrong_type="skip"), '{"a":"1"}', '{"a":"1"}'),
    (scale("a", 2), '{"a":0e999999999}', '{"a":0}'),
    (everywhere(present("n"), scale("n", 2)), '{"n":1,"x":{"n":1.50}}', '{"n":2,"x":{"n":3}}'),
    (at("x.*", scale("n", 2)), '{"x":[{"n":1}]}', '{"x":[{"n":2}]}'),
]


@pytest.mark.parametrize(("operation", "before", "after"), DONE)
def test_a_number_is_multiplied_with_all_of_its_digits(operation: Operation, before: str, after: str) -> None:
    assert applied(before, operation) == after


REFUSED: list[tuple[str, type[EventError]]] = [
    ('{"a":"1"}', WrongType),
    ('{"a":true}', WrongType),
    ('{"a":null}', WrongType),
    ("{}", MissingField),
    ('{"a":1e999999999}', WrongType),
    ('{"a":1e-999999999999999999999}', WrongType),
    ('{"a":%s}' % ("1" * 1_001), WrongType),
    ('{"a":1.%s}' % ("1" * 1_001), WrongType),
    ('{"a":100}', FormatMismatch),
]


@pytest.mark.parametrize(("document", "error"), REFUSED, ids=lambda given: str(given)[:30])
def test_what_cannot_be_said_exactly_is_an_error(document: str, error: type[EventError]) -> None:
    with pytest.raises(error):
        applied(document, scale("a", "1/3"))


def test_more_digits_than_python_writes_are_an_error() -> None:
    with pytest.raises(WrongType, match=r"^a becomes a number too large to write$"):
        applied(f'{{"a":0.{"0" * 990}1}}', scale("a", Fraction(1, 2**3_320), plus=10**999))


def test_more_digits_than_asked_for_are_an_error() -> None:
    with pytest.raises(FormatMismatch):
        applied('{"a":1234}', scale("a", "0.001", digits=2))


WRONG: list[tuple[Callable[[], Operation], str]] = [
    (lambda: scale("a", 1), "no-op"),
    (lambda: scale("a", 0), "no-op"),
    (lambda: scale("a", "x"), "option"),
    (lambda: scale("a", 2, plus="1/3"), "option"),
    (lambda: scale("a", 2, plus=True), "option"),
    (lambda: scale("a", "1/0"), "option"),
    (lambda: scale("a", True), "option"),
    (lambda: scale("a", float("nan")), "option"),
    (lambda: scale("a", 10**2_000), "option"),
    (lambda: scale("a", "1e1000000000000"), "option"),
    (lambda: scale("a", 2, plus=Decimal("1e-1000000000000")), "option"),
    (lambda: scale("a", 2, digits=-1), "option"),
    (lambda: scale("a", 2, digits=1.5), "option"),  # type: ignore[arg-type]  # wrong on purpose
    (lambda: scale("a", 2, more="cut"), "option"),
]


@pytest.mark.parametrize(("build", "code"), WRONG)
def test_a_factor_that_makes_no_sense_is_refused(build: Callable[[], Operation], code: str) -> None:
    with pytest.raises(StepError) as caught:
        build()
    assert [problem.code for problem in caught.value.problems] == [code]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=5), st.sampled_from([100, "0.001", "-2.5", "9/5"]))
def test_down_gives_the_number_back(number: Decimal, by: Any) -> None:
    operation = scale("a", by, plus=32)
    inverse = operation.inverse()
    assert inverse.kind is Reversibility.EXACT
    up = applied(f'{{"a":{number}}}', operation)
    assert Fraction(up[5:-1]) == Fraction(number) * Fraction(by) + 32
    assert Decimal(applied(up, inverse.operations[0])[5:-1]) == number


def test_what_is_cut_off_makes_it_lossy() -> None:
    assert undo((scale("a", "0.1", digits=0, more="cut"),)).kind is Reversibility.LOSSY
    inverse = scale("a", 1000, undo="whole").inverse()
    assert inverse.kind is Reversibility.LOSSY
    assert applied('{"a":1999}', inverse.operations[0]) == '{"a":1}'


class Cents(BaseModel):
    amount: int


class Units(BaseModel):
    amount: float


class Text(BaseModel):
    amount: str


CHECKED: list[tuple[type[BaseModel], type[BaseModel], Operation, str]] = [
    (Cents, Units, scale("amount", "0.01"), ""),
    (Cents, Cents, scale("amount", 100), ""),
    (Cents, Cents, scale("amount", 1, plus=1), ""),
    (Cents, Cents, scale("amount", 1, plus="0.1"), "amount may be number"),
    (Text, Text, scale("amount", 100), "amount may be string"),
    (Cents, Text, scale("amount", 100), "amount"),
]


@pytest.mark.parametrize(("old", "new", "operation", "said"), CHECKED)
def test_the_model_is_followed(old: type[BaseModel], new: type[BaseModel], operation: Operation, said: str) -> None:
    chain = Chain([Step("t", "1", "2", [operation], model=new)], [Baseline("t", "1", model=old)])
    if said:
        with pytest.raises(ChainError, match=said):
            chain.check()
    else:
        chain.check()
