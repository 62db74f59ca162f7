"""Operations on lists, followed over shapes."""

from __future__ import annotations

from upcasters.checks.notes import Notes
from upcasters.checks.places import ARRAY, NULL, OBJECT, expect, field_at, objects_at, parent_of, put, take, values_at
from upcasters.checks.projection.dispatch import is_strict, nulls_kept, presence_of, project
from upcasters.checks.refining import refine
from upcasters.checks.shape import ALL_TYPES, Field, Presence, Shape, any_value, join, nothing, scalar
from upcasters.operations.lists import FieldsToList, Flatten, ListToFields, MoveItems, Number, Unwrap, Wrap
from upcasters.paths import EACH


@project.register
def _wrap(operation: Wrap, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=is_strict(operation)):
        if operation.lists == "error":
            expect(value, ALL_TYPES - ARRAY, operation.path, notes)
        nulls, inner = nulls_kept(value, operation.null), value.copy()
        if operation.null != "wrap":
            inner.types -= NULL
        was_list = operation.lists == "keep" and "array" in value.types
        made = Shape(ARRAY, items=None if was_list else inner)
        value.become(join(made, scalar(*nulls)))


@project.register
def _unwrap(operation: Unwrap, root: Shape, notes: Notes) -> None:
    for parent, value in list(values_at(root, operation.path, notes, strict=is_strict(operation))):
        nulls = nulls_kept(value, operation.null)
        expect(value, ARRAY | nulls, operation.path, notes)
        made = any_value() if value.items is None else value.items.copy()
        value.become(join(made, scalar(*(NULL if operation.empty == "null" else nulls))))
        name = operation.path[-1]
        if operation.empty == "drop" and isinstance(name, str):
            parent.fields[name].presence = Presence.UNKNOWN


@project.register
def _fields_to_list(operation: FieldsToList, root: Shape, notes: Notes) -> None:
    at = operation.path[:-1]
    for parent in objects_at(root, at, notes, strict=is_strict(operation)):
        there = [presence_of(parent, name) is Presence.ALWAYS for name in operation.names]
        strict = is_strict(operation) or any(there)
        last = max((position for position, sure in enumerate(there) if sure), default=0)
        items, found = nothing(), list[Field]()
        for position, name in enumerate(operation.names):
            needed = operation.short == "error" or position <= last
            part = field_at(parent, (*at, name), notes, strict=strict and needed)
            if part is not None:
                items = join(items, part.shape)
                found.append(part)
            take(parent, name)
        if found:
            put(parent, operation.path, Field(Shape(ARRAY, items=items), found[0].presence), notes)


@project.register
def _list_to_fields(operation: ListToFields, root: Shape, notes: Notes) -> None:
    for parent, value in list(values_at(root, operation.path, notes, strict=is_strict(operation))):
        expect(value, ARRAY, operation.path, notes)
        presence = presence_of(parent, operation.path[-1])
        take(parent, operation.path[-1])
        item = any_value() if value.items is None or value.items.impossible else value.items
        for position, name in enumerate(operation.names):
            sure = operation.short == "error" or position == 0
            made = Field(item.copy(), presence if sure else Presence.UNKNOWN)
            put(parent, (*operation.path[:-1], name), made, notes)


@project.register
def _flatten(operation: Flatten, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=is_strict(operation)):
        expect(value, ARRAY, operation.path, notes)
        if value.items is None:
            continue
        if operation.scalars == "error":
            expect(value.items, ARRAY, (*operation.path, EACH), notes)
        kept = value.items.copy()
        kept.types -= ARRAY
        inner = value.items.items
        if "array" in value.items.types:
            value.items = None if inner is None else join(kept, inner)


@project.register
def _number(operation: Number, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=is_strict(operation)):
        expect(value, ARRAY, operation.path, notes)
        if value.items is not None and not value.items.impossible:
            where = (*operation.path, EACH)
            expect(value.items, OBJECT, where, notes)
            kept = value.items.get(operation.name) if operation.exists == "keep" else None
            made = scalar("string" if operation.text else "integer")
            if kept is not None:
                made = join(made, kept.shape)
            put(value.items, (*where, operation.name), Field(made), notes, exists="replace" if kept else "error")


@project.register
def _move_items(operation: MoveItems, root: Shape, notes: Notes) -> None:
    for parent, value in list(values_at(root, operation.path, notes, strict=is_strict(operation))):
        expect(value, ARRAY, operation.path, notes)
        if value.items is None:
            moved = any_value()
        else:
            moved = value.items.copy()
            moved.types &= OBJECT
            refine(moved, operation.where, holds=True)
            if value.items.types == OBJECT:
                refine(value.items, operation.where, holds=False)
        if moved.impossible:
            continue
        found = parent.get(str(operation.path[-1]))
        if operation.empty == "drop" and found is not None and found.presence is Presence.ALWAYS:
            found.presence = Presence.MAYBE
        owner, name = parent_of(root, operation.target, notes), str(operation.target[-1])
        old = owner.get(name)
        if old is not None:
            expect(old.shape, ARRAY, operation.target, notes)
            moved = any_value() if old.shape.items is None else join(old.shape.items, moved)
        owner.fields[name] = Field(Shape(ARRAY, items=moved), Presence.MAYBE if old is None else old.presence)
