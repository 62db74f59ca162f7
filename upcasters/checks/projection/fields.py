"""Operations that move, rename and drop fields, followed over shapes."""

from __future__ import annotations

from upcasters.checks.notes import Notes
from upcasters.checks.places import (
    OBJECT,
    containers_at,
    expect,
    field_at,
    objects_at,
    parent_of,
    put,
    single_at,
    step_in,
    take,
)
from upcasters.checks.projection.dispatch import is_strict, project
from upcasters.checks.shape import Field, Presence, Shape, join, members, nothing, shape_of_value
from upcasters.document import plain
from upcasters.operations.fields import Drop, FirstOf, Move, Rename
from upcasters.operations.filling import Copy
from upcasters.operations.keys import RenameKeys
from upcasters.paths import EACH


@project.register
def _rename(operation: Rename, root: Shape, notes: Notes) -> None:
    typed = operation.wrong_type == "error"
    strict = is_strict(operation) and operation.default is None
    for target in objects_at(root, operation.at, notes, strict=is_strict(operation), typed=typed):
        taken = {
            new: found
            for old, new in operation.names.items()
            if (found := field_at(target, (*operation.at, old), notes, strict=strict)) is not None
        }
        for old in operation.names:
            take(target, old)
        for new, found in taken.items():
            put(target, (*operation.at, new), found, notes, exists=operation.exists)
        if operation.default is not None:
            for new in operation.names.values():
                _fill(target, new, shape_of_value(plain(operation.default)))


def _fill(target: Shape, name: str, value: Shape) -> None:
    """A field has this value where it was not there."""
    old = target.get(name)
    if old is None:
        target.fields[name] = Field(value)
    elif old.presence is not Presence.ALWAYS:
        old.shape.become(join(old.shape, value))
        old.presence = Presence.ALWAYS


@project.register
def _rename_keys(operation: RenameKeys, root: Shape, notes: Notes) -> None:
    strict, typed = is_strict(operation), operation.wrong_type == "error"
    for target in containers_at(root, operation.at, notes, strict=strict, typed=typed):
        if operation.subtree or expect(target, OBJECT, operation.at, notes, strict=typed):
            _respell(operation, target, notes)


def _respell(operation: RenameKeys, target: Shape, notes: Notes) -> None:
    fields, target.fields = target.fields, {}
    for name, inner in fields.items():
        put(target, (*operation.at, operation.rule(name)), inner, notes, exists=operation.exists)
    if operation.subtree:
        for member in members(target):
            _respell(operation, member, notes)


@project.register
def _move(operation: Move, root: Shape, notes: Notes) -> None:
    found = single_at(root, operation.source, notes, strict=is_strict(operation))
    if found is None:
        return
    parent, moved = found
    take(parent, operation.source[-1])
    create = operation.parents == "create"
    target = parent_of(root, operation.target, notes, create=create, beside=[operation.source])
    put(target, operation.target, moved, notes, exists=operation.exists)


@project.register
def _copy(operation: Copy, root: Shape, notes: Notes) -> None:
    found = single_at(root, operation.source, notes, strict=is_strict(operation))
    if found is not None:
        target = parent_of(root, operation.target, notes, beside=[operation.source])
        put(target, operation.target, found[1].copy(), notes, exists=operation.exists)


@project.register
def _drop(operation: Drop, root: Shape, notes: Notes) -> None:
    strict, typed = is_strict(operation), operation.wrong_type == "error"
    parents = list(containers_at(root, operation.path[:-1], notes, strict=strict, typed=typed))
    for parent in parents:
        list(step_in(parent, operation.path[-1], operation.path, notes, strict=strict, typed=typed))
        if operation.path[-1] is EACH:
            parent.fields, parent.others, parent.items, parent.open = {}, None, nothing(), False
        else:
            take(parent, operation.path[-1])


@project.register
def _first_of(operation: FirstOf, root: Shape, notes: Notes) -> None:
    found = [
        (source, pair)
        for source in operation.sources
        if (pair := single_at(root, source, notes, strict=False)) is not None
    ]
    if not found:
        if is_strict(operation):
            notes.missing(operation.sources[0], may=False)
        return
    shape = nothing()
    for _, (_, one) in found:
        shape = join(shape, one.shape)
    presences = [one.presence for _, (_, one) in found]
    if len(found) == 1 and is_strict(operation) and presences == [Presence.MAYBE]:
        notes.missing(found[0][0], may=True)
    for source, (parent, _) in found:
        take(parent, source[-1])
    sure = is_strict(operation) or Presence.ALWAYS in presences
    presence = Presence.ALWAYS if sure else presences[0]
    target = parent_of(root, operation.target, notes, beside=[source for source, _ in found])
    target.fields[str(operation.target[-1])] = Field(shape, presence)
