"""How many values of one event may stand in no byte of it. A field of Protobuf that is not written has a value all the
same, and so has a null in a record of Avro: a megabyte of empty messages would become gigabytes."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from upcasters.errors import DecodeError

MOST_IMPLIED: Final = 2_000_000
"""Of one event, beyond its bytes: some hundred megabytes."""

_LEFT: ContextVar[list[int] | None] = ContextVar("implied_values_left", default=None)


def begin() -> None:
    """Count for the next event."""
    _LEFT.set([MOST_IMPLIED])


def spend(count: int) -> None:
    """Raises DecodeError where an event has too many. What was read elsewhere is counted from its first such value."""
    left = _LEFT.get()
    if left is None:
        left = [MOST_IMPLIED]
        _LEFT.set(left)
    left[0] -= count
    if left[0] < 0:
        raise DecodeError(f"the value holds more than {MOST_IMPLIED} values that stand in no byte of it")
