"""Numbers in another unit: multiplied and added to exactly, with all of their digits."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal, NamedTuple

from msgspec import Raw

from upcasters.document import is_null, json_type, number_of, plain
from upcasters.errors import FormatMismatch, StepError, WrongType
from upcasters.operations.base import ChangeValue, Inverse, Operation, at_least_one, choice
from upcasters.operations.values import OnNull
from upcasters.paths import EACH, Path, PathLike, show
from upcasters.traversal import ON_MISSING, OnMissing, OnWrongType

MOST_DIGITS = 1_000
"""Before and behind the point. More are no amount and no time, and would cost more than the event."""


# Python writes 4,300 digits; some room is left for those that are to stand behind the point.
_UNWRITTEN = 10**4_000
# A Fraction would be written out.
_HUGE = re.compile(r"[eE][+-]?0*[0-9]{5}")


class Exact(NamedTuple):
    """A number as ``whole * 10 ** exponent``."""

    whole: int
    exponent: int = 0

    def plus(self, other: Exact) -> Exact:
        """The sum."""
        exponent = min(self.exponent, other.exponent)
        return Exact(self._at(exponent) + other._at(exponent), exponent)

    def _at(self, exponent: int) -> int:
        return int(self.whole * 10 ** (self.exponent - exponent))

    def cut(self, digits: int) -> Exact:
        """With so many digits behind the point, of which it has more: those behind them are cut off."""
        cut = abs(self.whole) // 10 ** (-self.exponent - digits)
        return Exact(-cut if self.whole < 0 else cut, -digits)

    def least(self) -> Exact:
        """The same number without zeros at its end: of ``1.50`` ``1.5``, of ``2e3`` ``2000``."""
        whole, exponent = self
        if exponent > 0:
            return Exact(whole * 10**exponent)
        while exponent and not whole % 10:
            whole, exponent = whole // 10, exponent + 1
        return Exact(whole, exponent)

    def written(self, digits: int | None) -> int | Raw:
        """The node; ``digits`` is how many stand behind the point, at least."""
        whole, exponent = self.least()
        if digits is not None and -exponent < digits:
            whole, exponent = whole * 10 ** (digits + exponent), -digits
        if not exponent:
            return whole
        text = str(abs(whole)).zfill(1 - exponent)
        return Raw(f"{'-' if whole < 0 else ''}{text[:exponent]}.{text[exponent:]}".encode())


def exact_number(node: Any, path: Path) -> Exact:
    """The number that a node is. Raises WrongType for anything else, and for more than ``MOST_DIGITS`` digits."""
    if json_type(node) != "number":
        raise WrongType(f"{show(path)} is not a number", path)
    value = number_of(plain(node, path))
    if type(value) is int and abs(value) < 10**MOST_DIGITS:
        return Exact(value)
    if type(value) is not int and isinstance(value, Decimal):
        sign, digits, exponent = value.as_tuple()
        if isinstance(exponent, int) and not any(digits):
            return Exact(0)
        if isinstance(exponent, int) and len(digits) + abs(exponent) <= MOST_DIGITS:
            whole = int("".join(map(str, digits)))
            return Exact(-whole if sign else whole, exponent)
    raise WrongType(f"{show(path)} holds a number too large to compute with", path)


def behind_the_point(number: Exact, digits: int | None, more: Literal["error", "cut"], path: Path) -> int | Raw:
    """The node with so many digits behind the point.

    Raises FormatMismatch where it has more that are not to be cut, and WrongType for more digits than Python writes.
    """
    number = number.least()
    if not -_UNWRITTEN < number.whole < _UNWRITTEN:
        raise WrongType(f"{show(path)} becomes a number too large to write", path)
    if digits is not None and -number.exponent > digits:
        if more == "error":
            raise FormatMismatch(f"{show(path)} has more than {digits} digits behind the point", path)
        number = number.cut(digits)
    return number.written(digits)


NOTHING = Exact(0)


@dataclass(frozen=True)
class Scale(ChangeValue):
    """Every number at a path is multiplied, what is ``first`` added to it before, and ``plus`` behind."""

    by: Fraction
    digits: int | None = None
    more: Literal["error", "cut"] = "error"
    undo: Literal["exact", "whole"] = "exact"
    missing: OnMissing = "error"
    null: OnNull = "error"
    wrong_type: OnWrongType = "error"
    plus: Exact = NOTHING
    first: Exact = NOTHING

    def changed(self, node: Any) -> Any:
        if json_type(node) != "number" and (self.wrong_type == "skip" or (self.null == "keep" and is_null(node))):
            return node
        number = exact_number(node, self.path)
        if self.first is not NOTHING:
            number = number.plus(self.first)
        times, divisor, digits = self._decimal
        whole, left = divmod(number.whole * times, divisor)
        if left:
            raise FormatMismatch(f"{show(self.path)} times {self.by} has no decimal form", self.path)
        made = Exact(whole, number.exponent - digits)
        return behind_the_point(
            made if self.plus is NOTHING else made.plus(self.plus), self.digits, self.more, self.path
        )

    @cached_property
    def _decimal(self) -> tuple[int, int, int]:
        """``by`` as ``times / divisor * 10 ** -digits``, no part of the divisor being one of ten."""
        divisor, digits = self.by.denominator, 0
        times = self.by.numerator
        for part, other in ((2, 5), (5, 2)):
            while not divisor % part:
                divisor, times, digits = divisor // part, times * other, digits + 1
        return times, divisor, digits

    @property
    def keeps_whole(self) -> bool:
        """True where a whole number stays one."""
        return self.by.denominator == 1 and self.plus.exponent >= 0 and self.first.exponent >= 0

    def inverse(self) -> Inverse:
        back = replace(
            self,
            by=1 / self.by,
            digits=None,
            more="error",
            undo="exact",
            plus=_negative(self.first),
            first=_negative(self.plus),
        )
        if self.undo == "whole":
            back = replace(back, digits=0, more="cut")
            return Inverse.lossy(f"what {show(self.path)} has behind the point is cut off", back)
        if self.more == "cut":
            return Inverse.lossy(f"{show(self.path)} had more digits behind the point", back)
        return Inverse((back,))

    def is_local(self) -> bool:
        return len(self.path) == 1 and self.path[0] is not EACH

    def __str__(self) -> str:
        parts = [f"add {_shown(self.first)} to {show(self.path)}"] if self.first is not NOTHING else []
        if self.by != 1:
            parts.append(f"multiply {show(self.path)} by {self.by}")
        if self.plus is not NOTHING:
            parts.append(f"add {_shown(self.plus)} to {show(self.path)}")
        return ", then ".join(parts)


def _negative(number: Exact) -> Exact:
    return NOTHING if number is NOTHING else Exact(-number.whole, number.exponent)


def _shown(number: Exact) -> str:
    made = number.written(None)
    return str(made) if isinstance(made, int) else bytes(made).decode()


def scale(
    field: PathLike,
    by: float | str | Decimal | Fraction,
    *,
    plus: float | str | Decimal | Fraction = 0,
    digits: int | None = None,
    more: Literal["error", "cut"] = "error",
    undo: Literal["exact", "whole"] = "exact",
    missing: OnMissing = "error",
    null: OnNull = "error",
    wrong_type: OnWrongType = "error",
) -> Operation:
    """Multiply a number, exactly: ``scale("amount", "0.01", digits=2)`` makes cents ``1250`` into ``12.50``.

    ``by`` is a number or a text such as ``"1/60"``; ``plus`` is added then: ``scale("temp", "9/5", plus=32)``,
    ``scale("page", 1, plus=1)``. ``digits`` is how many the result has behind the point; else as
    many as it needs, and a whole number is written as one. That it needs more is an error; with ``more="cut"`` they are
    cut off, which is lossy. On the way down it is divided; with ``undo="whole"``, what is then behind the point is cut
    off, which is lossy, too. What has no decimal form, such as a third, is an error.
    """
    choice(more, ("error", "cut"), "more")
    choice(undo, ("exact", "whole"), "undo")
    choice(missing, ON_MISSING, "missing")
    choice(null, ("error", "keep"), "null")
    choice(wrong_type, ON_MISSING, "wrong_type")
    digits_given(digits, more)
    factor, summand = _number(by, "by"), _number(plus, "plus")
    if not factor or (factor == 1 and not summand):
        what = "leaves nothing of a number" if not factor else "changes nothing"
        raise StepError(f"by={by!r} {what}", "Leave it out.", "no-op")
    options = (digits, more, undo, missing, null, wrong_type)
    return Scale(at_least_one(field), factor, *options, plus=_exact(summand) if summand else NOTHING)


def _number(given: Any, option: str) -> Fraction:
    """A number of a step. Raises StepError for anything else, and for too many digits."""
    try:
        if not isinstance(given, (int, Fraction)) and _HUGE.search(str(given).replace("_", "")):
            raise StepError(f"{option} has too many digits", f"Give a number of less than {MOST_DIGITS}.", "option")
        made = Fraction(str(given) if isinstance(given, (bool, float)) else given)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        raise StepError(f"{option}={given!r} is no number", "Write 1000, '0.01' or '1/60'.", "option") from None
    if max(abs(made.numerator), made.denominator) >= 10**MOST_DIGITS:
        raise StepError(f"{option} has too many digits", f"Give a number of less than {MOST_DIGITS}.", "option")
    return made


def _exact(number: Fraction) -> Exact:
    """A number with a decimal form. Raises StepError."""
    whole, digits = number, 0
    while whole.denominator % 2 == 0 or whole.denominator % 5 == 0:
        whole, digits = whole * 10, digits + 1
    if whole.denominator != 1:
        raise StepError(f"plus={number} has no decimal form", "Add what has one: 0.5, 32.", "option")
    return Exact(whole.numerator, -digits)


def digits_given(digits: Any, more: str) -> None:
    """Raises StepError for what is no number of digits, and where they are to be cut and nobody says behind which."""
    if digits is not None and (type(digits) is not int or not 0 <= digits <= 100):
        raise StepError(f"digits={digits!r} is no number of digits", "Give a whole number from 0 to 100.", "option")
    if more == "cut" and digits is None:
        raise StepError("more='cut' without digits", "Say how many digits are left: digits=0.", "option")
