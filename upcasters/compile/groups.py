"""Which operations of a way are on the fields of one object, and so become one change of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, get_args

from upcasters.compile.switches import SwitchRun
from upcasters.operations.base import ChangeValue, Operation
from upcasters.operations.choice import Downgrade
from upcasters.operations.fields import Drop, FirstOf, Rename
from upcasters.operations.filling import Default
from upcasters.operations.keys import RenameKeys
from upcasters.operations.lists import FieldsToList, ListToFields, Wrap
from upcasters.operations.nesting import Nest
from upcasters.operations.numbers import Scale
from upcasters.operations.presence import Optional
from upcasters.operations.restoring import Restore, RestoreItems, RestoreOthers
from upcasters.operations.scopes import At
from upcasters.operations.texts import JoinList, JoinValues, Reformat, SplitList, SplitValue
from upcasters.operations.times import ConvertTime
from upcasters.operations.values import Convert, Derive, MapValues, ParseJson, PrintJson
from upcasters.paths import EACH, Path, overlap

CHANGES_OF_VALUES = (
    *(Convert, ConvertTime, MapValues, Wrap, ParseJson, PrintJson, Reformat, Scale, SplitList, JoinList),
)
Parts = SplitValue | JoinValues | FieldsToList | ListToFields
Flat = Rename | FirstOf | RenameKeys | Nest | Default | Drop | Derive | Parts | ChangeValue
_OF_ONE_FIELD = (Default, Drop, *get_args(Parts), *CHANGES_OF_VALUES)


@dataclass
class FlatGroup:
    """Operations on the fields of the object at ``at``, their paths relative to it."""

    at: Path
    operations: list[Flat]
    touched: list[Path]
    optional: bool
    """True where the object may be missing: then there is nothing to do."""


Group = Operation | SwitchRun | FlatGroup


def grouped(operations: Iterable[Operation | SwitchRun]) -> list[Group]:
    """The operations, those on the fields of one object put together unless one between them is of another kind or
    touches the same paths."""
    groups: list[Group] = []
    for operation in operations:
        single = None if isinstance(operation, SwitchRun) else _singles(operation)
        if single is None:
            groups.append(operation)
        else:
            for group in single:
                _join(groups, group)
    return groups


def _singles(operation: Operation) -> list[FlatGroup] | None:
    """The operation as groups of one; None where it is more than a change of fields of one object."""
    if isinstance(operation, (Optional, Downgrade, RestoreItems, RestoreOthers)):
        return []
    if isinstance(operation, Restore):
        given = operation.value
        return [] if given is None else _singles(Default(operation.path, given, "error", missing=operation.missing))
    if isinstance(operation, At):
        return _inside(operation)
    at = _flat_at(operation)
    if at is None:
        return None
    touched = [*operation.reads(), *operation.writes()]
    optional = not isinstance(operation, (Derive, Nest)) and getattr(operation, "missing", "error") == "skip"
    return [FlatGroup(at, [_relative(operation, len(at))], touched, optional)]


def _inside(operation: At) -> list[FlatGroup] | None:
    if operation.wrong_type != "error":
        return None
    groups: list[FlatGroup] = []
    for inner in operation.operations:
        singles = _singles(inner)
        if singles is None or any(single.at for single in singles):
            return None
        for single in singles:
            touched = [(*operation.path, *path) for path in single.touched]
            groups.append(FlatGroup(operation.path, single.operations, touched, operation.missing == "skip"))
    # Operations that change nothing ask for the object all the same.
    return groups or [FlatGroup(operation.path, [], [operation.path], operation.missing == "skip")]


def _join(groups: list[Group], later: FlatGroup) -> None:
    for group in reversed(groups):
        if not isinstance(group, FlatGroup):
            break
        if group.at == later.at:
            group.operations += later.operations
            group.touched += later.touched
            group.optional = group.optional and later.optional
            return
        if any(overlap(one, other) for one in later.touched for other in group.touched):
            break
    groups.append(later)


def _flat_at(operation: Operation) -> Path | None:
    """The object whose fields are all that the operation is about; None where it is about more."""
    if getattr(operation, "wrong_type", "error") != "error" or _asks_length(operation):
        return None
    if isinstance(operation, RenameKeys):
        return None if operation.subtree or operation.checks_way_back else operation.at
    if isinstance(operation, (Rename, Nest)):
        return operation.at
    if isinstance(operation, FirstOf):
        at = operation.target[:-1]
        return at if all(source[:-1] == at for source in operation.sources) else None
    if isinstance(operation, Derive):
        return _derived_at(operation)
    return operation.path[:-1] if isinstance(operation, _OF_ONE_FIELD) and operation.path[-1] is not EACH else None


def _asks_length(operation: Operation) -> bool:
    """True where which fields there will be depends on how many items or parts there are."""
    return isinstance(operation, (ListToFields, SplitValue)) and operation.short == "keep"


def _derived_at(operation: Derive) -> Path | None:
    at = operation.path[:-1]
    inside = all(isinstance(source, tuple) and source[: len(at)] == at for source in operation.sources)
    return at if inside and all(len(source) > len(at) for source in operation.sources) else None  # type: ignore[arg-type]  # sources are paths here


def _relative(operation: Any, depth: int) -> Any:
    if isinstance(operation, (Rename, RenameKeys, Nest)):
        return replace(operation, at=())
    if isinstance(operation, FirstOf):
        sources = tuple(source[depth:] for source in operation.sources)
        return replace(operation, sources=sources, target=operation.target[depth:])
    if isinstance(operation, Derive):
        sources = tuple(source[depth:] for source in operation.sources)  # type: ignore[index]  # sources are paths here
        return replace(operation, path=operation.path[depth:], sources=sources)
    return replace(operation, path=operation.path[depth:])
