"""Fields come, go and change their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from upcasters.context import Context
from upcasters.document import Object, is_null, json_type, open_object, same
from upcasters.errors import Ambiguous, Conflict, FieldExists, MissingField, StepError, WrongType
from upcasters.operations.base import (
    Inverse,
    Operation,
    Reversibility,
    at_least_one,
    checked,
    choice,
    constant,
    different_names,
    named_back,
    paths,
    single,
)
from upcasters.operations.opened import open_deeper
from upcasters.operations.restoring import LeaveOut, Restore, RestoreOthers, frozen
from upcasters.paths import EACH, Path, PathLike, overlap, show
from upcasters.traversal import MISSING, OnMissing, OnWrongType, containers, find, objects, parent_of, slots

OnExists = Literal["error", "replace", "same"]

_MISSING = ("error", "skip")
_WRONG = ("error", "skip")
_EXISTS = ("error", "replace", "same")
OnConflict = Literal["error", "same", "keep", "replace"]
_CONFLICTS = ("error", "same", "keep", "replace")


@dataclass(frozen=True)
class Rename(Operation):
    """Keys of every object at ``at`` get new names, all at once, each keeping its place."""

    at: Path
    names: Mapping[str, str]
    missing: OnMissing = "error"
    exists: OnExists = "error"
    wrong_type: OnWrongType = "error"
    default: msgspec.Raw | None = None

    def apply(self, root: Object, context: Context) -> None:
        for target in objects(root, self.at, self.missing, self.wrong_type):
            self._rename(target)

    def _rename(self, target: Object) -> None:
        if self.missing == "error" and self.default is None:
            for name in self.names:
                if name not in target:
                    raise MissingField(f"{show((*self.at, name))} is missing", (*self.at, name))
        replace_keys(target, {key: self.names[key] for key in target if key in self.names}, self.exists, self.at)
        if self.default is not None:
            for name in self.names.values():
                target.setdefault(name, self.default)

    def reads(self) -> tuple[Path, ...]:
        return tuple((*self.at, name) for name in self.names)

    def writes(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys((*self.at, name) for pair in self.names.items() for name in pair))

    def inverse(self) -> Inverse:
        names = {new: old for old, new in self.names.items()}
        back = Rename(self.at, names, self.missing, "error", self.wrong_type, self.default)
        if self.exists == "replace":
            return Inverse.lossy(f"a field replaced by {self} is gone", back)
        return named_back(back, "skip" if self.default is not None else self.missing, self.exists)

    def dropped(self) -> tuple[Path, ...]:
        return tuple((*self.at, new) for new in self.names.values()) if self.exists == "replace" else ()

    def is_local(self) -> bool:
        return not self.at and self.exists != "same" and is_single(self.default)

    def __str__(self) -> str:
        pairs = ", ".join(f"{show((*self.at, old))} to {show((new,))}" for old, new in self.names.items())
        given = "" if self.default is None else f", else {bytes(self.default).decode()}"
        return f"rename {pairs}{given}"


def is_single(value: msgspec.Raw | None) -> bool:
    """True for no value, and for one that is neither an object nor an array."""
    return value is None or json_type(value) not in ("object", "array")


_NOTHING: Any = object()


def replace_keys(target: Object, names: Mapping[str, str], exists: OnExists, at: Path) -> None:
    """Rename keys of one object in place, keeping their order.

    A new name that another field has already is an error, replaces that field, or is fine where both are equal.
    """
    if not names:
        return
    renamed: Object = {}
    for old, node in target.items():
        new = names.get(old, old)
        if new in renamed:
            _collide(target, names, new, exists, at)
            if old not in names:
                continue
            renamed.pop(new, None)
        renamed[new] = node
    target.clear()
    target.update(renamed)


def _collide(target: Object, names: Mapping[str, str], new: str, exists: OnExists, at: Path) -> None:
    where = show((*at, new))
    if exists == "error":
        raise FieldExists(f"{where} is there already", (*at, new))
    nodes = [node for old, node in target.items() if names.get(old, old) == new]
    if exists == "same" and not all(same(nodes[0], node) for node in nodes[1:]):
        raise Conflict(f"{where} has different values under its old and its new name", (*at, new))


def rename(
    field: PathLike,
    name: str,
    *,
    missing: OnMissing = "error",
    exists: OnExists = "error",
    wrong_type: OnWrongType = "error",
    default: Any = _NOTHING,
) -> Operation:
    """Give one field a new name in the same object; it keeps its place.

    ``rename("metadata.taskId", "task_id")``. ``missing="skip"`` lets it be absent (null is there);
    ``exists`` says what happens where the new name is taken: ``error``, ``replace`` it, or fine if ``same``.
    ``default`` is the value that it gets where it has neither name, on the way down, too.
    """
    spec = at_least_one(field)
    if spec[-1] is EACH:
        raise StepError("rename cannot rename '*'", "Use rename_keys for keys by rule.", "path")
    parent = show(spec[:-1])
    if parent and isinstance(field, str) and str(name).startswith(f"{parent}."):
        what = f"the new name {name!r} has the path in it, and names have none"
        remedy = f"Write rename({field!r}, {name.removeprefix(parent + '.')!r})"
        raise StepError(what, f"{remedy}; if the dots belong to the name, give the field as a tuple.", "path")
    made = rename_many(spec[:-1], {str(spec[-1]): name}, missing=missing, exists=exists, wrong_type=wrong_type)
    assert isinstance(made, Rename)
    return made if default is _NOTHING else replace(made, default=constant(default))


def rename_many(
    at: PathLike,
    names: Mapping[str, str],
    *,
    missing: OnMissing = "error",
    exists: OnExists = "error",
    wrong_type: OnWrongType = "error",
) -> Operation:
    """Give several keys of the object at ``at`` new names at once, so that A to B and B to A works."""
    if not names:
        raise StepError("rename_many has no names", "Give at least one pair of names.", "option")
    if len(set(names.values())) != len(names):
        raise StepError("rename_many gives two fields the same name", "Use first_of to merge fields.", "collision")
    if any(old == new for old, new in names.items()):
        raise StepError("a field is renamed to its own name", "Leave it out.", "no-op")
    for name in (*names, *names.values()):
        if not isinstance(name, str):
            raise StepError(f"{name!r} is no name of a field", "Names are strings.", "option")
    choice(missing, _MISSING, "missing")
    choice(exists, _EXISTS, "exists")
    choice(wrong_type, _WRONG, "wrong_type")
    return Rename(checked(at), dict(names), missing, exists, wrong_type)


@dataclass(frozen=True)
class Move(Operation):
    """A field goes to another place; it becomes the last of its new object."""

    source: Path
    target: Path
    missing: OnMissing = "error"
    exists: OnExists = "error"
    parents: Literal["require", "create"] = "require"
    prune: bool = False

    def apply(self, root: Object, context: Context) -> None:
        node = find(root, self.source)
        if node is MISSING:
            if self.missing == "error":
                raise MissingField(f"{show(self.source)} is missing", self.source)
            return
        del parent_of(root, self.source, create=False)[self.source[-1]]
        place(root, self.target, node, self._exists(root, context), create=self.parents == "create")
        if self.prune:
            self._prune(root)

    def _exists(self, root: Object, context: Context) -> OnExists:
        """What the older document had there gives way to the newer value."""
        there = MISSING if context.older is None else find(root, self.target)
        return "replace" if there is not MISSING and context.is_as_before(self.target, there) else self.exists

    def _prune(self, root: Object) -> None:
        for depth in range(len(self.source) - 1, 0, -1):
            if find(root, self.source[:depth]):
                return
            del parent_of(root, self.source[:depth], create=False)[self.source[depth - 1]]

    def reads(self) -> tuple[Path, ...]:
        return (self.source,)

    def writes(self) -> tuple[Path, ...]:
        return (self.source, self.target)

    def inverse(self) -> Inverse:
        parents: Literal["require", "create"] = "create" if self.prune else "require"
        back = Move(self.target, self.source, self.missing, "error", parents, prune=self.parents == "create")
        if self.exists == "replace":
            return Inverse.lossy(f"the old {show(self.target)} is gone", back)
        if self.parents == "create":
            return Inverse((back,), Reversibility.EQUIVALENT, f"an empty parent of {show(self.target)} is left out")
        return named_back(back, self.missing, self.exists)

    def dropped(self) -> tuple[Path, ...]:
        return (self.target,) if self.exists == "replace" else ()

    def __str__(self) -> str:
        return f"move {show(self.source)} to {show(self.target)}"


def place(root: Object, target: Path, node: Any, exists: OnExists, *, create: bool) -> None:
    """Put a node at ``target``, as the last field of its object; what is there already is treated as told."""
    parent = parent_of(root, target, create=create)
    name = target[-1]
    if name in parent:
        if exists == "error":
            raise FieldExists(f"{show(target)} is there already", target)
        if exists == "same" and not same(parent[name], node):
            raise Conflict(f"{show(target)} is there already with another value", target)
    parent[name] = node


def move(
    source: PathLike,
    target: PathLike,
    *,
    missing: OnMissing = "error",
    exists: OnExists = "error",
    parents: Literal["require", "create"] = "require",
) -> Operation:
    """Take a field to another place: ``move("branch", "metadata.branch")``.

    ``parents="create"`` makes missing objects on the way; a parent that is not an object is always an error.
    """
    start, end = single(source), single(target)
    if overlap(start, end):
        raise StepError(f"{show(start)} cannot be moved to {show(end)}", "Use nest or unnest.", "path")
    choice(missing, _MISSING, "missing")
    choice(exists, _EXISTS, "exists")
    choice(parents, ("require", "create"), "parents")
    return Move(start, end, missing, exists, parents)


@dataclass(frozen=True)
class Copy(Operation):
    """A field is written a second time elsewhere."""

    source: Path
    target: Path
    missing: OnMissing = "error"
    exists: OnExists = "error"

    def apply(self, root: Object, context: Context) -> None:
        node = find(root, self.source)
        if node is MISSING:
            if self.missing == "error":
                raise MissingField(f"{show(self.source)} is missing", self.source)
            return
        place(root, self.target, frozen(node), self.exists, create=False)

    def reads(self) -> tuple[Path, ...]:
        return (self.source,)

    def writes(self) -> tuple[Path, ...]:
        return (self.target,)

    def inverse(self) -> Inverse:
        back = DropEqual(self.target, other=self.source, missing=self.missing)
        if self.exists == "replace":
            return Inverse.lossy(f"the old {show(self.target)} is gone", back)
        return named_back(back, "error", self.exists)

    def dropped(self) -> tuple[Path, ...]:
        return (self.target,) if self.exists == "replace" else ()

    def __str__(self) -> str:
        return f"copy {show(self.source)} to {show(self.target)}"


def copy(source: PathLike, target: PathLike, *, missing: OnMissing = "error", exists: OnExists = "error") -> Operation:
    """Write a field's value to a second place as well."""
    start, end = single(source), single(target)
    if start == end:
        raise StepError(f"{show(start)} is copied to itself", "Leave it out, or name another target.", "no-op")
    if overlap(start, end):
        raise StepError(f"{show(start)} cannot be copied to {show(end)}", "Name a target beside it.", "path")
    choice(missing, _MISSING, "missing")
    choice(exists, _EXISTS, "exists")
    return Copy(start, end, missing, exists)


@dataclass(frozen=True)
class DropEqual(Operation):
    """Undo of a copy or a constant: the field goes where it still is what it was made as, else it is an error."""

    path: Path
    value: msgspec.Raw | None = None
    other: Path = ()
    missing: OnMissing = "error"
    keep_others: bool = False

    def apply(self, root: Object, context: Context) -> None:
        expected = find(root, self.other) if self.other else self.value
        if expected is MISSING and self.missing == "skip":  # nothing was copied
            return
        if context.had(self.path):
            return
        for parent, key in slots(root, self.path, self.missing):
            if expected is not MISSING and same(parent[key], expected):
                del parent[key]
            elif not self.keep_others:
                raise Ambiguous(f"{show(self.path)} has been changed and cannot be left out without loss", self.path)

    def reads(self) -> tuple[Path, ...]:
        return (self.path, self.other) if self.other else (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        if self.other:
            return Inverse((Copy(self.other, self.path, self.missing),))
        assert self.value is not None
        exists: Literal["keep", "error"] = "keep" if self.keep_others else "error"
        return Inverse((Default(self.path, self.value, exists, missing=self.missing),))

    def is_local(self) -> bool:
        return len(self.path) == 1 and not self.other and is_single(self.value)

    def __str__(self) -> str:
        return f"leave out {show(self.path)} where it is {show(self.other) if self.other else 'its default'}"


@dataclass(frozen=True)
class Drop(Operation):
    """A field and what it holds are thrown away."""

    path: Path
    missing: OnMissing = "error"
    wrong_type: OnWrongType = "error"
    restore: msgspec.Raw | None = None

    def apply(self, root: Object, context: Context) -> None:
        if self.path[-1] is EACH:
            for container in containers(root, self.path[:-1], self.missing, self.wrong_type):
                container.clear()
            return
        for parent, key in slots(root, self.path, self.missing, self.wrong_type):
            del parent[key]

    def reads(self) -> tuple[Path, ...]:
        return ()

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        back = Restore(self.path, self, self.restore, self.missing)
        if self.restore is None:
            return Inverse.lossy(f"{show(self.path)} is dropped", back)
        return Inverse((back,), Reversibility.NEEDS_VALUE, f"{show(self.path)} comes back as a given value")

    def dropped(self) -> tuple[Path, ...]:
        return (self.path,)

    def is_local(self) -> bool:
        return len(self.path) == 1 and self.path[0] is not EACH

    def __str__(self) -> str:
        return f"drop {show(self.path)}"


def drop(
    field: PathLike,
    *,
    missing: OnMissing = "error",
    wrong_type: OnWrongType = "error",
    restore: Any = _NOTHING,
) -> Operation:
    """Throw a field away. ``restore`` is the value that it gets back on the way down; without it the step is lossy."""
    choice(missing, _MISSING, "missing")
    choice(wrong_type, _WRONG, "wrong_type")
    spec = at_least_one(field)
    if restore is _NOTHING:
        return Drop(spec, missing, wrong_type)
    if spec[-1] is EACH:
        raise StepError(
            f"{show(spec)} ends in '*' and cannot be restored", "Name the field, or declare it lost.", "path"
        )
    return Drop(spec, missing, wrong_type, constant(restore))


@dataclass(frozen=True)
class Default(Operation):
    """A field gets a value where it is not there."""

    path: Path
    value: msgspec.Raw
    exists: Literal["keep", "error", "replace"] = "keep"
    null: Literal["keep", "replace"] = "keep"
    missing: OnMissing = "error"
    undo: Literal["drop", "keep", "remove"] = "drop"

    def apply(self, root: Object, context: Context) -> None:
        for parent in objects(root, self.path[:-1], self.missing):
            self._fill(parent)

    def _fill(self, parent: Object) -> None:
        name = self.path[-1]
        if name not in parent or (self.null == "replace" and is_null(parent[name])):
            parent[name] = self.value
        elif self.exists == "error":
            raise FieldExists(f"{show(self.path)} is there already", self.path)
        elif self.exists == "replace":
            parent[name] = self.value

    def reads(self) -> tuple[Path, ...]:
        return ()

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        if self.exists == "replace":
            return Inverse.lossy(f"the old {show(self.path)} is gone", DropEqual(self.path, self.value))
        if self.undo == "keep":
            return Inverse((), Reversibility.EQUIVALENT, f"{show(self.path)} stays even where it was a default")
        if self.undo == "remove":
            return Inverse.lossy(f"{show(self.path)} is left out, whatever it holds", LeaveOut(self.path, self))
        strict = self.exists == "error"
        back = DropEqual(self.path, self.value, missing=self.missing if strict else "skip", keep_others=not strict)
        if strict:
            return Inverse((back,))
        return Inverse((back,), Reversibility.EQUIVALENT, f"{show(self.path)} is left out where it is the default")

    def dropped(self) -> tuple[Path, ...]:
        return (self.path,) if self.exists == "replace" else ()

    def is_local(self) -> bool:
        return len(self.path) == 1 and is_single(self.value)

    def __str__(self) -> str:
        verb = {"keep": "default", "error": "add", "replace": "set"}[self.exists]
        return f"{verb} {show(self.path)} = {bytes(self.value).decode()}"


def _named(field: PathLike) -> Path:
    spec = at_least_one(field)
    if spec[-1] is EACH:
        raise StepError(f"{show(spec)} ends in '*'", "Name the field to be set.", "path")
    return spec


def default(
    field: PathLike,
    value: Any,
    *,
    null: Literal["keep", "replace"] = "keep",
    missing: OnMissing = "error",
    undo: Literal["drop", "keep", "remove"] = "drop",
) -> Operation:
    """Fill a field where it is absent: ``default("metadata.branch", "main")``.

    ``null="replace"`` fills it where it is null too. ``missing`` is about the parent object. On the way down a
    field that equals the default is left out again, or stays with ``undo="keep"``, or goes whatever it holds with
    ``undo="remove"``, which is lossy.
    """
    choice(null, ("keep", "replace"), "null")
    choice(missing, _MISSING, "missing")
    choice(undo, ("drop", "keep", "remove"), "undo")
    return Default(_named(field), constant(value), "keep", null, missing, undo)


def add(
    field: PathLike, value: Any, *, missing: OnMissing = "error", undo: Literal["drop", "remove"] = "drop"
) -> Operation:
    """A new field with a fixed value; that it is there already is an error.

    On the way down it is left out again, and is an error where it has another value by then; with ``undo="remove"``,
    which is lossy, it goes whatever it holds.
    """
    choice(missing, _MISSING, "missing")
    choice(undo, ("drop", "remove"), "undo")
    return Default(_named(field), constant(value), "error", "keep", missing, undo)


def assign(field: PathLike, value: Any, *, missing: OnMissing = "error") -> Operation:
    """Set a field to a fixed value, whatever was there: the old value is lost."""
    choice(missing, _MISSING, "missing")
    return Default(_named(field), constant(value), "replace", "keep", missing)


@dataclass(frozen=True)
class Optional(Operation):
    """A field that the newer version may have and the older one does not know; nothing changes on the way up."""

    path: Path
    undo: Literal["error", "remove"] = "error"

    def apply(self, root: Object, context: Context) -> None:
        return

    def reads(self) -> tuple[Path, ...]:
        return ()

    def writes(self) -> tuple[Path, ...]:
        return ()

    def inverse(self) -> Inverse:
        if self.undo == "remove":
            return Inverse.lossy(f"{show(self.path)} is left out", LeaveOut(self.path, self))
        return Inverse((MustBeAbsent(self.path),))

    def __str__(self) -> str:
        return f"{show(self.path)} may be there"


@dataclass(frozen=True)
class MustBeAbsent(Operation):
    """Undo of ``optional``: the older version has no place for the field, so a document that has it cannot go down."""

    path: Path

    def apply(self, root: Object, context: Context) -> None:
        if any(True for _ in slots(root, self.path, "skip", "skip")):
            raise Ambiguous(f"{show(self.path)} is there and the older version has no place for it", self.path)

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return ()

    def inverse(self) -> Inverse:
        return Inverse((Optional(self.path),))

    def __str__(self) -> str:
        return f"{show(self.path)} must be absent"


@dataclass(frozen=True)
class MustExist(Operation):
    """A field has to be there; nothing changes."""

    path: Path
    null: Literal["keep", "error"] = "keep"

    def apply(self, root: Object, context: Context) -> None:
        for parent, key in slots(root, self.path):
            if self.null == "error" and is_null(parent[key]):
                raise WrongType(f"{show(self.path)} is null", self.path)

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return ()

    def inverse(self) -> Inverse:
        return Inverse(())

    def __str__(self) -> str:
        return f"{show(self.path)} must be there" + (", and not null" if self.null == "error" else "")


def must_exist(field: PathLike, *, null: Literal["keep", "error"] = "keep") -> Operation:
    """A document without this field is an error: ``must_exist("items.*.id")``. Nothing changes, in both directions.

    A null is there, or an error.
    """
    choice(null, ("keep", "error"), "null")
    return MustExist(at_least_one(field), null)


def optional(field: PathLike, *, undo: Literal["error", "remove"] = "error") -> Operation:
    """The newer version may have this field; the older one had none. Documents do not change on the way up.

    On the way down a document that has it is an error, or loses it with ``undo="remove"``, which is lossy.
    """
    choice(undo, ("error", "remove"), "undo")
    return Optional(at_least_one(field), undo)


@dataclass(frozen=True)
class FirstOf(Operation):
    """The first of several fields that is there becomes the target; the others go."""

    sources: tuple[Path, ...]
    target: Path
    missing: OnMissing = "error"
    conflict: Literal["error", "first"] = "error"
    back: Path = ()

    def apply(self, root: Object, context: Context) -> None:
        found = [(source, node) for source in self.sources if (node := find(root, source)) is not MISSING]
        if not found:
            if self.missing == "error":
                parent_of(root, self.target, create=False)  # a parent that is none says so itself
                raise MissingField(f"{show(self.target)} is missing", self.target)
            return
        chosen = found[0][1]
        if self.conflict == "error" and not all(same(chosen, node) for _, node in found[1:]):
            names = " and ".join(show(source) for source, _ in found)
            raise Conflict(f"{names} have different values", self.target)
        self._keep(root, [source for source, _ in found], chosen)

    def _keep(self, root: Object, found: list[Path], chosen: Any) -> None:
        for source in found[1:]:
            del parent_of(root, source, create=False)[source[-1]]
        first = found[0]
        if first == self.target:
            return
        parent = parent_of(root, first, create=False)
        if first[:-1] == self.target[:-1]:
            replace_keys(parent, {str(first[-1]): str(self.target[-1])}, "error", first[:-1])
        else:
            del parent[first[-1]]
            place(root, self.target, chosen, "error", create=False)

    def reads(self) -> tuple[Path, ...]:
        return self.sources

    def writes(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys((*self.sources, self.target)))

    def inverse(self) -> Inverse:
        back = Unmerge(self)
        if self.conflict == "first":
            return Inverse.lossy(f"the fields behind the first of {show(self.target)} are gone", back)
        if self.back:
            why = f"{show(self.target)} is written as {show(self.back)}"
            return Inverse((back,), Reversibility.EQUIVALENT, why)
        why = f"which spelling {show(self.target)} had is only known beside the older document"
        return Inverse((back,), Reversibility.NEEDS_VALUE, why)

    def dropped(self) -> tuple[Path, ...]:
        return self.sources[1:] if self.conflict == "first" else ()

    def __str__(self) -> str:
        return f"{show(self.target)} from the first of {', '.join(map(show, self.sources))}"


@dataclass(frozen=True)
class Unmerge(Operation):
    """Undo of ``first_of``: the field gets the spelling that the older document had, or the one that the step names."""

    merge: FirstOf

    def apply(self, root: Object, context: Context) -> None:
        target = self.merge.target
        node = find(root, target)
        if node is MISSING:
            if self.merge.missing == "error":
                raise MissingField(f"{show(target)} is missing", target)
            return
        chosen = self._chosen(context)
        if chosen == target:
            return
        if chosen[:-1] == target[:-1]:
            names = {str(target[-1]): str(chosen[-1])}
            replace_keys(parent_of(root, target, create=False), names, "error", target[:-1])
        else:
            del parent_of(root, target, create=False)[target[-1]]
            place(root, chosen, node, "error", create=False)

    def _chosen(self, context: Context) -> Path:
        for source in self.merge.sources:
            if context.had(source):
                return source
        if not self.merge.back:
            target = self.merge.target
            raise Ambiguous(f"{show(target)} was one of several fields; hand in the older document", target)
        return self.merge.back

    def reads(self) -> tuple[Path, ...]:
        return (self.merge.target,)

    def writes(self) -> tuple[Path, ...]:
        return self.merge.writes()

    def inverse(self) -> Inverse:
        return Inverse((self.merge,))

    def __str__(self) -> str:
        return f"write {show(self.merge.target)} in its older spelling"


def first_of(
    sources: Iterable[PathLike],
    target: PathLike,
    *,
    missing: OnMissing = "error",
    conflict: Literal["error", "first"] = "error",
    back: PathLike = "",
) -> Operation:
    """Merge spellings of one field, in order of precedence, into ``target``; the others are removed.

    Different values are an error, or the ``first`` wins. On the way down the field gets the spelling ``back``; without
    one it is ambiguous, unless the older document is handed in (``Upcaster.downcast_into``).
    """
    listed, end = paths(sources, "sources"), single(target)
    if len(set(listed)) != len(listed) or len(listed) < 2:
        raise StepError("first_of needs at least two different fields", "Use rename for a single one.", "option")
    if end not in listed:
        listed = (*listed, end)
    choice(missing, _MISSING, "missing")
    choice(conflict, ("error", "first"), "conflict")
    older = single(back) if back else ()
    if older and older not in listed:
        raise StepError(f"back={show(older)!r} is none of the fields", "Name one of the sources.", "option")
    return FirstOf(listed, end, missing, conflict, older)


@dataclass(frozen=True)
class Nest(Operation):
    """Fields of an object go down into a new child object. ``absent`` says what becomes of a child with none of them,
    and where its parent is missing."""

    at: Path
    names: tuple[str, ...]
    into: str
    missing: OnMissing = "error"
    absent: OnMissing = "error"

    def apply(self, root: Object, context: Context) -> None:
        for target in objects(root, self.at, self.absent):
            if self.into in target and self.into not in self.names:
                raise FieldExists(f"{show((*self.at, self.into))} is there already", (*self.at, self.into))
            if self.absent == "error" or any(name in target for name in self.names):
                self._sink(target)

    def _sink(self, target: Object) -> None:
        child: Object = {}
        for name in self.names:
            if name in target:
                child[name] = target.pop(name)
            elif self.missing == "error":
                raise MissingField(f"{show((*self.at, name))} is missing", (*self.at, name))
        target[self.into] = child

    def reads(self) -> tuple[Path, ...]:
        return tuple((*self.at, name) for name in self.names)

    def writes(self) -> tuple[Path, ...]:
        return (*self.reads(), (*self.at, self.into))

    def inverse(self) -> Inverse:
        return Inverse((Unnest((*self.at, self.into), self.names, self.missing, self.absent),))

    def __str__(self) -> str:
        return f"nest {', '.join(self.names)} into {show((*self.at, self.into))}"


def nest(names: Iterable[str], into: str, *, at: PathLike = "", missing: OnMissing = "error") -> Operation:
    """Move keys of the object at ``at`` down into a new child object ``into``."""
    choice(missing, _MISSING, "missing")
    return Nest(checked(at), different_names(names, "names"), into, missing)


@dataclass(frozen=True)
class Unnest(Operation):
    """The fields of a child object go up into its parent, and the child goes."""

    child: Path
    names: tuple[str, ...] | None = None
    missing: OnMissing = "error"
    absent: OnMissing = "error"
    exists: OnConflict = "error"

    def apply(self, root: Object, context: Context) -> None:
        for parent in objects(root, self.child[:-1], self.absent):
            self.lift(parent)

    def lift(self, parent: Object) -> None:
        """Change one parent."""
        if self.child[-1] not in parent:
            if self.absent == "error":
                raise MissingField(f"{show(self.child)} is missing", self.child)
            return
        own = open_object(parent[self.child[-1]], self.child)
        if self.names is not None:
            self._check(own)
        del parent[self.child[-1]]
        merge(parent, own, self.exists, self.child[:-1])

    def _check(self, own: Object) -> None:
        assert self.names is not None
        if self.missing == "error":
            for name in self.names:
                if name not in own:
                    raise MissingField(f"{show((*self.child, name))} is missing", (*self.child, name))
        if own.keys() - set(self.names):
            raise Ambiguous(f"{show(self.child)} holds fields that did not come from its parent", self.child)

    def reads(self) -> tuple[Path, ...]:
        return (self.child,)

    def writes(self) -> tuple[Path, ...]:
        if self.names is None:
            return (self.child, (*self.child[:-1], EACH))
        return (self.child, *((*self.child[:-1], name) for name in self.names))

    def inverse(self) -> Inverse:
        if self.names is None:
            return Inverse.lossy(f"which fields came out of {show(self.child)} is not known")
        back = Nest(self.child[:-1], self.names, str(self.child[-1]), self.missing, self.absent)
        if self.exists != "error":
            return Inverse.lossy(f"which fields of {show(self.child)} were beside it as well is not known", back)
        return named_back(back, self.missing)

    def __str__(self) -> str:
        return f"unnest {show(self.child)}"


def unnest(
    child: PathLike,
    names: Iterable[str] | None = None,
    *,
    missing: OnMissing = "error",
    exists: OnConflict = "error",
) -> Operation:
    """Lift the fields of a child object into its parent. With ``names`` it can be undone, and others are an error.

    ``missing`` is about the child and the names that are listed. On the way down, a child of which no name is there is
    left out where it may be missing. A name that the parent has already is an error, fine where both are the ``same``,
    or one of them is thrown away: ``keep`` keeps the parent's, ``replace`` takes the child's.
    """
    choice(missing, _MISSING, "missing")
    choice(exists, _CONFLICTS, "exists")
    listed = None if names is None else different_names(names, "names")
    return Unnest(_named(child), listed, missing, missing, exists)


def merge(target: Object, fields: Object, exists: OnConflict, at: Path) -> None:
    """Put fields into an object; one whose name is taken is treated as told. Raises FieldExists and Conflict."""
    for name, node in fields.items():
        if name in target and exists == "error":
            raise FieldExists(f"{show((*at, name))} is there already", (*at, name))
        if name in target and exists == "same" and not same(target[name], node):
            raise Conflict(f"{show((*at, name))} is there already with another value", (*at, name))
        if name not in target or exists == "replace":
            target[name] = node


@dataclass(frozen=True)
class KeepOnly(Operation):
    """Known keys stay; all others go into a child object, if there are any, or are thrown away."""

    at: Path
    names: tuple[str, ...]
    rest: str | None
    exists: OnConflict = "error"

    def apply(self, root: Object, context: Context) -> None:
        for target in objects(root, self.at):
            self.keep(target)

    def keep(self, target: Object) -> None:
        """Change one object."""
        if self.rest in target and self.exists == "error":
            raise FieldExists(f"{show(self._child)} is there already", self._child)
        kept = self.names if self.rest is None else (*self.names, self.rest)
        others = {name: target.pop(name) for name in list(target) if name not in kept}
        if self.rest is not None and others:
            child: Object = open_object(target[self.rest], self._child) if self.rest in target else {}
            merge(child, others, self.exists, self._child)
            target[self.rest] = child

    @property
    def _child(self) -> Path:
        return (*self.at, self.rest or "")

    def reads(self) -> tuple[Path, ...]:
        return ((*self.at, EACH),)

    def writes(self) -> tuple[Path, ...]:
        return ((*self.at, EACH),)

    def inverse(self) -> Inverse:
        if self.rest is None:
            back = RestoreOthers(self.at, self.names, self)
            return Inverse.lossy(f"what is beside {', '.join(self.names)} is thrown away", back)
        up = Unnest(self._child, absent="skip")
        if self.exists != "error":
            return Inverse.lossy(f"which fields of {show(self._child)} were in it before is not known", up)
        return Inverse((up,))

    def dropped(self) -> tuple[Path, ...]:
        return ((*self.at, EACH),) if self.rest is None else ()

    def __str__(self) -> str:
        what = f"keep {', '.join(self.names) or 'nothing'} and"
        return f"{what} drop the rest" if self.rest is None else f"{what} put the rest into {show(self._child)}"


def keep_only(
    names: Iterable[str],
    rest: str | None,
    *,
    at: PathLike = "",
    exists: OnConflict = "error",
) -> Operation:
    """Keep these keys of the object at ``at``; every other one goes into its child object ``rest``.

    ``keep_only([], "data")`` puts all of it into a child; ``rest=None`` throws the others away. A child that is there
    is an error, or they are merged into it: a name that it has already has to be the ``same``, or one of the two is
    thrown away, where ``keep`` keeps the child's and ``replace`` takes the other.
    """
    listed = different_names(names, "names", at_least=0 if rest is not None else 1)
    if rest in listed:
        raise StepError(f"{rest!r} is both kept and made", "Choose another name for the rest.", "collision")
    choice(exists, _CONFLICTS, "exists")
    return KeepOnly(checked(at), listed, rest, exists)


@dataclass(frozen=True)
class KeyRule:
    """How keys are respelled. ``back`` is the rule that undoes it, where there is one."""

    name: str
    pattern: str = ""
    replacement: str = ""
    back: tuple[str, str] | None = None

    def __call__(self, key: str) -> str:
        if self.name == "snake_case":
            return _snake(key)
        if self.name == "camelCase":
            return _camel(key)
        if self.name == "lower case":
            return key.lower()
        return re.sub(self.pattern, self.replacement, key)

    def inverse(self) -> KeyRule | None:
        """The rule back, or None."""
        if self.name == "snake_case":
            return CAMEL_CASE
        if self.name == "camelCase":
            return SNAKE_CASE
        if self.back is None:
            return None
        return KeyRule("pattern", self.back[0], self.back[1], (self.pattern, self.replacement))

    def __str__(self) -> str:
        return self.name if self.name != "pattern" else f"{self.pattern!r} -> {self.replacement!r}"


SNAKE_CASE = KeyRule("snake_case")
"""`taskId` becomes `task_id`, and back."""

CAMEL_CASE = KeyRule("camelCase")
"""`task_id` becomes `taskId`, and back."""

LOWER_CASE = KeyRule("lower case")
"""`TaskId` becomes `taskid`; there is no way back."""

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_UNDERSCORE = re.compile(r"(?<=[A-Za-z0-9])_([a-z0-9])")


def _snake(key: str) -> str:
    return _HUMP.sub("_", key).lower() if key.isascii() and key.isidentifier() else key


def _camel(key: str) -> str:
    if not (key.isascii() and key.isidentifier()):
        return key
    return _UNDERSCORE.sub(lambda match: match.group(1).upper(), key)


def key_pattern(pattern: str, replacement: str, back: tuple[str, str] | None = None) -> KeyRule:
    """Respell keys by a regular expression; ``back`` is the pattern and replacement that undo it."""
    for one, other in ((pattern, replacement), back or ("", "")):
        try:
            re.compile(one).sub(other, "")
        except re.error as error:
            message = f"{one!r} and {other!r} are not a regular expression and its replacement: {error}"
            raise StepError(message, "Mend the pattern.", "option") from None
    return KeyRule("pattern", pattern, replacement, back)


@dataclass(frozen=True)
class RenameKeys(Operation):
    """Every key of the objects at ``at`` is respelled by a rule; in the whole subtree if asked."""

    at: Path
    rule: KeyRule
    subtree: bool = False
    missing: OnMissing = "error"
    exists: OnExists = "error"
    wrong_type: OnWrongType = "error"
    checks_way_back: bool = False

    def apply(self, root: Object, context: Context) -> None:
        for target in containers(root, self.at, self.missing, self.wrong_type):
            self._respell(target, 0)

    def _respell(self, target: Any, depth: int) -> None:
        if type(target) is dict:
            replace_keys(target, self._names(target), self.exists, self.at)
        elif not self.subtree and self.wrong_type == "error":
            raise WrongType(f"{show(self.at)} is an array, not an object", self.at)
        if not self.subtree:
            return
        for key in target if type(target) is dict else range(len(target)):
            if json_type(target[key]) in ("object", "array"):
                target[key] = open_deeper(target[key], depth)
                self._respell(target[key], depth + 1)

    def _names(self, target: Object) -> dict[str, str]:
        names = {key: new for key in target if (new := self.rule(key)) != key}
        if self.checks_way_back:
            self._check(target)
        return names

    def _check(self, target: Object) -> None:
        back = self.rule.inverse()
        if back is not None and any(back(self.rule(key)) != key for key in target):
            raise Ambiguous(f"a key of {show(self.at) or 'the document'} has no older spelling of its own", self.at)

    def reads(self) -> tuple[Path, ...]:
        return ((*self.at, EACH),)

    def writes(self) -> tuple[Path, ...]:
        return ((*self.at, EACH),)

    def inverse(self) -> Inverse:
        rule = self.rule.inverse()
        if rule is None:
            return Inverse.lossy(f"{self} has no rule back")
        back = RenameKeys(self.at, rule, self.subtree, self.missing, "error", self.wrong_type, True)
        return Inverse((back,), Reversibility.EQUIVALENT, f"keys of {show(self.at)} are written as {rule}")

    def __str__(self) -> str:
        reach = "the whole subtree of " if self.subtree else ""
        return f"respell the keys of {reach}{show(self.at) or 'the document'} as {self.rule}"


def rename_keys(
    at: PathLike,
    rule: KeyRule,
    *,
    subtree: bool = False,
    missing: OnMissing = "error",
    exists: OnExists = "error",
    wrong_type: OnWrongType = "error",
) -> Operation:
    """Respell every key of the objects at ``at``: ``rename_keys("nodes.*", SNAKE_CASE)``.

    The other rules are ``CAMEL_CASE``, ``LOWER_CASE`` (which has no way back) and what ``key_pattern`` makes. Two keys
    that become one are an error, or fine where their values are the ``same``.
    """
    choice(missing, _MISSING, "missing")
    choice(exists, _EXISTS, "exists")
    choice(wrong_type, _WRONG, "wrong_type")
    return RenameKeys(checked(at), rule, subtree, missing, exists, wrong_type)
