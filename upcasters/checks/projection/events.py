"""Operations on headers, key and type, and those that end or split an event, followed over shapes."""

from __future__ import annotations

from upcasters.checks.notes import Notes
from upcasters.checks.places import NULL, STRING, expect, parent_of, put, single_at, take
from upcasters.checks.projection.dispatch import any_member, is_strict, project
from upcasters.checks.shape import ALL_TYPES, CONTAINERS, Field, Presence, Shape, any_value, nothing, scalar
from upcasters.operations.events import (
    DropEvent,
    DropHeader,
    FieldToHeader,
    HeaderToField,
    RenameHeader,
    RenameType,
    SetHeader,
    SetKey,
    SplitEach,
    SplitEvent,
    Tombstone,
)


@project.register
def _rename_type(operation: RenameType, root: Shape, notes: Notes) -> None:
    for path in operation.reads():
        single_at(root, path, notes, strict=True)


@project.register
def _set_header(operation: SetHeader, _root: Shape, notes: Notes) -> None:
    notes.put_header(operation.name, exists=operation.exists)


@project.register
def _rename_header(operation: RenameHeader, _root: Shape, notes: Notes) -> None:
    known = notes.headers.get(operation.old)
    notes.take_header(operation.old, strict=is_strict(operation))
    if known is not False:
        notes.put_header(operation.new, sure=is_strict(operation) or known is True)


@project.register
def _drop_header(operation: DropHeader, _root: Shape, notes: Notes) -> None:
    notes.take_header(operation.name, strict=is_strict(operation))


@project.register
def _header_to_field(operation: HeaderToField, root: Shape, notes: Notes) -> None:
    notes.take_header(operation.name, strict=is_strict(operation))
    presence = Presence.ALWAYS if is_strict(operation) else Presence.UNKNOWN
    put(parent_of(root, operation.path, notes), operation.path, Field(scalar("string"), presence), notes)


@project.register
def _field_to_header(operation: FieldToHeader, root: Shape, notes: Notes) -> None:
    found = single_at(root, operation.path, notes, strict=is_strict(operation))
    if found is not None:
        expect(found[1].shape, STRING, operation.path, notes)
        take(found[0], operation.path[-1])
        notes.put_header(operation.name, sure=is_strict(operation))


@project.register
def _set_key(operation: SetKey, root: Shape, notes: Notes) -> None:
    for path in operation.paths:
        found = single_at(root, path, notes, strict=True)
        assert found is not None
        expect(
            found[1].shape,
            ALL_TYPES - CONTAINERS - NULL if operation.numbers == "text" else STRING,
            path,
            notes,
        )


@project.register(DropEvent)
@project.register(Tombstone)
@project.register(SplitEvent)
def _ends(_operation: DropEvent | Tombstone | SplitEvent, root: Shape, _notes: Notes) -> None:
    root.become(nothing())


@project.register
def _split_each(operation: SplitEach, root: Shape, notes: Notes) -> None:
    found = single_at(root, operation.path, notes, strict=True)
    assert found is not None
    parent, split = found
    expect(split.shape, CONTAINERS, operation.path, notes)
    take(parent, operation.path[-1])
    child = root.copy()
    added = (
        (operation.id, scalar("string")),
        (operation.name, _name_of_member(split.shape)),
        (operation.number, scalar("integer")),
        (operation.total, scalar("integer")),
        (operation.item, any_member(split.shape)),
    )
    for name, shape in added:
        if name is not None:
            put(child, (name,), Field(shape), notes)
    if operation.key:
        _set_key(SetKey(operation.key, numbers="text"), child, notes)
    notes.children.append((operation.into, operation.version, child))
    root.become(nothing())


def _name_of_member(shape: Shape) -> Shape:
    if not shape.told:
        return any_value()
    return scalar(*(name for kind, name in (("object", "string"), ("array", "null")) if kind in shape.types))
