"""Where objects stand that the ways of one event type open or ask about, and which of their keys have a name there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from upcasters.compile.groups import FlatGroup
from upcasters.document import encode
from upcasters.operations.fields import Drop, FirstOf, Rename
from upcasters.operations.filling import Default
from upcasters.operations.keys import RenameKeys
from upcasters.operations.lists import FieldsToList
from upcasters.operations.nesting import Nest
from upcasters.operations.values import Derive
from upcasters.paths import EACH, Path

MOST_PLACES = 64
MOST_DEPTH = 12
MOST_NAMES = 256


class Unsupported(Exception):
    """A way that is none of the extension's: it goes on as without it."""


@dataclass(eq=False)
class Place:
    """One object of the documents, or all objects in one container. ``names`` are keys that something is done with.

    ``bits`` are of the fields that shapes ask for; ``asked`` those of which the value is asked for, or that lead there;
    ``exports`` what functions at places around it read.
    """

    path: Path
    number: int
    names: dict[str, int] = field(default_factory=dict)
    children: dict[str, Place] = field(default_factory=dict)
    each: Place | None = None
    whole: bool = False
    bits: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)

    def child(self, key: str) -> Place | None:
        """The place of the object that a key holds; None where it is a mere value."""
        return self.each or self.children.get(key)

    def name(self, *keys: str) -> None:
        """Give keys a name."""
        for key in keys:
            self.names.setdefault(key, len(self.names))

    @property
    def given(self) -> tuple[Any, ...]:
        """The place as the extension takes it, but for the versions in which an array may stand there."""
        names = [encode(key) + b":" for key in self.names]
        children = [getattr(self.child(key), "number", None) for key in self.names]
        return names, children, getattr(self.each, "number", None), self.whole


class Places(dict[Path, Place]):
    """All places by their paths, the document's first."""

    def __init__(self, groups: Iterable[FlatGroup], asked: Iterable[Path]) -> None:
        self[()] = Place((), 0)
        groups = list(groups)
        for group in sorted(groups, key=lambda group: EACH not in group.at):
            self._add(group.at)
        for group in groups:
            self._name(group)
        for number, path in enumerate(asked):
            place = self._of_parent(path)
            place.name(str(path[-1]))
            place.bits[str(path[-1])] = 1 << number

    def ask(self, path: Path) -> list[int]:
        """Ask for the value of a field: the way there, by the numbers of asked keys."""
        self._of_parent(path)
        way = []
        for end, key in enumerate(map(str, path)):
            place = self[path[:end]]
            place.name(key)
            if key not in place.asked:
                place.asked.append(key)
            way.append(place.asked.index(key))
        return way

    def check(self) -> None:
        """Raises Unsupported where there are too many of them."""
        if len(self) > MOST_PLACES or any(len(place.names) > MOST_NAMES for place in self.values()):
            raise Unsupported

    def _add(self, path: Path) -> Place:
        if path in self:
            return self[path]
        if len(path) > MOST_DEPTH:
            raise Unsupported
        parent, key = self._add(path[:-1]), path[-1]
        place = self[path] = Place(path, len(self))
        if key is EACH:
            if parent.children:
                raise Unsupported
            parent.each = place
        else:
            if parent.each is not None:
                raise Unsupported
            parent.name(str(key))
            parent.children[str(key)] = place
        return place

    def _of_parent(self, path: Path) -> Place:
        """The place of the object around a field that a shape asks for."""
        if EACH in path or any(self[path[:end]].each for end in range(len(path) - 1) if path[:end] in self):
            raise Unsupported
        return self._add(path[:-1])

    def _name(self, group: FlatGroup) -> None:
        place = self[group.at]
        for operation in group.operations:
            if isinstance(operation, RenameKeys):
                place.whole = True
            else:
                place.name(*names_of(operation))
            if isinstance(operation, Derive):
                for source in operation.sources:
                    self._export(place, source)

    def _export(self, place: Place, source: Any) -> None:
        """Let a function read what lies deeper."""
        for key, inner in pairwise(source):
            place = place.child(key) or self._add((*place.path, key))
            place.name(inner)
            if inner not in place.exports:
                place.exports.append(inner)


def names_of(operation: Any) -> Sequence[str]:
    """The keys of its object that an operation knows by name."""
    if isinstance(operation, Rename):
        return [name for pair in operation.names.items() for name in pair]
    if isinstance(operation, FirstOf):
        return [str(path[0]) for path in (*operation.sources, operation.target)]
    if isinstance(operation, Nest):
        return [*operation.names, operation.into]
    if isinstance(operation, FieldsToList):
        return [*operation.names, str(operation.path[0])]
    if isinstance(operation, Derive):
        return [str(operation.path[0]), *(str(source[0]) for source in operation.sources)]  # type: ignore[index]  # this operation has a path
    return [str(operation.path[0])]


def is_in_order(groups: Sequence[FlatGroup]) -> bool:
    """True where each group stands behind those deeper than it, as far as it does something with what leads there."""
    for number, group in enumerate(groups):
        touched = {name for operation in group.operations if not _is_rule(operation) for name in names_of(operation)}
        whole = any(map(_is_rule, group.operations))
        for later in groups[number + 1 :]:
            if len(later.at) > len(group.at) and later.at[: len(group.at)] == group.at:
                key = later.at[len(group.at)]
                if whole or key in touched or (key is EACH and touched):
                    return False
    return True


def _is_rule(operation: Any) -> bool:
    return isinstance(operation, RenameKeys)


SIMPLE = (Default, Drop, FirstOf, Nest, Rename, RenameKeys, Derive)
