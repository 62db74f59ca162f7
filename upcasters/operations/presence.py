"""Demands on whether a field is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from upcasters.context import Context
from upcasters.document import Object, is_null
from upcasters.errors import Ambiguous, WrongType
from upcasters.operations.base import Inverse, Operation, at_least_one, choice
from upcasters.operations.restoring import LeaveOut
from upcasters.paths import Path, PathLike, show
from upcasters.traversal import slots


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
