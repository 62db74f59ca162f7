"""Operations followed over shapes instead of documents: what a step makes of every event of a model at once.

One function per operation class, chosen by ``project``. Each changes the shape as its operation changes a document
and reports what would fail; an operation that is not known here leaves what it writes untold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import singledispatch
from typing import Any

import msgspec

from upcasters.checks.notes import Notes
from upcasters.checks.places import (
    ARRAY,
    NULL,
    OBJECT,
    STRING,
    containers_at,
    expect,
    field_at,
    forget,
    objects_at,
    parent_of,
    put,
    single_at,
    step_in,
    take,
    values_at,
)
from upcasters.checks.refining import refine
from upcasters.checks.shape import (
    ALL_TYPES,
    CONTAINERS,
    Field,
    Presence,
    Shape,
    any_value,
    join,
    members,
    nothing,
    scalar,
    shape_of_value,
    type_of,
)
from upcasters.conditions import Equals
from upcasters.document import ScalarKey, plain, scalar_key, scalar_value
from upcasters.operations.base import Operation
from upcasters.operations.choice import Switch, When
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
from upcasters.operations.fields import (
    Copy,
    Default,
    Drop,
    FirstOf,
    KeepOnly,
    Move,
    MustExist,
    Nest,
    OnConflict,
    Optional,
    Rename,
    RenameKeys,
    Unnest,
)
from upcasters.operations.lists import Flatten, Number, Unwrap, Wrap
from upcasters.operations.objects import FromObject, ListToObject, ObjectToList, ToObject
from upcasters.operations.scopes import At, Everywhere, Subdocument
from upcasters.operations.texts import JoinList, JoinValues, Reformat, SplitList, SplitValue, Template
from upcasters.operations.values import POSITION, Convert, Derive, Function, MapValues, ParseJson, PrintJson
from upcasters.paths import EACH, Each, Path, Segment, overlap


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


def _nulls(value: Shape, option: str) -> frozenset[str]:
    """The null type, where a value may be null and the operation keeps it."""
    return value.types & NULL if option == "keep" and value.told else frozenset()


def _strict(operation: Any) -> bool:
    return bool(operation.missing == "error")


@project.register
def _rename(operation: Rename, root: Shape, notes: Notes) -> None:
    typed = operation.wrong_type == "error"
    strict = _strict(operation) and operation.default is None
    for target in objects_at(root, operation.at, notes, strict=_strict(operation), typed=typed):
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
def _must_exist(operation: MustExist, root: Shape, notes: Notes) -> None:
    if not list(values_at(root, operation.path, notes.silent(), strict=False)):
        notes.missing(operation.path, may=False)
    for _, value in values_at(root, operation.path, notes.silent()):
        if operation.null == "error":
            value.types -= NULL


@project.register
def _move(operation: Move, root: Shape, notes: Notes) -> None:
    found = single_at(root, operation.source, notes, strict=_strict(operation))
    if found is None:
        return
    parent, moved = found
    take(parent, operation.source[-1])
    create = operation.parents == "create"
    target = parent_of(root, operation.target, notes, create=create, beside=[operation.source])
    put(target, operation.target, moved, notes, exists=operation.exists)


@project.register
def _copy(operation: Copy, root: Shape, notes: Notes) -> None:
    found = single_at(root, operation.source, notes, strict=_strict(operation))
    if found is not None:
        target = parent_of(root, operation.target, notes, beside=[operation.source])
        put(target, operation.target, found[1].copy(), notes, exists=operation.exists)


@project.register
def _drop(operation: Drop, root: Shape, notes: Notes) -> None:
    strict, typed = _strict(operation), operation.wrong_type == "error"
    parents = list(containers_at(root, operation.path[:-1], notes, strict=strict, typed=typed))
    for parent in parents:
        list(step_in(parent, operation.path[-1], operation.path, notes, strict=strict, typed=typed))
        if operation.path[-1] is EACH:
            parent.fields, parent.others, parent.items, parent.open = {}, None, nothing(), False
        else:
            take(parent, operation.path[-1])


@project.register
def _default(operation: Default, root: Shape, notes: Notes) -> None:
    value = shape_of_value(msgspec.json.decode(operation.value))
    for parent in objects_at(root, operation.path[:-1], notes, strict=_strict(operation)):
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
def _first_of(operation: FirstOf, root: Shape, notes: Notes) -> None:
    found = [
        (source, pair)
        for source in operation.sources
        if (pair := single_at(root, source, notes, strict=False)) is not None
    ]
    if not found:
        if _strict(operation):
            notes.missing(operation.sources[0], may=False)
        return
    shape = nothing()
    for _, (_, one) in found:
        shape = join(shape, one.shape)
    presences = [one.presence for _, (_, one) in found]
    if len(found) == 1 and _strict(operation) and presences == [Presence.MAYBE]:
        notes.missing(found[0][0], may=True)
    for source, (parent, _) in found:
        take(parent, source[-1])
    sure = _strict(operation) or Presence.ALWAYS in presences
    presence = Presence.ALWAYS if sure else presences[0]
    target = parent_of(root, operation.target, notes, beside=[source for source, _ in found])
    target.fields[str(operation.target[-1])] = Field(shape, presence)


@project.register
def _nest(operation: Nest, root: Shape, notes: Notes) -> None:
    for target in objects_at(root, operation.at, notes):
        child = Shape(OBJECT)
        for name in operation.names:
            found = field_at(target, (*operation.at, name), notes, strict=_strict(operation))
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
        presence = _presence(parent, operation.child[-1])
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
        field_at(child, (*operation.child, name), notes, strict=_strict(operation))
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


@project.register
def _rename_keys(operation: RenameKeys, root: Shape, notes: Notes) -> None:
    strict, typed = _strict(operation), operation.wrong_type == "error"
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
    for _, value in values_at(root, operation.path, notes, strict=_strict(operation), typed=typed):
        if operation.null == "error":
            expect(value, ALL_TYPES - NULL, operation.path, notes)
        value.become(any_value())


@project.register
def _map_values(operation: MapValues, root: Shape, notes: Notes) -> None:
    typed = operation.wrong_type == "error"
    for _, value in values_at(root, operation.path, notes, strict=_strict(operation), typed=typed):
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
        nulls = _nulls(value, operation.null)
        value.become(join(made, shape_of_value(None)) if nulls else made)


def _report_unmapped(operation: MapValues, value: Shape, notes: Notes) -> None:
    if operation.otherwise == "keep" or value.values is None or not value.told:
        return
    left = {old for old in value.values - operation.table.keys() if type_of(old[1]) in value.types}
    if operation.null == "keep":
        left.discard(scalar_key(None))
    if left:
        what = f"{notes.named(operation.path)} may be {_listed(left)}, which the table does not list"
        notes.report("unmapped", what, "List it, or say otherwise='keep'.")


def _listed(values: Iterable[ScalarKey]) -> str:
    return " or ".join(sorted(repr(scalar_value(value)) for value in values))


@project.register
def _split_value(operation: SplitValue, root: Shape, notes: Notes) -> None:
    for parent, value in list(values_at(root, operation.path, notes, strict=_strict(operation))):
        expect(value, STRING, operation.path, notes)
        presence = _presence(parent, operation.path[-1])
        take(parent, operation.path[-1])
        for name in operation.names:
            put(parent, (*operation.path[:-1], name), Field(scalar("string"), presence), notes)


def _presence(parent: Shape, name: Segment) -> Presence:
    found = parent.fields.get(str(name))
    return Presence.UNKNOWN if found is None else found.presence


@project.register
def _join_values(operation: JoinValues, root: Shape, notes: Notes) -> None:
    at = operation.path[:-1]
    for parent in objects_at(root, at, notes, strict=_strict(operation)):
        some = any(_presence(parent, name) is Presence.ALWAYS for name in operation.names)
        strict = some or _strict(operation)
        parts = [field_at(parent, (*at, name), notes, strict=strict) for name in operation.names]
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
    for _, value in values_at(root, operation.path, notes, strict=_strict(operation), typed=typed):
        nulls = _nulls(value, operation.null)
        expect(value, STRING | nulls, operation.path, notes, strict=typed)
        kept = value.copy()
        kept.types -= STRING
        value.become(join(scalar("string"), kept))


@project.register
def _split_list(operation: SplitList, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=_strict(operation)):
        nulls = _nulls(value, operation.null)
        kept = value.types & ARRAY if operation.lists == "keep" else nothing().types
        expect(value, STRING | nulls | kept, operation.path, notes)
        value.become(join(Shape(ARRAY, items=None if kept else scalar("string")), scalar(*nulls)))


@project.register
def _join_list(operation: JoinList, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=_strict(operation)):
        nulls = _nulls(value, operation.null)
        kept = STRING if operation.texts == "keep" else nothing().types
        expect(value, ARRAY | nulls | kept, operation.path, notes)
        if value.items is not None and not value.items.impossible:
            expect(value.items, STRING, (*operation.path, EACH), notes)
        value.become(scalar("string", *nulls))


@project.register
def _parse_json(operation: ParseJson, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=_strict(operation)):
        kept = _nulls(value, operation.null)
        expect(value, STRING | kept, operation.path, notes)
        value.become(any_value())


@project.register
def _print_json(operation: PrintJson, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=_strict(operation)):
        if operation.null == "error":
            expect(value, ALL_TYPES - NULL, operation.path, notes)
        value.become(scalar("string", *_nulls(value, operation.null)))


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


@project.register
def _wrap(operation: Wrap, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=_strict(operation)):
        if operation.lists == "error":
            expect(value, ALL_TYPES - ARRAY, operation.path, notes)
        nulls, inner = _nulls(value, operation.null), value.copy()
        if operation.null != "wrap":
            inner.types -= NULL
        was_list = operation.lists == "keep" and "array" in value.types
        made = Shape(ARRAY, items=None if was_list else inner)
        value.become(join(made, scalar(*nulls)))


@project.register
def _unwrap(operation: Unwrap, root: Shape, notes: Notes) -> None:
    for parent, value in list(values_at(root, operation.path, notes, strict=_strict(operation))):
        nulls = _nulls(value, operation.null)
        expect(value, ARRAY | nulls, operation.path, notes)
        made = any_value() if value.items is None else value.items.copy()
        value.become(join(made, scalar(*(NULL if operation.empty == "null" else nulls))))
        name = operation.path[-1]
        if operation.empty == "drop" and isinstance(name, str):
            parent.fields[name].presence = Presence.UNKNOWN


@project.register
def _flatten(operation: Flatten, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=_strict(operation)):
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
    for _, value in values_at(root, operation.path, notes, strict=_strict(operation)):
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
def _to_object(operation: ToObject, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=_strict(operation)):
        if operation.objects == "error":
            expect(value, ALL_TYPES - OBJECT, operation.path, notes)
        nulls, inner = _nulls(value, operation.null), value.copy()
        if operation.null == "keep":
            inner.types -= NULL
        if operation.objects == "keep" and "object" in value.types:
            value.become(join(Shape(OBJECT, open=True), scalar(*nulls)))
        else:
            value.become(join(Shape(OBJECT, {operation.key: Field(inner)}), scalar(*nulls)))


@project.register
def _from_object(operation: FromObject, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=_strict(operation)):
        nulls = _nulls(value, operation.null)
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
    for _, value in values_at(root, operation.path, notes, strict=_strict(operation)):
        expect(value, OBJECT, operation.path, notes)
        where = (*operation.path, EACH)
        items = _any_member(value)
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
    for _, value in values_at(root, operation.path, notes, strict=_strict(operation)):
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


@project.register
def _at(operation: At, root: Shape, notes: Notes) -> None:
    strict, typed = _strict(operation), operation.wrong_type == "error"
    for target in objects_at(root, operation.path, notes, strict=strict, typed=typed):
        follow(operation.operations, target, notes.below(operation.path))


@project.register
def _everywhere(operation: Everywhere, root: Shape, notes: Notes) -> None:
    for name, inner in root.fields.items():
        if name not in operation.stop_at and (not operation.only_in or name in operation.only_in):
            _everywhere(operation, inner.shape, notes)
    for lone in (root.others, root.items):
        if lone is not None:
            _everywhere(operation, lone, notes)
    if "object" in root.types:
        changed = root.copy()
        refine(changed, operation.where, holds=True)
        follow(operation.operations, changed, notes.silent())
        root.become(join(root, changed))


@project.register
def _subdocument(operation: Subdocument, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=_strict(operation)):
        nulls = _nulls(value, operation.null)
        expect(value, OBJECT | nulls, operation.path, notes)
        value.become(join(Shape(OBJECT, open=True), scalar(*nulls)))


@project.register
def _when(operation: When, root: Shape, notes: Notes) -> None:
    before, other = root.copy(), root.copy()
    refine(root, operation.condition, holds=True)
    refine(other, operation.condition, holds=False)
    inner = notes.perhaps(operation.operations)
    follow(operation.operations, root, inner)
    follow(operation.otherwise, other, notes.perhaps(operation.otherwise))
    both = not root.impossible and not other.impossible
    root.become(join(root, other))
    for path in operation.condition.reads() if both else ():
        _as_before(root, before, path, operation.writes())


def _as_before(root: Shape, before: Shape, path: Path, written: Iterable[Path]) -> None:
    """Whether a field is there that a condition only asked about is known as well as before."""
    for depth, name in enumerate(path, 1):
        now, then = root.fields.get(str(name)), before.fields.get(str(name))
        own = any(len(one) <= depth and overlap(one, path) for one in written)
        if now is None or then is None or own:
            return
        if now.presence is Presence.UNKNOWN:
            now.presence = then.presence
        root, before = now.shape, then.shape


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


@project.register
def _switch(operation: Switch, root: Shape, notes: Notes) -> None:
    strict = operation.otherwise == "error"
    found = single_at(root, operation.path, notes, strict=strict)
    if strict and found is not None and found[1].shape.values is not None:
        left = found[1].shape.values - operation.cases.keys()
        if left:
            what = f"{notes.named(operation.path)} may be {_listed(left)}, for which there is no case"
            notes.report("unmapped", what, "Add the case, or say otherwise=[].")
    made = nothing()
    for value, operations in operation.cases.items():
        case = root.copy()
        refine(case, Equals(operation.path, scalar_value(value)), holds=True)
        follow(operations, case, notes.perhaps(operations))
        made = join(made, case)
    if operation.otherwise != "error":
        for value in operation.cases:
            refine(root, Equals(operation.path, scalar_value(value)), holds=False)
        follow(operation.otherwise, root, notes.perhaps(operation.otherwise))
        made = join(made, root)
    root.become(made)


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
    notes.take_header(operation.old, strict=_strict(operation))
    if known is not False:
        notes.put_header(operation.new, sure=_strict(operation) or known is True)


@project.register
def _drop_header(operation: DropHeader, _root: Shape, notes: Notes) -> None:
    notes.take_header(operation.name, strict=_strict(operation))


@project.register
def _header_to_field(operation: HeaderToField, root: Shape, notes: Notes) -> None:
    notes.take_header(operation.name, strict=_strict(operation))
    presence = Presence.ALWAYS if _strict(operation) else Presence.UNKNOWN
    put(parent_of(root, operation.path, notes), operation.path, Field(scalar("string"), presence), notes)


@project.register
def _field_to_header(operation: FieldToHeader, root: Shape, notes: Notes) -> None:
    found = single_at(root, operation.path, notes, strict=_strict(operation))
    if found is not None:
        expect(found[1].shape, STRING, operation.path, notes)
        take(found[0], operation.path[-1])
        notes.put_header(operation.name, sure=_strict(operation))


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
        (operation.item, _any_member(split.shape)),
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


def _any_member(shape: Shape) -> Shape:
    if shape.open or ("array" in shape.types and shape.items is None):
        return any_value()
    made = nothing()
    for member in members(shape):
        made = join(made, member)
    return made
