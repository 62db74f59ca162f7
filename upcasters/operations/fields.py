"""Fields get other names and other places, or go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from upcasters.context import Context
from upcasters.document import Object, same
from upcasters.errors import Ambiguous, Conflict, FieldExists, MissingField, StepError
from upcasters.operations.base import (
    ON_EXISTS,
    Inverse,
    OnExists,
    Operation,
    Reversibility,
    at_least_one,
    checked,
    choice,
    constant,
    is_single,
    named_back,
    paths,
    single,
)
from upcasters.operations.restoring import Restore
from upcasters.paths import EACH, Path, PathLike, overlap, show
from upcasters.traversal import (
    MISSING,
    ON_MISSING,
    ON_WRONG_TYPE,
    OnMissing,
    OnWrongType,
    containers,
    find,
    objects,
    parent_of,
    slots,
)


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

    def removes(self) -> tuple[Path, ...]:
        return tuple((*self.at, old) for old in self.names.keys() - set(self.names.values()))

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
    if exists == "same" and not all(same(nodes[0], node, (*at, new)) for node in nodes[1:]):
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
    choice(missing, ON_MISSING, "missing")
    choice(exists, ON_EXISTS, "exists")
    choice(wrong_type, ON_WRONG_TYPE, "wrong_type")
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

    def removes(self) -> tuple[Path, ...]:
        return (self.source,)

    def inverse(self) -> Inverse:
        parents: Literal["require", "create"] = "create" if self.prune else self.parents
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
        if exists == "same" and not same(parent[name], node, target):
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

    ``parents="create"`` makes missing objects on the way, in both directions; a parent that is not an object is always
    an error.
    """
    start, end = single(source), single(target)
    if overlap(start, end):
        raise StepError(f"{show(start)} cannot be moved to {show(end)}", "Use nest or unnest.", "path")
    choice(missing, ON_MISSING, "missing")
    choice(exists, ON_EXISTS, "exists")
    choice(parents, ("require", "create"), "parents")
    return Move(start, end, missing, exists, parents)


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

    def removes(self) -> tuple[Path, ...]:
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
    choice(missing, ON_MISSING, "missing")
    choice(wrong_type, ON_WRONG_TYPE, "wrong_type")
    spec = at_least_one(field)
    if restore is _NOTHING:
        return Drop(spec, missing, wrong_type)
    if spec[-1] is EACH:
        raise StepError(
            f"{show(spec)} ends in '*' and cannot be restored", "Name the field, or declare it lost.", "path"
        )
    return Drop(spec, missing, wrong_type, constant(restore))


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
        if self.conflict == "error" and not all(same(chosen, node, self.target) for _, node in found[1:]):
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

    def removes(self) -> tuple[Path, ...]:
        return tuple(source for source in self.sources if source != self.target)

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
    choice(missing, ON_MISSING, "missing")
    choice(conflict, ("error", "first"), "conflict")
    older = single(back) if back else ()
    if older and older not in listed:
        raise StepError(f"back={show(older)!r} is none of the fields", "Name one of the sources.", "option")
    return FirstOf(listed, end, missing, conflict, older)
