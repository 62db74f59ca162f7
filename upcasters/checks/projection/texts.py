"""Operations that take texts apart and put them together, followed over shapes."""

from __future__ import annotations

from upcasters.checks.notes import Notes
from upcasters.checks.places import ARRAY, STRING, expect, field_at, objects_at, put, take, values_at
from upcasters.checks.projection.dispatch import is_strict, nulls_kept, presence_of, project
from upcasters.checks.shape import Field, Presence, Shape, join, nothing, scalar
from upcasters.operations.texts import JoinList, JoinValues, Reformat, SplitList, SplitValue
from upcasters.paths import EACH


@project.register
def _split_value(operation: SplitValue, root: Shape, notes: Notes) -> None:
    for parent, value in list(values_at(root, operation.path, notes, strict=is_strict(operation))):
        expect(value, STRING, operation.path, notes)
        presence = presence_of(parent, operation.path[-1])
        take(parent, operation.path[-1])
        for position, name in enumerate(operation.names):
            sure = operation.short == "error" or position == 0
            made = Field(scalar("string"), presence if sure else Presence.UNKNOWN)
            put(parent, (*operation.path[:-1], name), made, notes)


@project.register
def _join_values(operation: JoinValues, root: Shape, notes: Notes) -> None:
    at = operation.path[:-1]
    for parent in objects_at(root, at, notes, strict=is_strict(operation)):
        there = [presence_of(parent, name) is Presence.ALWAYS for name in operation.names]
        strict = is_strict(operation) or any(there)
        last = max((position for position, sure in enumerate(there) if sure), default=0)
        needed = len(there) if operation.short == "error" else last + 1
        parts = [
            field_at(parent, (*at, name), notes, strict=strict and position < needed)
            for position, name in enumerate(operation.names)
        ]
        found = [part for part in parts if part is not None]
        for name, part in zip(operation.names, parts, strict=True):
            if part is not None:
                expect(part.shape, STRING, (*at, name), notes)
            take(parent, name)
        if found:
            put(parent, operation.path, Field(scalar("string"), found[0].presence), notes)


@project.register
def _reformat(operation: Reformat, root: Shape, notes: Notes) -> None:
    typed = operation.wrong_type == "error"
    for _, value in values_at(root, operation.path, notes, strict=is_strict(operation), typed=typed):
        nulls = nulls_kept(value, operation.null)
        expect(value, STRING | nulls, operation.path, notes, strict=typed)
        kept = value.copy()
        kept.types -= STRING
        value.become(join(scalar("string"), kept))


@project.register
def _split_list(operation: SplitList, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=is_strict(operation)):
        nulls = nulls_kept(value, operation.null)
        kept = value.types & ARRAY if operation.lists == "keep" else nothing().types
        expect(value, STRING | nulls | kept, operation.path, notes)
        value.become(join(Shape(ARRAY, items=None if kept else scalar("string")), scalar(*nulls)))


@project.register
def _join_list(operation: JoinList, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=is_strict(operation)):
        nulls = nulls_kept(value, operation.null)
        kept = STRING if operation.texts == "keep" else nothing().types
        expect(value, ARRAY | nulls | kept, operation.path, notes)
        if value.items is not None and not value.items.impossible:
            expect(value.items, STRING, (*operation.path, EACH), notes)
        value.become(scalar("string", *nulls))
