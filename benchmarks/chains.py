"""Chains for cases of the drain: histories of one hop and of ten, of ten steps and of a hundred.

Each hop renames a field and adds one. Events say no version: a chain's own rule does, so that an event passes as many
hops as the case wants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from upcasters import Always, Chain, Detection, Step, default, rename

NAMES = ("taskId", "task_id")


def history(length: int, hops: int) -> Chain:
    """``length`` steps; every event is ``hops`` of them from the end."""
    steps = [
        Step(
            "task_context",
            str(number),
            str(number + 1),
            [
                rename(f"metadata.{NAMES[number % 2]}", NAMES[1 - number % 2]),
                default(f"metadata.field_{number}", number),
            ],
        )
        for number in range(length)
    ]
    rules = Detection((Always("task_context"),), (Always(str(length - hops)),))
    return Chain(steps, detection=rules)


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
