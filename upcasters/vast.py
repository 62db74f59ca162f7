"""Numbers compared by all of their digits, however large their exponents: some have more than Decimal takes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import Any


@dataclass(frozen=True)
class Vast:
    """A number that Decimal does not hold: ``digits * 10 ** exponent``, with a zero at neither end of its digits.

    It compares and hashes, also beside int and Decimal, of which none is equal to it.
    """

    negative: bool
    digits: str
    exponent: Decimal

    def __lt__(self, other: Any) -> bool:
        return self.order() < _order_of(other)

    def __le__(self, other: Any) -> bool:
        return self.order() <= _order_of(other)

    def __gt__(self, other: Any) -> bool:
        return self.order() > _order_of(other)

    def __ge__(self, other: Any) -> bool:
        return self.order() >= _order_of(other)

    def order(self) -> _Order:
        """What numbers are ordered by: the sign, how far the first digit is from the point, the digits."""
        size = _sum(self.exponent, len(self.digits))
        if not self.negative:
            return (1, size, self.digits)
        # Behind its digits a number that is less far from zero has nothing, and one that is farther has more.
        return (-1, size.copy_negate(), self.digits.translate(_COMPLEMENT) + ":")

    def __str__(self) -> str:
        return f"{'-' if self.negative else ''}{self.digits}e{self.exponent}"


_Order = tuple[int, Decimal, str]
_COMPLEMENT = str.maketrans("0123456789", "9876543210")


def _order_of(number: Any) -> _Order:
    if isinstance(number, Vast):
        return number.order()
    sign, digits, exponent = Decimal(number).as_tuple()
    if not isinstance(exponent, int):
        return (-2 if sign else 2, Decimal(0), "")
    written = "".join(map(str, digits)).strip("0")
    if not written:
        return (0, Decimal(0), "")
    return Vast(bool(sign), written, Decimal(exponent + len(digits) - len(written))).order()


def exact(text: str) -> Decimal | Vast:
    """The number that a text is, as JSON or Python writes numbers."""
    try:
        return Decimal(text)
    except InvalidOperation:
        mantissa, _, exponent = text.lower().partition("e")
        whole, _, fraction = mantissa.lstrip("-").partition(".")
        digits = (whole + fraction).rstrip("0")
        moved = len(whole) - len(digits)
        digits = digits.lstrip("0")
    if not digits:
        return Decimal(0)
    negative, power = mantissa.startswith("-"), _sum(Decimal(exponent), moved)
    try:
        return Decimal(f"{'-' if negative else ''}{digits}e{power}")
    except InvalidOperation:
        return Vast(negative, digits, power)


def _sum(one: Decimal, other: int) -> Decimal:
    """Whole numbers added without rounding, of however many digits."""
    return Context(prec=one.adjusted() + 25, Emin=MIN_EMIN, Emax=MAX_EMAX).add(one, Decimal(other))
