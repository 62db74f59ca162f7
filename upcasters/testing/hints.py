"""What a chain's operations tell of the documents that they expect: field names, constants, headers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from upcasters.chain import Chain
from upcasters.conditions import AllOf, AnyOf, Condition, FieldCondition, Matches, Not
from upcasters.document import scalar_value
from upcasters.operations.base import Operation
from upcasters.operations.choice import Switch, When, walk
from upcasters.operations.events import DropHeader, HeaderToField, RenameHeader, RenameType
from upcasters.operations.lists import MoveItems
from upcasters.operations.scopes import At, Everywhere
from upcasters.operations.texts import Reformat
from upcasters.operations.times import EXAMPLES, ConvertTime
from upcasters.operations.values import Derive, HeaderValue, MapValues
from upcasters.paths import EACH, Path


@dataclass
class Hints:
    """``values``: constants by the name of the field that they are compared with, ``patterns`` likewise. ``children``:
    names by their parent's name. ``paths``: every path that is read. ``headers``: every header that is read."""

    values: dict[str, list[Any]] = field(default_factory=dict)
    patterns: dict[str, list[str]] = field(default_factory=dict)
    children: dict[str, set[str]] = field(default_factory=dict)
    paths: set[Path] = field(default_factory=set)
    headers: set[str] = field(default_factory=set)

    @property
    def names(self) -> set[str]:
        """Every field name that some operation has to do with."""
        return {name for names in self.children.values() for name in names}


def hints_of(chain: Chain) -> Hints:
    """Everything that the steps of a chain tell."""
    hints = Hints()
    for step in chain.steps:
        _collect(hints, step.operations, ())
    for known in chain.versions.values():
        if known.shape is not None:
            _ask(hints, known.shape, ())
    return hints


def _collect(hints: Hints, operations: Iterable[Operation], at: Path) -> None:
    for operation in operations:
        for path in (*operation.reads(), *operation.writes()):
            _name(hints, (*at, *path))
        hints.paths.update((*at, *path) for path in operation.reads())
        _constants(hints, operation, at)
        if isinstance(operation, At):
            _collect(hints, operation.operations, (*at, *operation.path))
    for operation in walk(operations):
        _headers(hints, operation)


def _name(hints: Hints, path: Path) -> None:
    for parent, name in zip(("", *path), path, strict=False):
        if name is not EACH:
            hints.children.setdefault("" if parent is EACH else str(parent), set()).add(str(name))


def _constants(hints: Hints, operation: Operation, at: Path) -> None:
    if isinstance(operation, When):
        _ask(hints, operation.condition, at)
        _collect(hints, (*operation.operations, *operation.otherwise), at)
    elif isinstance(operation, Everywhere):
        _ask(hints, operation.where, at)
        if operation.stop_where is not None:
            _ask(hints, operation.stop_where, at)
        _collect(hints, operation.operations, at)
    elif isinstance(operation, MoveItems):
        item = (*at, *operation.path, EACH)
        hints.paths.update((*item, *path) for path in operation.where.reads())
        _ask(hints, operation.where, item)
    elif isinstance(operation, Switch):
        for case in operation.cases.values():
            _collect(hints, case, at)
    path, values = _expected(operation)
    if values:
        _value(hints, path, values)


def _expected(operation: Operation) -> tuple[Path, list[Any]]:
    """A path of an operation, and values that it takes there."""
    if isinstance(operation, Switch):
        return operation.path, list(map(scalar_value, operation.cases))
    if isinstance(operation, MapValues):
        return operation.path, list(map(scalar_value, operation.table))
    if isinstance(operation, Reformat):
        form = operation.before
        return operation.path, [form.written("1" * (place.width or 1) for place in form.places)]
    if isinstance(operation, ConvertTime):
        return operation.path, [EXAMPLES[operation.before]] if operation.before in EXAMPLES else []
    if isinstance(operation, RenameType) and operation.table:
        return operation.path, list(operation.table)
    return (), []


def _ask(hints: Hints, condition: Condition, at: Path) -> None:
    for path in condition.reads():
        _name(hints, (*at, *path))
    hints.headers.update(source.name for source in condition.outside() if isinstance(source, HeaderValue))
    if isinstance(condition, (AllOf, AnyOf)):
        for part in condition.parts:
            _ask(hints, part, at)
    elif isinstance(condition, Not):
        _ask(hints, condition.part, at)
    elif isinstance(condition, FieldCondition):
        _value(hints, condition.path, condition.examples())
        if isinstance(condition, Matches):
            hints.patterns.setdefault(_field(condition.path), []).append(condition.pattern)


def _value(hints: Hints, path: Path, values: Iterable[Any]) -> None:
    hints.values.setdefault(_field(path), []).extend(values)


def _field(path: Path) -> str:
    """The name of the field at a path, or of that in whose items it leads."""
    return next((str(part) for part in reversed(path) if part is not EACH), "")


def _headers(hints: Hints, operation: Operation) -> None:
    if isinstance(operation, RenameHeader):
        hints.headers.add(operation.old)
    elif isinstance(operation, (DropHeader, HeaderToField)):
        hints.headers.add(operation.name)
    elif isinstance(operation, Derive):
        hints.headers.update(source.name for source in operation.sources if isinstance(source, HeaderValue))


def schema_of(paths: Iterable[Path]) -> Mapping[str, Any]:
    """A JSON Schema of objects in which something stands at each path, for versions that have no model."""
    below: dict[Any, list[Path]] = {}
    for path in paths:
        if path:
            below.setdefault(path[0], []).append(path[1:])
    if not below:
        return {}
    inside = schema_of(below.pop(EACH)) if EACH in below else None
    if not below:
        return {"anyOf": [{"type": "array", "items": inside}, {"type": "object", "additionalProperties": inside}]}
    fields = {name: schema_of(rest) for name, rest in below.items()}
    more = {} if inside is None else {"additionalProperties": inside}
    return {"type": "object", "properties": fields, "required": list(fields), **more}


def wanted(condition: Condition | None) -> tuple[Path, ...]:
    """Paths of which some condition asks that something is there."""
    if isinstance(condition, AllOf):
        return tuple(path for part in condition.parts for path in wanted(part))
    if isinstance(condition, AnyOf):
        return wanted(condition.parts[0])
    return () if condition is None or isinstance(condition, Not) else condition.reads()
