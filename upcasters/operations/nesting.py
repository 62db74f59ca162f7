"""Fields go into an object, and out of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from upcasters.context import Context
from upcasters.document import Object, open_object, same
from upcasters.errors import Ambiguous, Conflict, FieldExists, MissingField, StepError
from upcasters.operations.base import (
    ON_CONFLICT,
    Inverse,
    OnConflict,
    Operation,
    checked,
    choice,
    different_names,
    named_back,
    settable,
)
from upcasters.operations.restoring import RestoreOthers
from upcasters.paths import EACH, Path, PathLike, show
from upcasters.traversal import ON_MISSING, OnMissing, objects


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

    def removes(self) -> tuple[Path, ...]:
        return self.reads()

    def inverse(self) -> Inverse:
        return Inverse((Unnest((*self.at, self.into), self.names, self.missing, self.absent),))

    def __str__(self) -> str:
        return f"nest {', '.join(self.names)} into {show((*self.at, self.into))}"


def nest(names: Iterable[str], into: str, *, at: PathLike = "", missing: OnMissing = "error") -> Operation:
    """Move keys of the object at ``at`` down into a new child object ``into``."""
    choice(missing, ON_MISSING, "missing")
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

    def removes(self) -> tuple[Path, ...]:
        return (self.child,)

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
    choice(missing, ON_MISSING, "missing")
    choice(exists, ON_CONFLICT, "exists")
    listed = None if names is None else different_names(names, "names")
    return Unnest(settable(child), listed, missing, missing, exists)


def merge(target: Object, fields: Object, exists: OnConflict, at: Path) -> None:
    """Put fields into an object; one whose name is taken is treated as told. Raises FieldExists and Conflict."""
    for name, node in fields.items():
        if name in target and exists == "error":
            raise FieldExists(f"{show((*at, name))} is there already", (*at, name))
        if name in target and exists == "same" and not same(target[name], node, (*at, name)):
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
    choice(exists, ON_CONFLICT, "exists")
    return KeepOnly(checked(at), listed, rest, exists)
