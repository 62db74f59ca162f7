"""Operations that move fields into an object and out of it, followed over shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from upcasters.checks.notes import Notes
from upcasters.checks.places import OBJECT, expect, field_at, objects_at, put, take, values_at
from upcasters.checks.projection.dispatch import is_strict, presence_of, project
from upcasters.checks.shape import Field, Presence, Shape
from upcasters.operations.base import OnConflict
from upcasters.operations.nesting import KeepOnly, Nest, Unnest
from upcasters.paths import Path


@project.register
def _nest(operation: Nest, root: Shape, notes: Notes) -> None:
    for target in objects_at(root, operation.at, notes):
        child = Shape(OBJECT)
        for name in operation.names:
            found = field_at(target, (*operation.at, name), notes, strict=is_strict(operation))
            if found is not None:
                child.fields[name] = found
                take(target, name)
        put(target, (*operation.at, operation.into), Field(child), notes)


@project.register
def _unnest(operation: Unnest, root: Shape, notes: Notes) -> None:
    strict = operation.absent == "error"
    for parent, child in list(values_at(root, operation.child, notes, strict=strict)):
        expect(child, OBJECT, operation.child, notes)
        if operation.names is not None:
            _check_names(operation, operation.names, child, notes)
        presence = presence_of(parent, operation.child[-1])
        take(parent, operation.child[-1])
        for name, inner in child.fields.items():
            where, old = (*operation.child[:-1], name), parent.fields.get(name)
            if inner.presence is Presence.ALWAYS is not presence:
                inner.presence = presence
                if old is not None and old.presence is Presence.ALWAYS and operation.exists == "error":
                    notes.taken(where)
            _merge(parent, where, inner, operation.exists, notes)
        parent.open = parent.open or child.open or child.others is not None


def _check_names(operation: Unnest, names: tuple[str, ...], child: Shape, notes: Notes) -> None:
    for name in names:
        field_at(child, (*operation.child, name), notes, strict=is_strict(operation))
    for name, inner in child.fields.items():
        if name not in names and inner.presence is not Presence.UNKNOWN:
            what = f"{notes.named((*operation.child, name))} is not among the names that {operation} lists"
            notes.report("unlisted", what, "List it, or drop it first.")


def _merge(target: Shape, where: Path, made: Field, exists: OnConflict, notes: Notes) -> None:
    """Put a field where another may be, which stays, gives way, or has to be the same."""
    old = target.get(str(where[-1]))
    if exists == "keep" and old is not None and old.presence is Presence.ALWAYS:
        return
    put(target, where, made, notes, exists="error" if exists == "error" else "replace")


@project.register
def _keep_only(operation: KeepOnly, root: Shape, notes: Notes) -> None:
    for target in objects_at(root, operation.at, notes):
        kept = {name: inner for name in operation.names if (inner := target.get(name)) is not None}
        if operation.rest is not None:
            kept[operation.rest] = _rest(operation, operation.rest, target, kept, notes)
        target.fields = kept
        target.others, target.open, target.takes_more = None, False, False


def _rest(operation: KeepOnly, name: str, target: Shape, kept: Mapping[str, Field], notes: Notes) -> Field:
    """What the child is that takes the fields which are not kept."""
    where, old = (*operation.at, name), target.fields.get(name)
    others = {other: inner for other, inner in target.fields.items() if other not in kept and other != name}
    rest = Shape(OBJECT, others=target.others, open=True)
    if old is None or operation.exists == "error":
        if old is not None and old.presence is Presence.ALWAYS:
            notes.taken(where)
        rest.fields = others if old is None else {**others, name: old}
        return Field(rest, _any_of(target, rest.fields.values()))
    expect(old.shape, OBJECT, where, notes)
    rest.fields = dict(old.shape.fields)
    for other, inner in others.items():
        _merge(rest, (*where, other), inner, operation.exists, notes)
    return Field(rest, Presence.ALWAYS if old.presence is Presence.ALWAYS else _any_of(target, rest.fields.values()))


def _any_of(holder: Shape, fields: Iterable[Field]) -> Presence:
    """Whether one of the fields is there. An event may have none beside those that its model requires."""
    presences = {inner.presence for inner in fields}
    if Presence.ALWAYS in presences:
        return Presence.ALWAYS
    untold = holder.open or holder.others is not None or Presence.UNKNOWN in presences
    return Presence.UNKNOWN if untold else Presence.MAYBE
