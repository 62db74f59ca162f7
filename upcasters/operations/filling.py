"""Fields are set to a constant or to a copy of another one, and left out again where they are equal to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from upcasters.context import Context
from upcasters.document import Object, is_null, same
from upcasters.errors import Ambiguous, FieldExists, MissingField, StepError
from upcasters.operations.base import (
    ON_EXISTS,
    Inverse,
    OnExists,
    Operation,
    Reversibility,
    choice,
    constant,
    is_single,
    named_back,
    settable,
    single,
)
from upcasters.operations.fields import place
from upcasters.operations.restoring import LeaveOut, frozen
from upcasters.paths import Path, PathLike, overlap, show
from upcasters.traversal import MISSING, ON_MISSING, OnMissing, find, objects, slots


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
    choice(missing, ON_MISSING, "missing")
    choice(undo, ("drop", "keep", "remove"), "undo")
    return Default(settable(field), constant(value), "keep", null, missing, undo)


def add(
    field: PathLike, value: Any, *, missing: OnMissing = "error", undo: Literal["drop", "remove"] = "drop"
) -> Operation:
    """A new field with a fixed value; that it is there already is an error.

    On the way down it is left out again, and is an error where it has another value by then; with ``undo="remove"``,
    which is lossy, it goes whatever it holds.
    """
    choice(missing, ON_MISSING, "missing")
    choice(undo, ("drop", "remove"), "undo")
    return Default(settable(field), constant(value), "error", "keep", missing, undo)


def assign(field: PathLike, value: Any, *, missing: OnMissing = "error") -> Operation:
    """Set a field to a fixed value, whatever was there: the old value is lost."""
    choice(missing, ON_MISSING, "missing")
    return Default(settable(field), constant(value), "replace", "keep", missing)


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
        copied = frozen(node)
        if context.at_any_depth:
            context.count(copied)
        place(root, self.target, copied, self.exists, create=False)

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

    def may_grow(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"copy {show(self.source)} to {show(self.target)}"


def copy(source: PathLike, target: PathLike, *, missing: OnMissing = "error", exists: OnExists = "error") -> Operation:
    """Write a field's value to a second place as well."""
    start, end = single(source), single(target)
    if start == end:
        raise StepError(f"{show(start)} is copied to itself", "Leave it out, or name another target.", "no-op")
    if overlap(start, end):
        raise StepError(f"{show(start)} cannot be copied to {show(end)}", "Name a target beside it.", "path")
    choice(missing, ON_MISSING, "missing")
    choice(exists, ON_EXISTS, "exists")
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
            if expected is not MISSING and same(parent[key], expected, self.path):
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
