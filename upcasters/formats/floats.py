"""Numbers as floats of four or eight bytes: exactly, or not at all."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeVar

from upcasters.document import ExactFloat, number_of

FLOAT: Final = struct.Struct("<f")
DOUBLE: Final = struct.Struct("<d")
_DIGITS: Final = {FLOAT: 9, DOUBLE: 17}

T = TypeVar("T")


def is_number(value: Any) -> bool:
    """Whether a Python value is one that may be a float."""
    return type(value) in (int, float, ExactFloat, Decimal)


def float_encoder(form: struct.Struct, no_place: Callable[[T, Any, str], Exception]) -> Callable[[T, Any], bytes]:
    """What writes values of a type as floats. It raises what ``no_place`` makes of the type, the value and a reason,
    which is empty where the value is no number."""

    def encode(kind: T, value: Any) -> bytes:
        if not is_number(value):
            raise no_place(kind, value, "")
        try:
            made = float_bytes(form, value)
        except OverflowError:
            raise no_place(kind, value, "a number too large") from None
        if made is None:
            raise no_place(kind, value, "a number of more digits")
        return made

    return encode


def float_bytes(form: struct.Struct, value: Any) -> bytes | None:
    """A number as a float; None where it has more digits. Raises OverflowError where it is too large."""
    try:
        made: bytes = form.pack(value)
    except struct.error:
        raise OverflowError from None
    return made if _is_same_number(value, form.unpack(made)[0], _DIGITS[form]) else None


def _is_same_number(value: Any, made: float, digits: int) -> bool:
    """Whether a float is the number, or the one that everybody writes as it is written: 0.1."""
    if type(value) is float and (made == value or not math.isfinite(value)):
        return True
    if not math.isfinite(made):
        return False
    exact = number_of(value)
    return exact == Decimal(made) or any(exact == Decimal(f"{made:.{count}g}") for count in range(1, digits + 1))
