"""Operations that make a value of others, followed over shapes."""

from __future__ import annotations

from collections.abc import Iterator

from upcasters.checks.notes import Notes
from upcasters.checks.places import (
    INTEGER,
    NULL,
    NUMBER,
    STRING,
    expect,
    forget,
    parent_of,
    put,
    single_at,
    take,
    values_at,
)
from upcasters.checks.projection.dispatch import is_strict, listed, nulls_kept, project
from upcasters.checks.shape import (
    ALL_TYPES,
    CONTAINERS,
    Field,
    Presence,
    Shape,
    any_value,
    join,
    nothing,
    scalar,
    shape_of_value,
    type_of,
)
from upcasters.document import plain, scalar_key
from upcasters.operations.numbers import Scale
from upcasters.operations.texts import Template
from upcasters.operations.times import ConvertTime
from upcasters.operations.values import POSITION, Convert, Derive, Function, MapValues, ParseJson, PrintJson
from upcasters.paths import EACH


@project.register
def _derive(operation: Derive, root: Shape, notes: Notes) -> None:
    parent = parent_of(root, operation.path, notes)
    old = parent.get(str(operation.path[-1]))
    if operation.exists == "keep" and operation.null == "keep" and old and old.presence is Presence.ALWAYS:
        return
    if POSITION in operation.sources and operation.missing == "error" and EACH not in notes.at:
        what = f"{notes.named(operation.path)} is derived from the position, and there is none here"
        notes.report("no-such-path", what, "Put the operation into at('items.*', …).")
    for source in operation.reads():
        single_at(root, source, notes, strict=operation.missing == "error")
    value = any_value()
    if isinstance(operation, Template):
        value = scalar("string")
    made = Field(value, Presence.UNKNOWN if operation.missing == "skip" else Presence.ALWAYS)
    if old is not None and operation.null == "replace":
        old.presence = Presence.UNKNOWN
    put(parent, operation.path, made, notes, exists=operation.exists)


@project.register
def _convert(operation: Convert, root: Shape, notes: Notes) -> None:
    typed = operation.wrong_type == "error"
    for _, value in values_at(root, operation.path, notes, strict=is_strict(operation), typed=typed):
        if operation.null == "error":
            expect(value, ALL_TYPES - NULL, operation.path, notes)
        value.become(any_value())


@project.register
def _map_values(operation: MapValues, root: Shape, notes: Notes) -> None:
    typed = operation.wrong_type == "error"
    for _, value in values_at(root, operation.path, notes, strict=is_strict(operation), typed=typed):
        if not operation.takes_whole:
            expect(value, ALL_TYPES - CONTAINERS, operation.path, notes)
        _report_unmapped(operation, value, notes)
        made = nothing()
        for old, result in operation.table.items():
            if value.values is None or old in value.values:
                made = join(made, shape_of_value(plain(result)))
        if operation.otherwise == "keep":
            kept = value.copy()
            if kept.values is not None:
                kept.values -= operation.table.keys()
            made = join(made, kept) if kept.values is None or kept.values else made
        nulls = nulls_kept(value, operation.null)
        value.become(join(made, shape_of_value(None)) if nulls else made)


def _report_unmapped(operation: MapValues, value: Shape, notes: Notes) -> None:
    if operation.otherwise == "keep" or value.values is None or not value.told:
        return
    left = {old for old in value.values - operation.table.keys() if type_of(old[1]) in value.types}
    if operation.null == "keep":
        left.discard(scalar_key(None))
    if left:
        what = f"{notes.named(operation.path)} may be {listed(left)}, which the table does not list"
        notes.report("unmapped", what, "List it, or say otherwise='keep'.")


@project.register
def _scale(operation: Scale, root: Shape, notes: Notes) -> None:
    for value in _changed(operation, NUMBER, root, notes):
        whole = value.types <= INTEGER | NULL and operation.keeps_whole and operation.digits is None
        kept = value.copy()
        kept.types -= NUMBER
        value.become(join(scalar(*(INTEGER if whole or operation.digits == 0 else NUMBER)), kept))


@project.register
def _convert_time(operation: ConvertTime, root: Shape, notes: Notes) -> None:
    wanted = {"rfc3339": STRING, "local": STRING, "timestamp": ALL_TYPES - NULL}
    for value in _changed(operation, wanted.get(operation.before, NUMBER), root, notes):
        kept = value.copy()
        kept.types -= wanted.get(operation.before, NUMBER)
        numbers = INTEGER if operation.digits == 0 or (value.types <= INTEGER | NULL and operation.is_finer) else NUMBER
        made = any_value() if operation.after == "timestamp" else scalar(*wanted.get(operation.after, numbers))
        value.become(join(made, kept))


def _changed(operation: Scale | ConvertTime, wanted: frozenset[str], root: Shape, notes: Notes) -> Iterator[Shape]:
    """The values that an operation takes, of which those of other types stay as they are."""
    typed = operation.wrong_type == "error"
    for _, value in values_at(root, operation.path, notes, strict=is_strict(operation), typed=typed):
        expect(value, wanted | nulls_kept(value, operation.null), operation.path, notes, strict=typed)
        yield value


@project.register
def _parse_json(operation: ParseJson, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=is_strict(operation)):
        kept = nulls_kept(value, operation.null)
        expect(value, STRING | kept, operation.path, notes)
        value.become(any_value())


@project.register
def _print_json(operation: PrintJson, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=is_strict(operation)):
        if operation.null == "error":
            expect(value, ALL_TYPES - NULL, operation.path, notes)
        value.become(scalar("string", *nulls_kept(value, operation.null)))


@project.register
def _function(operation: Function, root: Shape, notes: Notes) -> None:
    for path in operation.read:
        single_at(root, path, notes.silent(), strict=False)
    for path in operation.written:
        forget(root, path)
    for path in operation.drops:
        found = single_at(root, path, notes.silent(), strict=False)
        if found is not None:
            take(found[0], path[-1])
