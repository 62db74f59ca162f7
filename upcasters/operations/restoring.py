"""What the way down takes from the older document, where that is at hand (``Upcaster.downcast_into``): whatever the way
up has thrown away. Without it these operations do nothing, but for a value that the step gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from upcasters.context import Context
from upcasters.document import BEYOND_JSON, Object, encode, json_type, open_array, open_object, same, weight
from upcasters.errors import FieldExists, TooLarge
from upcasters.operations.base import Inverse, Operation
from upcasters.paths import EACH, Path, show
from upcasters.traversal import MISSING, OnMissing, find, objects, parent_of

MOST_COPIED = 2**24
"""Bytes. What copies an object into itself at each level doubles it each time: 30 levels would be gigabytes."""


def frozen(node: Any) -> Any:
    """A node that can stand in two places: objects and arrays as bytes, so that neither place sees the other's.

    Raises TooLarge.
    """
    if type(node) is not dict and type(node) is not list:
        return node
    if BEYOND_JSON.get():
        _refuse_large(weight(node))
        return _copied(node)
    made = encode(node)
    _refuse_large(len(made))
    return msgspec.Raw(made)


def _refuse_large(size: int) -> None:
    if size > MOST_COPIED:
        raise TooLarge(f"a copy would have more than {MOST_COPIED} bytes")


def _copied(node: Any) -> Any:
    """What may hold values that JSON does not have."""
    if type(node) is dict:
        fields = {}
        for key, child in node.items():
            fields[key] = _copied(child)
        return fields
    return list(map(_copied, node)) if type(node) is list else node


@dataclass(frozen=True)
class Restore(Operation):
    """Undo of ``lost``, which threw a field away: it is what the older document had, or the value given."""

    path: Path
    lost: Operation
    value: msgspec.Raw | None = None
    missing: OnMissing = "error"

    needs_context = True

    def apply(self, root: Object, context: Context) -> None:
        had = context.older_at(self.path)
        if had is not MISSING:
            for parent in objects(root, self.path[:-1], "skip", "skip"):
                parent.setdefault(self.path[-1], frozen(had))
        elif self.value is not None:
            self._fill(root, self.value)

    def _fill(self, root: Object, value: msgspec.Raw) -> None:
        for parent in objects(root, self.path[:-1], self.missing):
            if self.path[-1] in parent:
                raise FieldExists(f"{show(self.path)} is there already", self.path)
            parent[self.path[-1]] = value

    def reads(self) -> tuple[Path, ...]:
        return ()

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        return Inverse((self.lost,))

    def __str__(self) -> str:
        given = f", else as {bytes(self.value).decode()}" if self.value is not None else ""
        return f"restore {show(self.path)} from the older document{given}"


@dataclass(frozen=True)
class RestoreOthers(Operation):
    """Undo of ``lost``, which threw away every field but ``names`` of the object at ``at``."""

    at: Path
    names: tuple[str, ...]
    lost: Operation

    needs_context = True

    def apply(self, root: Object, context: Context) -> None:
        had = context.older_at(self.at)
        if json_type(had) != "object":
            return
        for target in objects(root, self.at, "skip", "skip"):
            for name, node in open_object(had).items():
                if name not in self.names:
                    target.setdefault(name, frozen(node))

    def reads(self) -> tuple[Path, ...]:
        return ()

    def writes(self) -> tuple[Path, ...]:
        return ((*self.at, EACH),)

    def inverse(self) -> Inverse:
        return Inverse((self.lost,))

    def __str__(self) -> str:
        return f"restore all but {', '.join(self.names)} from the older document"


@dataclass(frozen=True)
class RestoreItems(Operation):
    """Undo of ``lost``, which kept the first items of a list: the others follow again, if those still are the first."""

    path: Path
    lost: Operation

    needs_context = True

    def apply(self, root: Object, context: Context) -> None:
        had, now = context.older_at(self.path), find(root, self.path)
        if json_type(had) != "array" or json_type(now) != "array":
            return
        items, kept = open_array(had, self.path), open_array(now, self.path)
        if kept and len(kept) < len(items) and all(map(same, items, kept)):
            parent_of(root, self.path, create=False)[self.path[-1]] = frozen(items)

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        return Inverse((self.lost,))

    def __str__(self) -> str:
        return f"restore the other items of {show(self.path)} from the older document"


@dataclass(frozen=True)
class LeaveOut(Operation):
    """Undo of ``added`` with ``undo="remove"``: the older version has no place for the field, so it goes as it is."""

    path: Path
    added: Operation

    needs_context = True

    def apply(self, root: Object, context: Context) -> None:
        if context.had(self.path):
            return
        for target in objects(root, self.path[:-1], "skip", "skip"):
            target.pop(self.path[-1], None)

    def reads(self) -> tuple[Path, ...]:
        return ()

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        return Inverse((self.added,))

    def __str__(self) -> str:
        return f"leave out {show(self.path)}"
