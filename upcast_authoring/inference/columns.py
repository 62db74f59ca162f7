"""Values as they stand in many events: comparing them, and telling whether they are there."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

from upcasters.depth import is_too_deep


class _Missing(Enum):
    MISSING = "missing"


ALIKE_OBJECTS = 0.5
"""From here on two objects that share so many keys are taken for the same one, changed."""
MISSING = _Missing.MISSING
Column = Sequence[Any]
"""What stands at one path in each of the events, ``MISSING`` where nothing does."""


MOST_LEVELS = 100
"""Of an event: each takes several calls here."""


def loads(text: bytes) -> Any:
    """JSON with exact numbers. Raises ValueError, also for more levels than ``MOST_LEVELS`` and numbers that a step's
    Python could not write."""
    if is_too_deep(text, MOST_LEVELS):
        raise ValueError("too deep")
    return json.loads(text, parse_float=_number, parse_constant=_number)


def _number(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise ValueError("a number that Decimal does not hold") from None
    if not math.isfinite(found) or not math.isfinite(float(found)):
        raise ValueError("a number that is not finite")
    return found


def same(one: Any, other: Any) -> bool:
    """As JSON: a number is not a boolean, `1` and `1.0` are one number, the order of keys says nothing."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool) or one is MISSING or other is MISSING:
        return one is other
    return is_number(one) == is_number(other) and bool(one == other)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def equal(one: Column, other: Column) -> bool:
    return len(one) == len(other) and all(map(same, one, other))


def there(column: Column) -> list[Any]:
    return [value for value in column if value is not MISSING]


def several(values: Sequence[Any]) -> bool:
    """Whether they are not all the same."""
    return any(not same(values[0], value) for value in values)


def constant(column: Column) -> Any:
    """The one value that is everywhere; ``MISSING`` where there is more than one, or none somewhere."""
    return column[0] if column and all(same(column[0], value) for value in column) else MISSING


def likeness(one: str, other: str) -> float:
    """Of two names, from 0 to 1; spelling and separators say nothing."""
    first, second = (name.replace("_", "").replace("-", "").lower() for name in (one, other))
    return float(difflib.SequenceMatcher(None, first, second).ratio())


def share(one: dict[str, Any], other: dict[str, Any]) -> float:
    """How many of all their keys two objects have both, from 0 to 1."""
    every = one.keys() | other.keys()
    return len(one.keys() & other.keys()) / len(every) if every else 1.0


def is_map(objects: Sequence[dict[str, Any]]) -> bool:
    """Whether keys are names of things and not of fields: they lead to objects that are all alike, or no event has
    the keys of another one."""
    keys = [set(each) for each in objects if each]
    inside = [value for each in objects for value in each.values()]
    if inside and all(isinstance(value, dict) for value in inside):
        several = len(set().union(*keys)) > 1
        return several and all(share(inside[0], value) >= ALIKE_OBJECTS for value in inside)
    return len(keys) > 1 and not set.intersection(*keys)
