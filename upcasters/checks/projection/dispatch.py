"""One operation followed over a shape: which function does it, and what several of them need."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch
from typing import Any

from upcasters.checks.notes import Notes
from upcasters.checks.places import NULL, forget
from upcasters.checks.shape import Presence, Shape, any_value, join, members, nothing
from upcasters.document import ScalarKey, scalar_value
from upcasters.operations.base import Operation
from upcasters.paths import Segment


def follow(operations: Iterable[Operation], root: Shape, notes: Notes) -> None:
    """Change ``root`` as the operations would change every document of that shape."""
    for operation in operations:
        if not root.impossible:
            project(operation, root, notes)


@singledispatch
def project(operation: Operation, root: Shape, _notes: Notes) -> None:
    """Change ``root`` as one operation would."""
    for path in operation.writes():
        forget(root, path)


def nulls_kept(value: Shape, option: str) -> frozenset[str]:
    """The null type, where a value may be null and the operation keeps it."""
    return value.types & NULL if option == "keep" and value.told else frozenset()


def is_strict(operation: Any) -> bool:
    return bool(operation.missing == "error")


def presence_of(parent: Shape, name: Segment) -> Presence:
    found = parent.fields.get(str(name))
    return Presence.UNKNOWN if found is None else found.presence


def listed(values: Iterable[ScalarKey]) -> str:
    return " or ".join(sorted(repr(scalar_value(value)) for value in values))


def any_member(shape: Shape) -> Shape:
    if shape.open or ("array" in shape.types and shape.items is None):
        return any_value()
    made = nothing()
    for member in members(shape):
        made = join(made, member)
    return made
