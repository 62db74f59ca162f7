"""Operations followed over shapes instead of documents: what a step makes of every event of a model at once.

One function per operation class, chosen by ``project``. Each changes the shape as its operation changes a document
and reports what would fail; an operation that is not known here leaves what it writes untold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import Any

import msgspec

from upcasters.checks.shape import (
    ALL,
    CONTAINERS,
    Field,
    Presence,
    Report,
    Shape,
    anything,
    join,
    members,
    nothing,
    scalar,
    scalar_of,
    shape_of_value,
    type_of,
)
from upcasters.conditions import AllOf, AnyOf, Condition, Equals, HasType, IsNull, Not, Present
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
)
from upcasters.operations.fields import (
    Copy,
    Default,
    Drop,
    FirstOf,
    KeepOnly,
    Move,
    Nest,
    Rename,
    RenameKeys,
    Unnest,
)
from upcasters.operations.lists import Flatten, Number, Unwrap, Wrap
from upcasters.operations.objects import FromObject, ListToObject, ObjectToList, ToObject
from upcasters.operations.reach import At, Everywhere, Subdocument
from upcasters.operations.values import (
    POSITION,
    Convert,
    Derive,
    Function,
    JoinValues,
    MapValues,
    ParseJson,
    PrintJson,
    SplitValue,
)
from upcasters.paths import EACH, Each, Path, Segment, show
from upcasters.step import walk

_OBJECT = frozenset({"object"})
_ARRAY = frozenset({"array"})
_NULL = frozenset({"null"})


@dataclass(frozen=True)
class Notes:
    """Where findings go. ``at`` is where the shape stands that is looked at; ``children`` gets those of a split."""

    report: Report
    children: list[tuple[str, str | None, Shape]]
    at: Path = ()
    headers: dict[str, bool] = field(default_factory=dict)
    """Whether a record header is there, as far as the operations tell."""
    remedy: str = "Say missing='skip', or give it a default first."
    """What helps where a field may be missing."""

    def named(self, path: Path) -> str:
        """A path for people."""
        return show((*self.at, *path)) or "the document"

    def below(self, path: Path) -> Notes:
        """For what happens at ``path``."""
        return replace(self, at=(*self.at, *path))

    def silent(self) -> Notes:
        """For what may not happen at all."""
        return replace(self, report=lambda _code, _message, _remedy: None)

    def perhaps(self, operations: Iterable[Operation]) -> Notes:
        """For operations that some events skip: of the headers that they change nothing is known behind them."""
        inner = replace(self, headers=dict(self.headers))
        for name in {name for operation in walk(operations) for name in _header_names(operation)}:
            self.headers.pop(name, None)
        return inner

    def put_header(self, name: str, *, exists: str = "error", sure: bool = True) -> None:
        """An operation makes a header."""
        if exists == "error" and sure and self.headers.get(name):
            what = f"header {name} is always there already and the operation then fails"
            self.report("collision", what, "Choose another name, or drop the other header first.")
        self.headers[name] = True
        if not sure:
            self.headers.pop(name)

    def take_header(self, name: str, *, strict: bool) -> None:
        """An operation removes a header."""
        if strict and self.headers.get(name) is False:
            what = f"header {name} does not exist at this point"
            self.report("no-such-path", what, "Mend the name, or say missing='skip'.")
        self.headers[name] = False

    def missing(self, path: Path, *, may: bool) -> None:
        """An operation needs a field that is not, or may not be, there."""
        if may:
            what = f"{self.named(path)} may be missing and the operation then fails"
            self.report("may-be-missing", what, self.remedy)
        else:
            what = f"{self.named(path)} does not exist at this point, as far as the model tells"
            self.report("no-such-path", what, "Mend the path, or declare the field in the source's model.")

    def taken(self, path: Path) -> None:
        """An operation makes a field that is always there already."""
        what = f"{self.named(path)} is always there already and the operation then fails"
        self.report("collision", what, "Choose another name, or drop or merge the other field first.")


def follow(operations: Iterable[Operation], root: Shape, notes: Notes) -> None:
    """Change ``root`` as the operations would change every document of that shape."""
    for operation in operations:
        if not root.impossible:
            project(operation, root, notes)


@singledispatch
def project(operation: Operation, root: Shape, _notes: Notes) -> None:
    """Change ``root`` as one operation would."""
    for path in operation.writes():
        _forget(root, path)


def _forget(root: Shape, path: Path) -> None:
    """Nothing is known any more of what stands at ``path``."""
    if not path:
        root.become(anything())
    elif isinstance(path[0], Each):
        for member in members(root):
            _forget(member, path[1:])
        root.open = True
    else:
        inner = root.get(path[0])
        if inner is None:
            inner = root.fields[path[0]] = Field(anything(), Presence.UNKNOWN)
        if len(path) == 1:
            inner.presence = Presence.UNKNOWN
        _forget(inner.shape, path[1:])


def _expect(shape: Shape, wanted: frozenset[str], path: Path, notes: Notes, *, strict: bool = True) -> bool:
    """True where the shape can be of the types; a strict operation leaves no others behind."""
    wrong = shape.types - wanted
    if shape.told and wrong and strict:
        needs = f"where the operation needs {' or '.join(sorted(wanted))}"
        refused = needs if len(wanted) <= 2 else "which the operation does not take"
        remedy = "Convert it first, or say what happens then (null=, wrong_type=, when(has_type(…)))."
        notes.report("wrong-type", f"{notes.named(path)} may be {' or '.join(sorted(wrong))}, {refused}", remedy)
        shape.told = False  # one finding is enough
    if strict:
        shape.types = shape.types & wanted or wanted
    return bool(shape.types & wanted)


def _field(parent: Shape, path: Path, notes: Notes, *, strict: bool) -> Field | None:
    """The field at the end of ``path`` in its parent; reports where a strict operation may miss it."""
    name = path[-1]
    assert isinstance(name, str)
    found = parent.get(name)
    if found is None:
        if strict:
            notes.missing(path, may=False)
            found = parent.fields[name] = Field(anything(), Presence.UNKNOWN)
        return found
    if strict:
        if found.presence is Presence.MAYBE:
            notes.missing(path, may=True)
        found.presence = Presence.ALWAYS
    return found


def _containers(root: Shape, path: Path, notes: Notes, *, strict: bool = True, typed: bool = True) -> Iterator[Shape]:
    """The shapes of the objects and arrays at ``path``, to be changed in place."""
    shapes = [root]
    for depth, segment in enumerate(path):
        shapes = [
            inner
            for shape in shapes
            for inner in _step_in(shape, segment, path[: depth + 1], notes, strict=strict, typed=typed)
        ]
    yield from shapes


def _step_in(shape: Shape, segment: Segment, path: Path, notes: Notes, *, strict: bool, typed: bool) -> Iterator[Shape]:
    if isinstance(segment, Each):
        if _expect(shape, CONTAINERS, path[:-1], notes, strict=typed):
            yield from members(shape)
    elif _expect(shape, _OBJECT, path[:-1], notes, strict=typed):
        found = _field(shape, path, notes, strict=strict)
        if found is not None:
            yield found.shape


def _objects(root: Shape, path: Path, notes: Notes, *, strict: bool = True, typed: bool = True) -> Iterator[Shape]:
    """The shapes of the objects at ``path``; where others are skipped, they are kept apart from what is done."""
    for shape in _containers(root, path, notes, strict=strict, typed=typed):
        if not _expect(shape, _OBJECT, path, notes, strict=typed):
            continue
        others = replace(shape, types=shape.types - _OBJECT, fields={}, others=None, open=False)
        shape.types &= _OBJECT
        yield shape
        if not others.impossible:
            shape.become(join(shape, others))


def _values(
    root: Shape, path: Path, notes: Notes, *, strict: bool = True, typed: bool = True
) -> Iterator[tuple[Shape, Shape]]:
    """(container, value) for every value at ``path``."""
    for parent in _containers(root, path[:-1], notes, strict=strict, typed=typed):
        for value in _step_in(parent, path[-1], path, notes, strict=strict, typed=typed):
            yield parent, value


def _put(parent: Shape, path: Path, made: Field, notes: Notes, *, exists: str = "error") -> None:
    """Set a field, treating what is there as the operation would."""
    name = path[-1]
    assert isinstance(name, str)
    old = parent.get(name)
    if old is None:
        parent.fields[name] = made
    elif made.presence is Presence.ALWAYS and (exists != "error" or old.presence is Presence.ALWAYS):
        if exists == "error":
            notes.taken(path)
        parent.fields[name] = made
    else:
        presence = Presence.ALWAYS if Presence.ALWAYS in (old.presence, made.presence) else made.presence
        parent.fields[name] = Field(join(old.shape, made.shape), presence)


def _take(parent: Shape, name: Segment) -> None:
    parent.fields.pop(str(name), None)


def _nulls(value: Shape, option: str) -> frozenset[str]:
    """The null type, where a value may be null and the operation keeps it."""
    return value.types & _NULL if option == "keep" and value.told else frozenset()


def _strict(operation: Any) -> bool:
    return bool(operation.missing == "error")


@project.register
def _rename(operation: Rename, root: Shape, notes: Notes) -> None:
    typed = operation.wrong_type == "error"
    for target in _objects(root, operation.at, notes, strict=_strict(operation), typed=typed):
        taken = {
            new: found
            for old, new in operation.names.items()
            if (found := _field(target, (*operation.at, old), notes, strict=_strict(operation))) is not None
        }
        for old in operation.names:
            _take(target, old)
        for new, found in taken.items():
            _put(target, (*operation.at, new), found, notes, exists=operation.exists)


def _single(root: Shape, path: Path, notes: Notes, *, strict: bool) -> tuple[Shape, Field] | None:
    """The parent and field at a path without ``*``, for operations that look whether something is there."""
    parent, sure = root, True
    for depth in range(1, len(path)):
        found = _inside(parent, path[:depth], notes, strict=strict)
        if found is None:
            return None
        sure = sure and found.presence is Presence.ALWAYS and found.shape.types == _OBJECT
        parent = found.shape
    found = _inside(parent, path, notes, strict=strict)
    if found is None:
        return None
    presence = found.presence if sure or found.presence is not Presence.ALWAYS else Presence.MAYBE
    return parent, Field(found.shape, presence)


def _inside(parent: Shape, path: Path, notes: Notes, *, strict: bool) -> Field | None:
    if not _expect(parent, _OBJECT, path[:-1], notes, strict=strict):
        return None
    return _field(parent, path, notes, strict=strict)


def _parent(root: Shape, path: Path, notes: Notes, *, create: bool = False) -> Shape:
    """The object that a new field at ``path`` goes into."""
    notes = replace(notes, remedy="Give it a default first; where a field is moved, parents='create' makes it.")
    parent = root
    for depth in range(len(path) - 1):
        _expect(parent, _OBJECT, path[:depth], notes)
        name = str(path[depth])
        found = parent.get(name)
        if create and found is None:
            found = parent.fields[name] = Field(Shape(_OBJECT))
        elif create and found is not None:
            found.presence = Presence.ALWAYS
        else:
            found = _field(parent, path[: depth + 1], notes, strict=True)
        assert found is not None
        parent = found.shape
    _expect(parent, _OBJECT, path[:-1], notes)
    return parent


@project.register
def _move(operation: Move, root: Shape, notes: Notes) -> None:
    found = _single(root, operation.source, notes, strict=_strict(operation))
    if found is None:
        return
    parent, moved = found
    _take(parent, operation.source[-1])
    target = _parent(root, operation.target, notes, create=operation.parents == "create")
    _put(target, operation.target, moved, notes, exists=operation.exists)


@project.register
def _copy(operation: Copy, root: Shape, notes: Notes) -> None:
    found = _single(root, operation.source, notes, strict=_strict(operation))
    if found is not None:
        target = _parent(root, operation.target, notes)
        _put(target, operation.target, found[1].copy(), notes, exists=operation.exists)


@project.register
def _drop(operation: Drop, root: Shape, notes: Notes) -> None:
    strict, typed = _strict(operation), operation.wrong_type == "error"
    parents = list(_containers(root, operation.path[:-1], notes, strict=strict, typed=typed))
    for parent in parents:
        list(_step_in(parent, operation.path[-1], operation.path, notes, strict=strict, typed=typed))
        if operation.path[-1] is EACH:
            parent.fields, parent.others, parent.items, parent.open = {}, None, nothing(), False
        else:
            _take(parent, operation.path[-1])


@project.register
def _default(operation: Default, root: Shape, notes: Notes) -> None:
    value = shape_of_value(msgspec.json.decode(operation.value))
    for parent in _objects(root, operation.path[:-1], notes, strict=_strict(operation)):
        old = parent.get(str(operation.path[-1]))
        if operation.exists == "keep" and old is not None:
            if operation.null == "replace" and old.shape.told:
                old.shape.types -= _NULL
            elif operation.null != "replace" and old.presence is Presence.ALWAYS:
                continue
            old.shape.become(join(old.shape, value))
            old.presence = Presence.ALWAYS
        else:
            _put(parent, operation.path, Field(value.copy()), notes, exists=operation.exists)


@project.register
def _first_of(operation: FirstOf, root: Shape, notes: Notes) -> None:
    found = [
        (source, pair)
        for source in operation.sources
        if (pair := _single(root, source, notes, strict=False)) is not None
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
        _take(parent, source[-1])
    sure = _strict(operation) or Presence.ALWAYS in presences
    presence = Presence.ALWAYS if sure else presences[0]
    _parent(root, operation.target, notes).fields[str(operation.target[-1])] = Field(shape, presence)


@project.register
def _nest(operation: Nest, root: Shape, notes: Notes) -> None:
    for target in _objects(root, operation.at, notes):
        child = Shape(_OBJECT)
        for name in operation.names:
            found = _field(target, (*operation.at, name), notes, strict=_strict(operation))
            if found is not None:
                child.fields[name] = found
                _take(target, name)
        _put(target, (*operation.at, operation.into), Field(child), notes)


@project.register
def _unnest(operation: Unnest, root: Shape, notes: Notes) -> None:
    strict = operation.absent == "error"
    for parent, child in list(_values(root, operation.child, notes, strict=strict)):
        _expect(child, _OBJECT, operation.child, notes)
        if operation.names is not None:
            _check_names(operation, operation.names, child, notes)
        _take(parent, operation.child[-1])
        for name, inner in child.fields.items():
            _put(parent, (*operation.child[:-1], name), inner, notes)
        parent.open = parent.open or child.open or child.others is not None


def _check_names(operation: Unnest, names: tuple[str, ...], child: Shape, notes: Notes) -> None:
    for name in names:
        _field(child, (*operation.child, name), notes, strict=_strict(operation))
    for name, inner in child.fields.items():
        if name not in names and inner.presence is not Presence.UNKNOWN:
            what = f"{notes.named((*operation.child, name))} is not among the names that {operation} lists"
            notes.report("unlisted", what, "List it, or drop it first.")


@project.register
def _keep_only(operation: KeepOnly, root: Shape, notes: Notes) -> None:
    for target in _objects(root, operation.at, notes):
        rest = Shape(_OBJECT, others=target.others, open=True)
        rest.fields = {name: inner for name, inner in target.fields.items() if name not in operation.names}
        for name in rest.fields:
            _take(target, name)
        target.others, target.open = None, False
        sure = any(inner.presence is Presence.ALWAYS for inner in rest.fields.values())
        target.fields[operation.rest] = Field(rest, Presence.ALWAYS if sure else Presence.UNKNOWN)


@project.register
def _rename_keys(operation: RenameKeys, root: Shape, notes: Notes) -> None:
    strict, typed = _strict(operation), operation.wrong_type == "error"
    for target in _containers(root, operation.at, notes, strict=strict, typed=typed):
        if operation.subtree or _expect(target, _OBJECT, operation.at, notes, strict=typed):
            _respell(operation, target, notes)


def _respell(operation: RenameKeys, target: Shape, notes: Notes) -> None:
    fields, target.fields = target.fields, {}
    for name, inner in fields.items():
        _put(target, (*operation.at, operation.rule(name)), inner, notes, exists=operation.exists)
    if operation.subtree:
        for member in members(target):
            _respell(operation, member, notes)


@project.register
def _derive(operation: Derive, root: Shape, notes: Notes) -> None:
    parent = _parent(root, operation.path, notes)
    old = parent.get(str(operation.path[-1]))
    if operation.exists == "keep" and operation.null == "keep" and old and old.presence is Presence.ALWAYS:
        return
    if POSITION in operation.sources and operation.missing == "error" and EACH not in notes.at:
        what = f"{notes.named(operation.path)} is derived from the position, and there is none here"
        notes.report("no-such-path", what, "Put the operation into at('items.*', …).")
    for source in operation.reads():
        _single(root, source, notes, strict=operation.missing == "error")
    made = Field(anything(), Presence.UNKNOWN if operation.missing == "skip" else Presence.ALWAYS)
    if old is not None and operation.null == "replace":
        old.presence = Presence.UNKNOWN
    _put(parent, operation.path, made, notes, exists=operation.exists)


@project.register
def _convert(operation: Convert, root: Shape, notes: Notes) -> None:
    typed = operation.wrong_type == "error"
    for _, value in _values(root, operation.path, notes, strict=_strict(operation), typed=typed):
        if operation.null == "error":
            _expect(value, ALL - _NULL, operation.path, notes)
        value.become(anything())


@project.register
def _map_values(operation: MapValues, root: Shape, notes: Notes) -> None:
    typed = operation.wrong_type == "error"
    for _, value in _values(root, operation.path, notes, strict=_strict(operation), typed=typed):
        _expect(value, ALL - CONTAINERS, operation.path, notes)
        _report_unmapped(operation, value, notes)
        made = nothing()
        for old, result in operation.table.items():
            if value.values is None or old in value.values:
                made = join(made, shape_of_value(result))
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
        left.discard(scalar_of(None))
    if left:
        what = f"{notes.named(operation.path)} may be {_listed(left)}, which the table does not list"
        notes.report("unmapped", what, "List it, or say otherwise='keep'.")


def _listed(values: Iterable[tuple[bool, Any]]) -> str:
    return " or ".join(sorted(repr(value) for _, value in values))


@project.register
def _split_value(operation: SplitValue, root: Shape, notes: Notes) -> None:
    for parent, value in list(_values(root, operation.path, notes, strict=_strict(operation))):
        _expect(value, frozenset({"string"}), operation.path, notes)
        presence = _presence(parent, operation.path[-1])
        _take(parent, operation.path[-1])
        for name in operation.names:
            _put(parent, (*operation.path[:-1], name), Field(scalar("string"), presence), notes)


def _presence(parent: Shape, name: Segment) -> Presence:
    found = parent.fields.get(str(name))
    return Presence.UNKNOWN if found is None else found.presence


@project.register
def _join_values(operation: JoinValues, root: Shape, notes: Notes) -> None:
    at = operation.path[:-1]
    for parent in _objects(root, at, notes, strict=_strict(operation)):
        some = any(_presence(parent, name) is Presence.ALWAYS for name in operation.names)
        strict = some or _strict(operation)
        parts = [_field(parent, (*at, name), notes, strict=strict) for name in operation.names]
        found = [part for part in parts if part is not None]
        for name, part in zip(operation.names, parts, strict=True):
            if part is not None:
                _expect(part.shape, frozenset({"string"}), (*at, name), notes)
            _take(parent, name)
        if found:
            _put(parent, operation.path, Field(scalar("string"), found[0].presence), notes)


@project.register
def _parse_json(operation: ParseJson, root: Shape, notes: Notes) -> None:
    for _, value in _values(root, operation.path, notes, strict=_strict(operation)):
        kept = _nulls(value, operation.null)
        _expect(value, frozenset({"string"}) | kept, operation.path, notes)
        value.become(anything())


@project.register
def _print_json(operation: PrintJson, root: Shape, notes: Notes) -> None:
    for _, value in _values(root, operation.path, notes, strict=_strict(operation)):
        if operation.null == "error":
            _expect(value, ALL - _NULL, operation.path, notes)
        value.become(scalar("string", *_nulls(value, operation.null)))


@project.register
def _function(operation: Function, root: Shape, notes: Notes) -> None:
    for path in operation.read:
        _single(root, path, notes.silent(), strict=False)
    for path in operation.written:
        _forget(root, path)
    for path in operation.drops:
        found = _single(root, path, notes.silent(), strict=False)
        if found is not None:
            _take(found[0], path[-1])


@project.register
def _wrap(operation: Wrap, root: Shape, notes: Notes) -> None:
    for _, value in _values(root, operation.path, notes, strict=_strict(operation)):
        if operation.lists == "error":
            _expect(value, ALL - _ARRAY, operation.path, notes)
        nulls, inner = _nulls(value, operation.null), value.copy()
        if operation.null != "wrap":
            inner.types -= _NULL
        was_list = operation.lists == "keep" and "array" in value.types
        made = Shape(_ARRAY, items=None if was_list else inner)
        value.become(join(made, scalar(*nulls)))


@project.register
def _unwrap(operation: Unwrap, root: Shape, notes: Notes) -> None:
    for parent, value in list(_values(root, operation.path, notes, strict=_strict(operation))):
        nulls = _nulls(value, operation.null)
        _expect(value, _ARRAY | nulls, operation.path, notes)
        made = anything() if value.items is None else value.items.copy()
        value.become(join(made, scalar(*(_NULL if operation.empty == "null" else nulls))))
        name = operation.path[-1]
        if operation.empty == "drop" and isinstance(name, str):
            parent.fields[name].presence = Presence.UNKNOWN


@project.register
def _flatten(operation: Flatten, root: Shape, notes: Notes) -> None:
    for _, value in _values(root, operation.path, notes, strict=_strict(operation)):
        _expect(value, _ARRAY, operation.path, notes)
        if value.items is None:
            continue
        if operation.scalars == "error":
            _expect(value.items, _ARRAY, (*operation.path, EACH), notes)
        kept = value.items.copy()
        kept.types -= _ARRAY
        inner = value.items.items
        if "array" in value.items.types:
            value.items = None if inner is None else join(kept, inner)


@project.register
def _number(operation: Number, root: Shape, notes: Notes) -> None:
    for _, value in _values(root, operation.path, notes, strict=_strict(operation)):
        _expect(value, _ARRAY, operation.path, notes)
        if value.items is not None and not value.items.impossible:
            where = (*operation.path, EACH)
            _expect(value.items, _OBJECT, where, notes)
            kept = value.items.get(operation.name) if operation.exists == "keep" else None
            made = scalar("string" if operation.text else "integer")
            if kept is not None:
                made = join(made, kept.shape)
            _put(value.items, (*where, operation.name), Field(made), notes, exists="replace" if kept else "error")


@project.register
def _to_object(operation: ToObject, root: Shape, notes: Notes) -> None:
    for _, value in _values(root, operation.path, notes, strict=_strict(operation)):
        if operation.objects == "error":
            _expect(value, ALL - _OBJECT, operation.path, notes)
        nulls, inner = _nulls(value, operation.null), value.copy()
        if operation.null == "keep":
            inner.types -= _NULL
        if operation.objects == "keep" and "object" in value.types:
            value.become(join(Shape(_OBJECT, open=True), scalar(*nulls)))
        else:
            value.become(join(Shape(_OBJECT, {operation.key: Field(inner)}), scalar(*nulls)))


@project.register
def _from_object(operation: FromObject, root: Shape, notes: Notes) -> None:
    for _, value in _values(root, operation.path, notes, strict=_strict(operation)):
        nulls = _nulls(value, operation.null)
        _expect(value, _OBJECT | nulls, operation.path, notes)
        where = (*operation.path, operation.key)
        found = _field(value, where, notes, strict=operation.others != "keep")
        _alone(value, (operation.key,), operation.others, operation.path, notes)
        if found is None or operation.others == "keep":
            value.become(anything())
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
    for _, value in _values(root, operation.path, notes, strict=_strict(operation)):
        _expect(value, _OBJECT, operation.path, notes)
        where = (*operation.path, EACH)
        items = _any_member(value)
        if operation.value is not None:
            fields = {operation.key: Field(scalar("string")), operation.value: Field(items)}
            items = Shape(_OBJECT, fields)
        elif not items.impossible:
            _expect(items, _OBJECT, where, notes)
            _put(items, (*where, operation.key), Field(scalar("string")), notes)
        value.become(Shape(_ARRAY, items=items))


@project.register
def _list_to_object(operation: ListToObject, root: Shape, notes: Notes) -> None:
    for _, value in _values(root, operation.path, notes, strict=_strict(operation)):
        _expect(value, _ARRAY, operation.path, notes)
        items = anything() if value.items is None else value.items.copy()
        if not items.impossible:
            items = _member(operation, items, notes)
        value.become(Shape(_OBJECT, others=items))


def _member(operation: ListToObject, item: Shape, notes: Notes) -> Shape:
    where = (*operation.path, EACH)
    _expect(item, _OBJECT, where, notes)
    key = _field(item, (*where, operation.key), notes, strict=True)
    assert key is not None
    _expect(key.shape, frozenset({"string"}), (*where, operation.key), notes)
    if operation.value is None:
        _take(item, operation.key)
        return item
    value = _field(item, (*where, operation.value), notes, strict=True)
    assert value is not None
    _alone(item, (operation.key, operation.value), "error", where, notes)
    return value.shape


@project.register
def _at(operation: At, root: Shape, notes: Notes) -> None:
    strict, typed = _strict(operation), operation.wrong_type == "error"
    for target in _objects(root, operation.path, notes, strict=strict, typed=typed):
        follow(operation.operations, target, notes.below(operation.path))


@project.register
def _everywhere(operation: Everywhere, root: Shape, notes: Notes) -> None:
    for name, inner in root.fields.items():
        if name not in operation.stop_at:
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
    for _, value in _values(root, operation.path, notes, strict=_strict(operation)):
        nulls = _nulls(value, operation.null)
        _expect(value, _OBJECT | nulls, operation.path, notes)
        value.become(join(Shape(_OBJECT, open=True), scalar(*nulls)))


@project.register
def _when(operation: When, root: Shape, notes: Notes) -> None:
    other = root.copy()
    refine(root, operation.condition, holds=True)
    refine(other, operation.condition, holds=False)
    inner = notes.perhaps(operation.operations)
    follow(operation.operations, root, inner)
    follow(operation.otherwise, other, notes.perhaps(operation.otherwise))
    root.become(join(root, other))


@project.register
def _switch(operation: Switch, root: Shape, notes: Notes) -> None:
    strict = operation.otherwise == "error"
    found = _single(root, operation.path, notes, strict=strict)
    if strict and found is not None and found[1].shape.values is not None:
        left = found[1].shape.values - operation.cases.keys()
        if left:
            what = f"{notes.named(operation.path)} may be {_listed(left)}, for which there is no case"
            notes.report("unmapped", what, "Add the case, or say otherwise=[].")
    made = nothing()
    for (_, value), operations in operation.cases.items():
        case = root.copy()
        refine(case, Equals(operation.path, value), holds=True)
        follow(operations, case, notes.perhaps(operations))
        made = join(made, case)
    if operation.otherwise != "error":
        for _, value in operation.cases:
            refine(root, Equals(operation.path, value), holds=False)
        follow(operation.otherwise, root, notes.perhaps(operation.otherwise))
        made = join(made, root)
    root.become(made)


@project.register
def _rename_type(operation: RenameType, root: Shape, notes: Notes) -> None:
    for path in operation.reads():
        _single(root, path, notes, strict=True)


def _header_names(operation: Operation) -> tuple[str, ...]:
    names = (getattr(operation, name, None) for name in ("name", "old", "new"))
    known = isinstance(operation, (SetHeader, RenameHeader, DropHeader, HeaderToField, FieldToHeader))
    return tuple(name for name in names if name is not None) if known else ()


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
    _put(_parent(root, operation.path, notes), operation.path, Field(scalar("string"), presence), notes)


@project.register
def _field_to_header(operation: FieldToHeader, root: Shape, notes: Notes) -> None:
    found = _single(root, operation.path, notes, strict=_strict(operation))
    if found is not None:
        _expect(found[1].shape, frozenset({"string"}), operation.path, notes)
        _take(found[0], operation.path[-1])
        notes.put_header(operation.name, sure=_strict(operation))


@project.register
def _set_key(operation: SetKey, root: Shape, notes: Notes) -> None:
    for path in operation.paths:
        found = _single(root, path, notes, strict=True)
        assert found is not None
        _expect(found[1].shape, ALL - CONTAINERS - _NULL, path, notes)


@project.register(DropEvent)
@project.register(SplitEvent)
def _ends(_operation: DropEvent | SplitEvent, root: Shape, _notes: Notes) -> None:
    root.become(nothing())


@project.register
def _split_each(operation: SplitEach, root: Shape, notes: Notes) -> None:
    found = _single(root, operation.path, notes, strict=True)
    assert found is not None
    parent, split = found
    _expect(split.shape, CONTAINERS, operation.path, notes)
    _take(parent, operation.path[-1])
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
            _put(child, (name,), Field(shape), notes)
    if operation.key:
        _set_key(SetKey(operation.key), child, notes)
    notes.children.append((operation.into, operation.version, child))
    root.become(nothing())


def _name_of_member(shape: Shape) -> Shape:
    if not shape.told:
        return anything()
    return scalar(*(name for kind, name in (("object", "string"), ("array", "null")) if kind in shape.types))


def _any_member(shape: Shape) -> Shape:
    if shape.open or ("array" in shape.types and shape.items is None):
        return anything()
    made = nothing()
    for member in members(shape):
        made = join(made, member)
    return made


def refine(root: Shape, condition: Condition, *, holds: bool) -> None:
    """What is known of a document for which a condition holds, or does not."""
    if isinstance(condition, Not):
        refine(root, condition.part, holds=not holds)
    elif isinstance(condition, (AllOf, AnyOf)):
        if holds is isinstance(condition, AllOf):
            for part in condition.parts:
                refine(root, part, holds=holds)
        else:
            _loosen(root, condition.reads())
    elif isinstance(condition, (Present, Equals, HasType, IsNull)):
        _refine_field(root, condition, holds=holds)
    else:
        _loosen(root, condition.reads())


def _refine_field(root: Shape, condition: Present | Equals | HasType | IsNull, *, holds: bool) -> None:
    wanted = _wanted(condition)
    if holds:
        shape = _there(root, condition.path)
        shape.types &= wanted
        _is_equal(shape, condition)
        if shape.impossible:
            root.become(nothing())
    elif isinstance(condition, Present):
        _gone(root, condition.path)
    elif isinstance(condition, (HasType, IsNull)) or wanted == _NULL:
        _is_not(root, condition.path, wanted)
    else:
        _is_other(root, condition)


def _is_equal(shape: Shape, condition: Condition) -> None:
    """A value is known to be one: nothing else, or nothing at all where it cannot be that."""
    if not isinstance(condition, Equals) or isinstance(condition.value, (dict, list)):
        return
    value = scalar_of(condition.value)
    if shape.values is not None and value not in shape.values:
        shape.become(nothing())
    else:
        shape.values = frozenset({value})


def _is_other(root: Shape, condition: Equals) -> None:
    """A value is known not to be one."""
    found = _single(root, condition.path, _SILENT, strict=False)
    if found is None or found[1].shape.values is None:
        return
    found[1].shape.values -= {scalar_of(condition.value)}
    if not found[1].shape.values and found[1].presence is Presence.ALWAYS:
        root.become(nothing())


def _is_not(root: Shape, path: Path, types: frozenset[str]) -> None:
    found = _single(root, path, _SILENT, strict=False)
    if found is None:
        return
    shape = found[1].shape
    shape.types -= types
    if shape.impossible and found[1].presence is Presence.ALWAYS:
        root.become(nothing())


def _wanted(condition: Present | Equals | HasType | IsNull) -> frozenset[str]:
    if isinstance(condition, HasType):
        types = frozenset[str](condition.types)
        return types | {"integer"} if "number" in types else types
    if isinstance(condition, IsNull):
        return _NULL
    if isinstance(condition, Equals):
        types = shape_of_value(condition.value).types
        return types | {"number", "integer"} if types & {"number", "integer"} else types
    return ALL


def _there(root: Shape, path: Path) -> Shape:
    """The shape at a path that is known to be there."""
    shape = root
    for segment in path:
        shape.types = shape.types & _OBJECT or _OBJECT
        name = str(segment)
        found = shape.get(name)
        if found is None:
            found = shape.fields[name] = Field(anything())
        found.presence = Presence.ALWAYS
        shape = found.shape
    return shape


def _gone(root: Shape, path: Path) -> None:
    """A path is known not to be there: its field goes, where everything on the way is sure to be."""
    found = _single(root, path, _SILENT, strict=False)
    if found is None:
        return
    if found[1].presence is Presence.ALWAYS:
        root.become(nothing())
    elif _sure(root, path[:-1]):
        _take(found[0], path[-1])


def _sure(root: Shape, path: Path) -> bool:
    """True where an object is always at ``path``."""
    found = _single(root, path, _SILENT, strict=False) if path else (root, Field(root))
    return found is not None and found[1].presence is Presence.ALWAYS and found[1].shape.types == _OBJECT


def _loosen(root: Shape, paths: Iterable[Path]) -> None:
    """A condition speaks of these fields in a way that is not followed: whether they are there is unknown."""
    for path in paths:
        shape = root
        for segment in path:
            found = shape.get(str(segment))
            if found is None:
                break
            if found.presence is Presence.MAYBE:
                found.presence = Presence.UNKNOWN
            shape = found.shape


_SILENT = Notes(lambda _code, _message, _remedy: None, [])
