"""What is known of a document for which a condition holds, or does not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from upcasters.checks.notes import SILENT
from upcasters.checks.places import ARRAY, NULL, OBJECT, STRING, single_at, take
from upcasters.checks.shape import ALL_TYPES, Field, Presence, Shape, any_value, nothing, shape_of_value
from upcasters.conditions import (
    AllOf,
    AnyOf,
    Between,
    Compared,
    Condition,
    Equals,
    FieldCondition,
    HasType,
    IsNull,
    LengthIs,
    Matches,
    Not,
    OneOf,
    Present,
    StartsWith,
)
from upcasters.document import ScalarKey, scalar_key, scalar_value
from upcasters.paths import Path


def refine(root: Shape, condition: Condition, *, holds: bool) -> None:
    """What is known of a document for which a condition holds, or does not."""
    if isinstance(condition, Not):
        refine(root, condition.part, holds=not holds)
    elif isinstance(condition, (AllOf, AnyOf)):
        parts = condition.parts if holds is isinstance(condition, AllOf) else ()
        for part in parts:
            refine(root, part, holds=holds)
        _loosen(root, () if parts else condition.reads())
    elif isinstance(condition, FieldCondition):
        _refine_field(root, condition, holds=holds)
    elif isinstance(condition, Compared):
        for path in condition.reads() if holds else ():
            _there(root, path)
    else:
        _loosen(root, condition.reads())


def _refine_field(root: Shape, condition: FieldCondition, *, holds: bool) -> None:
    wanted = _wanted(condition)
    if holds:
        shape = _there(root, condition.path)
        shape.types &= wanted
        _is_equal(shape, condition)
        if shape.impossible:
            root.become(nothing())
    elif isinstance(condition, Present):
        _gone(root, condition.path)
    elif isinstance(condition, (HasType, IsNull)) or wanted == NULL:
        _is_not(root, condition.path, wanted)
    elif isinstance(condition, (Equals, OneOf)):
        _is_other(root, condition)


def _is_equal(shape: Shape, condition: Condition) -> None:
    """A value is known to be one: nothing else, or nothing at all where it cannot be that."""
    values = _values(condition)
    if values is None:
        return
    shape.values = values if shape.values is None else values & shape.values
    if not shape.values:
        shape.become(nothing())


def _values(condition: Condition) -> frozenset[ScalarKey] | None:
    """The single values of which a condition asks that a field is one."""
    if isinstance(condition, OneOf):
        return condition.values
    if isinstance(condition, Equals) and not isinstance(condition.value, (dict, list)):
        return frozenset({scalar_key(condition.value)})
    return None


def _is_other(root: Shape, condition: Equals | OneOf) -> None:
    """A value is known not to be one."""
    found = single_at(root, condition.path, SILENT, strict=False)
    if found is None or found[1].shape.values is None:
        return
    found[1].shape.values -= _values(condition) or frozenset()
    if not found[1].shape.values and found[1].presence is Presence.ALWAYS:
        root.become(nothing())


def _is_not(root: Shape, path: Path, types: frozenset[str]) -> None:
    found = single_at(root, path, SILENT, strict=False)
    if found is None:
        return
    shape = found[1].shape
    shape.types -= types
    if shape.impossible and found[1].presence is Presence.ALWAYS:
        root.become(nothing())


def _wanted(condition: FieldCondition) -> frozenset[str]:
    if isinstance(condition, (Matches, StartsWith)):
        return STRING
    if isinstance(condition, (OneOf, Between)):
        return frozenset(kind for value in _named(condition) for kind in _types(value))
    if isinstance(condition, HasType):
        types = frozenset[str](condition.types)
        return types | {"integer"} if "number" in types else types
    if isinstance(condition, Equals):
        return _types(condition.value)
    if isinstance(condition, LengthIs):
        return ARRAY
    return NULL if isinstance(condition, IsNull) else ALL_TYPES


def _named(condition: OneOf | Between) -> list[Any]:
    """The values that a condition names."""
    if isinstance(condition, Between):
        return [bound for _, bound in condition.bounds]
    return list(map(scalar_value, condition.values))


def _types(value: Any) -> frozenset[str]:
    """The types that a value may have which equals this one."""
    types = shape_of_value(value).types
    return types | {"number", "integer"} if types & {"number", "integer"} else types


def _there(root: Shape, path: Path) -> Shape:
    """The shape at a path that is known to be there."""
    shape = root
    for segment in path:
        shape.types = shape.types & OBJECT or OBJECT
        name = str(segment)
        found = shape.get(name)
        if found is None:
            found = shape.fields[name] = Field(any_value())
        found.presence = Presence.ALWAYS
        shape = found.shape
    return shape


def _gone(root: Shape, path: Path) -> None:
    """A path is known not to be there: its field goes, where everything on the way is sure to be."""
    found = single_at(root, path, SILENT, strict=False)
    if found is None:
        return
    if found[1].presence is Presence.ALWAYS:
        root.become(nothing())
    elif _sure(root, path[:-1]):
        take(found[0], path[-1])


def _sure(root: Shape, path: Path) -> bool:
    """True where an object is always at ``path``."""
    found = single_at(root, path, SILENT, strict=False) if path else (root, Field(root))
    return found is not None and found[1].presence is Presence.ALWAYS and found[1].shape.types == OBJECT


def _loosen(root: Shape, paths: Iterable[Path]) -> None:
    """A condition speaks of these fields in a way that is not followed: whether they are there is unknown."""
    for path in paths:
        shape = root
        for segment in path:
            found = shape.get(str(segment))
            if found is None:
                break
            if found.presence is Presence.MAYBE:
                found.presence = Presence.UNKNOWN
            shape = found.shape
