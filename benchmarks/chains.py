"""Chains for cases of the drain: histories of one hop, of ten steps and of a hundred, one type and a hundred.

Each hop renames a field and adds one. Events say no version: a chain's own rule does, so that an event passes as many
hops as the case wants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from upcasters import Always, Chain, Detection, FromHeader, Step, default, rename

NAMES = ("taskId", "task_id")


TYPE_HEADER = ("event-type", b"task_context")


def history(length: int, hops: int) -> Chain:
    """``length`` steps; every event is ``hops`` of them from the end."""
    rules = Detection((Always("task_context"),), (Always(str(length - hops)),))
    return Chain(_steps("task_context", length), detection=rules)


def of_types(count: int) -> Chain:
    """So many types of two steps each. A header says the type; every event has both steps before it."""
    names = ["task_context", *(f"other_{number}" for number in range(1, count))]
    rules = Detection((FromHeader(TYPE_HEADER[0]),), (Always("0"),))
    return Chain([step for name in names for step in _steps(name, 2)], detection=rules)


def _steps(event_type: str, length: int) -> list[Step]:
    return [
        Step(
            event_type,
            str(number),
            str(number + 1),
            [
                rename(f"metadata.{NAMES[number % 2]}", NAMES[1 - number % 2]),
                default(f"metadata.field_{number}", number),
            ],
        )
        for number in range(length)
    ]


def by_hand(length: int, hops: int) -> Callable[[dict[str, Any]], None]:
    """What ``history`` does to a document."""

    def change(body: dict[str, Any]) -> None:
        metadata = body["metadata"]
        for number in range(length - hops, length):
            metadata[NAMES[1 - number % 2]] = metadata.pop(NAMES[number % 2])
            metadata.setdefault(f"field_{number}", number)

    return change


one_hop = history(1, 1)
ten_hops = history(10, 10)
late_of_ten = history(10, 2)
late_of_a_hundred = history(100, 2)
one_type = of_types(1)
a_hundred_types = of_types(100)
