"""Which version's shape the documents of a schema have: settled once, when the schema is first seen.

A field is *present* where the schema has it. Whether it is null in an event makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from upcasters.conditions import AllOf, AnyOf, Anything, Condition, HasType, IsNull, Not, Present, implies
from upcasters.detect import shapes_of
from upcasters.document import ValueType
from upcasters.errors import DetectionError
from upcasters.paths import Path

if TYPE_CHECKING:
    from upcasters.version_graph import VersionGraph

TypesAt = Callable[[Path], frozenset[ValueType] | None]
"""What a schema says of a path: the types that may stand there; None where only a document can tell."""


def version_by_shape(chain: VersionGraph, event_type: str, types_at: TypesAt) -> str | None:
    """The version whose shape a schema has; None where it has none.

    Raises DetectionError where it may be several, or where only a document could tell.
    """
    answers = [(version, shape, holds(shape, types_at)) for version, shape in shapes_of(chain, event_type)]
    unclear = [version for version, _, answer in answers if answer is None]
    if unclear:
        raise DetectionError(f"the schema does not tell whether it is that of version {unclear[0]}: values would")
    fits = [(version, shape) for version, shape, answer in answers if answer]
    closest = [
        (version, shape)
        for version, shape in fits
        if not any(_is_closer(other, shape) for _, other in fits if other is not shape)
    ]
    if len(closest) > 1:
        names = " and ".join(version for version, _ in closest)
        raise DetectionError(f"the schema has the shape of several versions: {names}")
    return closest[0][0] if closest else None


def _is_closer(one: Condition, other: Condition) -> bool:
    """True where a shape asks for all that another one asks for, and for more."""
    if isinstance(other, Anything):
        return not isinstance(one, Anything)
    return implies(one, other) and not implies(other, one)


def holds(condition: Condition, types_at: TypesAt) -> bool | None:
    """Whether a condition holds for each document of a schema, or for none; None where that differs."""
    if isinstance(condition, Anything):
        return True
    if isinstance(condition, Not):
        inside = holds(condition.part, types_at)
        return None if inside is None else not inside
    if isinstance(condition, (AllOf, AnyOf)):
        return _of_all([holds(part, types_at) for part in condition.parts], settles=isinstance(condition, AnyOf))
    asked = condition.reads()
    return _of_field(condition, types_at(asked[0])) if len(asked) == 1 else None


def _of_all(answers: list[bool | None], *, settles: bool) -> bool | None:
    if settles in answers:
        return settles
    return None if None in answers else not settles


def _of_field(condition: Condition, types: frozenset[ValueType] | None) -> bool | None:
    if types is None or not types:
        return None if types is None else False
    if isinstance(condition, Present):
        return True
    asked = (
        {"null"} if isinstance(condition, IsNull) else set(condition.types) if isinstance(condition, HasType) else None
    )
    if asked is None:
        return None
    return True if types <= asked else None if types & asked else False
