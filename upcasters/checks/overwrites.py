"""Operations of one step that write a field which an earlier one of the same step has written for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from upcasters.operations.base import Operation
from upcasters.operations.choice import Switch, When
from upcasters.operations.events import RenameType, SetKey
from upcasters.operations.fields import Drop
from upcasters.operations.filling import Default
from upcasters.operations.keys import RenameKeys
from upcasters.operations.lists import ListToFields, MoveItems
from upcasters.operations.nesting import KeepOnly, Unnest
from upcasters.operations.scopes import At, Everywhere
from upcasters.operations.texts import SplitValue
from upcasters.operations.values import KEY, Derive
from upcasters.paths import EACH, Path, overlap

Overwrite = tuple[Path, Operation, Operation]


@dataclass(frozen=True)
class _Placed:
    """An operation and where it is applied."""

    operation: Operation
    at: Path

    def paths(self, paths: Iterable[Path]) -> tuple[Path, ...]:
        return tuple((*self.at, *path) for path in paths)


def overwrites(operations: Iterable[Operation]) -> Iterator[Overwrite]:
    """(path, earlier, later) where ``later`` sets what ``earlier`` has set and nothing has read.

    An obvious sequence is none: a value that is read and set again, a default behind something that may have set
    the field, a part of a text that is thrown away once the text is split, an operation that says ``exists="replace"``
    or ``"same"``. The path is empty where it is the event's key or type that is set twice.
    """
    listed = tuple(operations)
    yield from _of_the_event(listed)
    written: dict[Path, Operation] = {}
    for placed in _flat(listed, ()):
        operation = placed.operation
        reads, removed = placed.paths(operation.reads()), placed.paths(operation.removes())
        for path in [path for path in written if any(overlap(path, read) for read in reads)]:
            del written[path]
        if isinstance(operation, (When, Switch, Everywhere, KeepOnly, RenameKeys)):
            yield from _inside(operation)
            written.clear()
            continue
        for path in placed.paths(operation.writes()):
            for other in [other for other in written if _covers(operation, path, other)]:
                earlier = written.pop(other)
                if not _is_obvious(earlier, operation):
                    yield other, earlier, operation
            if path not in removed:
                written[path] = operation


def _of_the_event(operations: Iterable[Operation]) -> Iterator[Overwrite]:
    earlier: dict[type[Operation], Operation] = {}
    for operation in operations:
        if isinstance(operation, (SetKey, RenameType)):
            if type(operation) in earlier:
                yield (), earlier[type(operation)], operation
            earlier[type(operation)] = operation
        elif isinstance(operation, (At, When, Switch, Everywhere)) or KEY in getattr(operation, "sources", ()):
            earlier.clear()  # the key may have been read


def _covers(later: Operation, path: Path, earlier: Path) -> bool:
    """True where writing ``path`` leaves nothing of what was written at ``earlier``."""
    if path == earlier:
        return True
    if getattr(later, "exists", "") == "keep" or isinstance(later, Unnest) or len(path) > len(earlier):
        return False
    return all(one is EACH or one == other for one, other in zip(path, earlier, strict=False))


def _flat(operations: Iterable[Operation], at: Path) -> Iterator[_Placed]:
    for operation in operations:
        if isinstance(operation, At):
            yield from _flat(operation.operations, (*at, *operation.path))
        else:
            yield _Placed(operation, at)


def _inside(operation: Operation) -> Iterator[Overwrite]:
    if isinstance(operation, When):
        yield from overwrites(operation.operations)
        yield from overwrites(operation.otherwise)
    elif isinstance(operation, Switch):
        for case in operation.cases.values():
            yield from overwrites(case)
        yield from overwrites(() if operation.otherwise == "error" else operation.otherwise)
    elif isinstance(operation, Everywhere):
        yield from overwrites(operation.operations)


def _is_obvious(earlier: Operation, later: Operation) -> bool:
    if isinstance(later, Drop) and isinstance(earlier, (ListToFields, MoveItems, SplitValue)):
        return True
    exists = getattr(later, "exists", None)
    if exists == "keep":
        return not _is_certain(earlier) or getattr(later, "null", "keep") == "replace"
    return exists == "same" or (exists == "replace" and not isinstance(earlier, Default))


def _is_certain(operation: Operation) -> bool:
    """True where the operation sets its field in every document that it takes."""
    missing = getattr(operation, "missing", "error")
    if getattr(operation, "short", "error") == "keep":
        return False
    return bool(missing == "error" or (isinstance(operation, Derive) and missing == "none"))
