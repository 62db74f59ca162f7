"""Operations between objects, lists and single values, followed over shapes."""

from __future__ import annotations

from upcasters.checks.notes import Notes
from upcasters.checks.places import ARRAY, NULL, OBJECT, STRING, expect, field_at, put, take, values_at
from upcasters.checks.projection.dispatch import any_member, is_strict, nulls_kept, project
from upcasters.checks.shape import ALL_TYPES, Field, Presence, Shape, any_value, join, scalar
from upcasters.operations.objects import FromObject, ListToObject, ObjectToList, ToObject
from upcasters.paths import EACH, Path


@project.register
def _to_object(operation: ToObject, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=is_strict(operation)):
        if operation.objects == "error":
            expect(value, ALL_TYPES - OBJECT, operation.path, notes)
        nulls, inner = nulls_kept(value, operation.null), value.copy()
        if operation.null == "keep":
            inner.types -= NULL
        if operation.objects == "keep" and "object" in value.types:
            value.become(join(Shape(OBJECT, open=True), scalar(*nulls)))
        else:
            value.become(join(Shape(OBJECT, {operation.key: Field(inner)}), scalar(*nulls)))


@project.register
def _from_object(operation: FromObject, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=is_strict(operation)):
        nulls = nulls_kept(value, operation.null)
        expect(value, OBJECT | nulls, operation.path, notes)
        where = (*operation.path, operation.key)
        found = field_at(value, where, notes, strict=operation.others != "keep")
        _alone(value, (operation.key,), operation.others, operation.path, notes)
        if found is None or operation.others == "keep":
            value.become(any_value())
        else:
            value.become(join(found.shape, scalar(*nulls)))


def _alone(value: Shape, names: tuple[str | None, ...], others: str, path: Path, notes: Notes) -> None:
    """Report a field that is always there and that an operation does not take beside ``names``."""
    for name, inner in value.fields.items():
        if others == "error" and name not in names and inner.presence is Presence.ALWAYS:
            what = f"{notes.named((*path, name))} is always there and the operation then fails"
            notes.report("unlisted", what, "Drop or move it first, or say what becomes of it.")


@project.register
def _object_to_list(operation: ObjectToList, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=is_strict(operation)):
        expect(value, OBJECT, operation.path, notes)
        where = (*operation.path, EACH)
        items = any_member(value)
        if operation.value is not None:
            fields = {operation.key: Field(scalar("string")), operation.value: Field(items)}
            items = Shape(OBJECT, fields)
        elif not items.impossible:
            _report_clash(operation, value, notes)
            expect(items, OBJECT, where, notes)
            put(items, (*where, operation.key), Field(scalar("string")), notes)
        value.become(Shape(ARRAY, items=items))


def _report_clash(operation: ObjectToList, value: Shape, notes: Notes) -> None:
    for name, inner in value.fields.items():
        own = inner.shape.fields.get(operation.key) if inner.shape.types == OBJECT else None
        if own is not None and own.presence is Presence.ALWAYS and inner.presence is not Presence.UNKNOWN:
            notes.taken((*operation.path, name, operation.key))


@project.register
def _list_to_object(operation: ListToObject, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=is_strict(operation)):
        expect(value, ARRAY, operation.path, notes)
        items = any_value() if value.items is None else value.items.copy()
        if not items.impossible:
            items = _member(operation, items, notes)
        value.become(Shape(OBJECT, others=items))


def _member(operation: ListToObject, item: Shape, notes: Notes) -> Shape:
    where = (*operation.path, EACH)
    expect(item, OBJECT, where, notes)
    key = field_at(item, (*where, operation.key), notes, strict=True)
    assert key is not None
    expect(key.shape, STRING, (*where, operation.key), notes)
    if operation.value is None:
        take(item, operation.key)
        return item
    value = field_at(item, (*where, operation.value), notes, strict=True)
    assert value is not None
    _alone(item, (operation.key, operation.value), "error", where, notes)
    return value.shape
