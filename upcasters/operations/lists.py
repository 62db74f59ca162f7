"""Scalars become lists and back; lists of lists become one; items get numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from upcasters.context import Context
from upcasters.document import Object, is_null, json_type, open_array, open_object, plain, same
from upcasters.errors import Ambiguous, Conflict, FieldExists, StepError, WrongType
from upcasters.operations.base import Inverse, Operation, Reversibility, at_least_one, choice
from upcasters.operations.restoring import RestoreItems
from upcasters.paths import EACH, Path, PathLike, show
from upcasters.traversal import OnMissing, slots

_MISSING = ("error", "skip")


@dataclass(frozen=True)
class Wrap(Operation):
    """A single value becomes a list of one."""

    path: Path
    null: Literal["keep", "empty", "wrap"] = "wrap"
    lists: Literal["error", "keep", "wrap"] = "error"
    missing: OnMissing = "error"
    many: Literal["error", "first"] = "error"

    def apply(self, root: Object, context: Context) -> None:
        for parent, key in slots(root, self.path, self.missing):
            parent[key] = self.wrapped(parent[key])

    def wrapped(self, node: Any) -> Any:
        """The node that one value becomes."""
        if is_null(node) and self.null != "wrap":
            return [] if self.null == "empty" else node
        if self.lists == "wrap" or json_type(node) != "array":
            return [node]
        if self.lists == "error":
            raise WrongType(f"{show(self.path)} is an array already", self.path)
        return node

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        empty: Literal["error", "null"] = "null" if self.null == "empty" else "error"
        back = Unwrap(self.path, empty, self.many, "keep" if self.null == "keep" else "error", self.missing)
        if self.lists == "keep":
            return Inverse.lossy(f"whether {show(self.path)} was a list of one or a single value", back)
        if self.many == "first":
            return Inverse.lossy(f"the items of {show(self.path)} behind the first are left out", back)
        return Inverse((back,))

    def __str__(self) -> str:
        return f"wrap {show(self.path)} in a list"


@dataclass(frozen=True)
class Unwrap(Operation):
    """A list of one becomes its item."""

    path: Path
    empty: Literal["error", "null", "drop"] = "error"
    many: Literal["error", "first"] = "error"
    null: Literal["error", "keep"] = "error"
    missing: OnMissing = "error"

    def apply(self, root: Object, context: Context) -> None:
        for parent, key in list(slots(root, self.path, self.missing)):
            if is_null(parent[key]) and self.null == "keep":
                continue
            self._unwrap(parent, key)

    def _unwrap(self, parent: Any, key: Any) -> None:
        items = open_array(parent[key], self.path)
        if len(items) > 1 and self.many == "error":
            raise WrongType(f"{show(self.path)} has more than one item", self.path)
        if items:
            parent[key] = items[0]
        elif self.empty == "null":
            parent[key] = None
        elif self.empty == "drop" and type(parent) is dict:
            del parent[key]
        else:
            raise WrongType(f"{show(self.path)} is empty", self.path)

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        null: Literal["keep", "empty", "wrap"] = "wrap"
        if self.null == "keep":
            null = "keep"
        elif self.empty == "null":
            null = "empty"
        missing: OnMissing = "skip" if self.empty == "drop" else self.missing
        back = Wrap(self.path, null, "wrap", missing)
        if self.many == "first":
            others = RestoreItems(self.path, self)
            return Inverse.lossy(f"the items of {show(self.path)} behind the first are gone", back, others)
        if self.empty == "drop" or (self.null == "keep" and self.empty == "null"):
            return Inverse.lossy(f"whether {show(self.path)} was empty is gone", back)
        if null == "wrap":
            return Inverse((back,))
        return Inverse((back,), Reversibility.EQUIVALENT, f"whether {show(self.path)} held a null is gone")

    def dropped(self) -> tuple[Path, ...]:
        return (self.path,) if self.many == "first" else ()

    def __str__(self) -> str:
        return f"take {show(self.path)} out of its list"


def wrap(
    field: PathLike,
    *,
    null: Literal["keep", "empty", "wrap"] = "wrap",
    lists: Literal["error", "keep", "wrap"] = "error",
    missing: OnMissing = "error",
    many: Literal["error", "first"] = "error",
) -> Operation:
    """Scalar to list of one. A null becomes ``[null]``, ``[]`` (``empty``) or stays.

    A list is an error, stays, or becomes the one item of a new list. On the way down a list of several is an error, or
    its ``first`` item is taken, which is lossy (``many``).
    """
    choice(many, ("error", "first"), "many")
    choice(null, ("keep", "empty", "wrap"), "null")
    choice(lists, ("error", "keep", "wrap"), "lists")
    choice(missing, _MISSING, "missing")
    return Wrap(at_least_one(field), null, lists, missing, many)


def unwrap(
    field: PathLike,
    *,
    empty: Literal["error", "null", "drop"] = "error",
    many: Literal["error", "first"] = "error",
    null: Literal["error", "keep"] = "error",
    missing: OnMissing = "error",
) -> Operation:
    """List of one to scalar. Empty lists, longer lists and null are errors unless told otherwise."""
    choice(empty, ("error", "null", "drop"), "empty")
    choice(many, ("error", "first"), "many")
    choice(null, ("error", "keep"), "null")
    choice(missing, _MISSING, "missing")
    return Unwrap(at_least_one(field), empty, many, null, missing)


@dataclass(frozen=True)
class Flatten(Operation):
    """A list of lists becomes one list."""

    path: Path
    missing: OnMissing = "error"
    scalars: Literal["error", "keep"] = "error"

    def apply(self, root: Object, context: Context) -> None:
        for parent, key in slots(root, self.path, self.missing):
            parent[key] = [item for node in open_array(parent[key], self.path) for item in self._items(node)]

    def _items(self, node: Any) -> list[Any]:
        if self.scalars == "keep" and json_type(node) != "array":
            return [node]
        return open_array(node, (*self.path, EACH))

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        why = f"where the inner lists of {show(self.path)} ended is gone"
        return (
            Inverse.lossy(why) if self.scalars == "keep" else Inverse.lossy(why, IntoOneList(self.path, self.missing))
        )

    def __str__(self) -> str:
        return f"flatten {show(self.path)}"


@dataclass(frozen=True)
class IntoOneList(Operation):
    """Undo of ``flatten``: all items become one inner list, which at least is a list of lists."""

    path: Path
    missing: OnMissing = "error"

    def apply(self, root: Object, context: Context) -> None:
        for parent, key in slots(root, self.path, self.missing):
            items = open_array(parent[key], self.path)
            parent[key] = [items] if items else []

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        return Inverse((Flatten(self.path, self.missing),))

    def __str__(self) -> str:
        return f"put all of {show(self.path)} into one inner list"


def flatten(field: PathLike, *, missing: OnMissing = "error", scalars: Literal["error", "keep"] = "error") -> Operation:
    """Put the items of inner lists into one list; an item that is not a list is an error, or kept."""
    choice(missing, _MISSING, "missing")
    choice(scalars, ("error", "keep"), "scalars")
    return Flatten(at_least_one(field), missing, scalars)


@dataclass(frozen=True)
class Number(Operation):
    """Every object in a list gets its position as a field."""

    path: Path
    name: str
    start: int = 0
    missing: OnMissing = "error"
    remove: bool = False
    text: str = ""
    exists: Literal["error", "keep", "replace"] = "error"

    def apply(self, root: Object, context: Context) -> None:
        for parent, key in slots(root, self.path, self.missing):
            items = open_array(parent[key], self.path)
            parent[key] = items
            for index, node in enumerate(items):
                items[index] = open_object(node, (*self.path, EACH))
            kept = {_comparable(item[self.name]) for item in items if self.name in item}
            for position, item in enumerate(items, self.start):
                number = self.text.replace("{}", str(position)) if self.text else position
                if self.remove:
                    self._remove(item, number)
                else:
                    self._add(item, number, kept)

    def _add(self, item: Object, number: str | int, kept: set[Any]) -> None:
        where = (*self.path, EACH, self.name)
        if self.name not in item or self.exists == "replace":
            if number in kept and self.exists != "replace":
                raise Conflict(f"two items would have the same {show(where)}", where)
            item[self.name] = number
        elif self.exists == "error":
            raise FieldExists(f"{show(where)} is there already", where)

    def _remove(self, item: Object, number: str | int) -> None:
        if self.name in item and same(item[self.name], number):
            del item[self.name]
        elif self.exists == "error":
            where = (*self.path, EACH, self.name)
            raise Ambiguous(f"{show(where)} is not the position any more", where)

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return ((*self.path, EACH, self.name),)

    def inverse(self) -> Inverse:
        back = replace(self, remove=not self.remove, exists="keep" if self.exists == "replace" else self.exists)
        if self.exists == "replace":
            return Inverse.lossy(f"the old {show((*self.path, EACH, self.name))} is gone", back)
        if self.exists == "error":
            return Inverse((back,))
        why = f"{show((*self.path, EACH, self.name))} is left out where it is the position"
        return Inverse((back,), Reversibility.EQUIVALENT, why)

    def dropped(self) -> tuple[Path, ...]:
        return ((*self.path, EACH, self.name),) if self.exists == "replace" else ()

    def __str__(self) -> str:
        verb = "remove the number from" if self.remove else "number"
        return f"{verb} the items of {show(self.path)} as {self.name}"


def _comparable(node: Any) -> Any:
    """A text or number, that equals another as JSON does; None for what is neither."""
    return plain(node) if json_type(node) in ("string", "number") else None


def number(
    field: PathLike,
    name: str,
    *,
    start: int = 0,
    text: str = "",
    exists: Literal["error", "keep", "replace"] = "error",
    missing: OnMissing = "error",
) -> Operation:
    """Give every object in the list at ``field`` its position as ``name``: ``number("cells", "id", text="cell-{}")``.

    A number that starts at ``start``, or a ``text`` with the number in the place of ``{}``. What has a ``name`` is an
    error, keeps it, or gets another; that two items get the same one is an error.
    """
    choice(exists, ("error", "keep", "replace"), "exists")
    choice(missing, _MISSING, "missing")
    if text and text.count("{}") != 1:
        raise StepError(f"text={text!r} has no place for the number, or several", "Write {} once.", "option")
    return Number(at_least_one(field), name, start, missing, text=text, exists=exists)
