"""Operations about whether a field is there, followed over shapes."""

from __future__ import annotations

import msgspec

from upcasters.checks.notes import Notes
from upcasters.checks.places import NULL, OBJECT, containers_at, objects_at, put, values_at
from upcasters.checks.projection.dispatch import is_strict, project
from upcasters.checks.shape import Field, Presence, Shape, any_value, join, members, shape_of_value
from upcasters.operations.filling import Default
from upcasters.operations.presence import MustExist, Optional
from upcasters.paths import EACH, Each, Path


@project.register
def _default(operation: Default, root: Shape, notes: Notes) -> None:
    value = shape_of_value(msgspec.json.decode(operation.value))
    for parent in objects_at(root, operation.path[:-1], notes, strict=is_strict(operation)):
        old = parent.get(str(operation.path[-1]))
        if operation.exists == "keep" and old is not None:
            if operation.null == "replace" and old.shape.told:
                old.shape.types -= NULL
            elif operation.null != "replace" and old.presence is Presence.ALWAYS:
                continue
            old.shape.become(join(old.shape, value))
            old.presence = Presence.ALWAYS
        else:
            put(parent, operation.path, Field(value.copy()), notes, exists=operation.exists)


@project.register
def _must_exist(operation: MustExist, root: Shape, notes: Notes) -> None:
    parents = list(containers_at(root, operation.path[:-1], notes.silent(), strict=False))
    # Of a list of which nothing is known no item is found.
    told = operation.path[-1] is not EACH and (parents or EACH not in operation.path)
    if told and not list(values_at(root, operation.path, notes.silent(), strict=False)):
        notes.missing(operation.path, may=False)
    for _, value in values_at(root, operation.path, notes.silent()):
        if operation.null == "error":
            value.types -= NULL


@project.register
def _optional(operation: Optional, root: Shape, _notes: Notes) -> None:
    _allow(root, operation.path)


def _allow(shape: Shape, path: Path) -> None:
    """A field may be there, and what it stands in: the model has to declare it."""
    if isinstance(path[0], Each):
        inside = list(members(shape))
    else:
        found = shape.get(path[0])
        if found is None:
            made = any_value() if len(path) == 1 else Shape(OBJECT)
            found = shape.fields[path[0]] = Field(made, Presence.MAYBE)
        inside = [found.shape]
    for one in inside if len(path) > 1 else ():
        _allow(one, path[1:])
