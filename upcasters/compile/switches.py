"""Switches of a way on the same field, which choose once: all of them, and what stands between, become one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from upcasters.document import ScalarKey
from upcasters.operations.base import Operation
from upcasters.operations.choice import Switch, walk
from upcasters.operations.events import DropEvent, SplitEach, SplitEvent, Tombstone
from upcasters.paths import Path, overlap


def may_end(operation: Operation) -> bool:
    """True where the event may end, or become several, in the operation."""
    return any(isinstance(inner, (DropEvent, Tombstone, SplitEach, SplitEvent)) for inner in walk([operation]))


@dataclass(frozen=True)
class SwitchRun:
    """Operations from one switch on a field to the last one on it. None but the last writes the field."""

    path: Path
    parts: tuple[Operation, ...]

    def values(self) -> frozenset[ScalarKey]:
        """Every value for which some switch has a case."""
        return frozenset(value for part in self.parts if self._chooses(part) for value in part.cases)

    def chosen(self, value: ScalarKey | None) -> tuple[Operation, ...] | None:
        """The operations for ``value``, which is None where no case names it. Returns None where that is an error."""
        found: list[Operation] = []
        for part in self.parts:
            if not self._chooses(part):
                found.append(part)
                continue
            case: Any = part.otherwise if value is None else part.cases.get(value, part.otherwise)
            if case == "error":
                return None
            found += case
        return tuple(found)

    def _chooses(self, part: Operation) -> TypeGuard[Switch]:
        return isinstance(part, Switch) and part.path == self.path

    def __str__(self) -> str:
        count = len(self.values())
        return "; ".join(map(str, self.parts)) if len(self.parts) == 1 else f"{len(self.parts)} by {count} values"


def runs(operations: Iterable[Operation]) -> list[Operation | SwitchRun]:
    """The operations, with switches on the same field put together as far as nothing in between writes it."""
    listed, found = list(operations), list[Operation | SwitchRun]()
    while listed:
        length = _length(listed)
        first = listed[0]
        if isinstance(first, Switch) and length:
            found.append(SwitchRun(first.path, tuple(listed[:length])))
        else:
            found.append(first)
        del listed[: max(length, 1)]
    return found


def _length(operations: Sequence[Operation]) -> int:
    """How many operations go together, from a switch to the last one on the same field; 0 where the first is none."""
    first = operations[0]
    if not isinstance(first, Switch):
        return 0
    length = 0
    for position, operation in enumerate(operations, 1):
        if may_end(operation):
            break
        if isinstance(operation, Switch) and operation.path == first.path:
            length = position
        if any(overlap(first.path, written) for written in operation.writes()):
            break
    return length
