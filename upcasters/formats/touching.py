"""Which parts of a document somebody looks at: a reader opens the containers on the way there and leaves the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from upcasters.paths import EACH, Path

_DEEPEST: Final = 16
"""Paths of more parts are opened ahead down to here; what lies deeper is opened when somebody comes to it."""


class Touched(dict[Any, "Touched"]):
    """The paths that somebody looks at, as a tree; ``EVERYTHING`` has every path."""

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Touched:
        """The tree of these paths. The last part of a path is looked at, but not opened."""
        top = cls()
        for path in paths:
            node = top
            for part in path[:_DEEPEST]:
                node = node.setdefault(part, cls())
        return top

    def inside(self, key: Any) -> Touched:
        """What is touched inside of a field, an item or a value."""
        own, each = self.get(key), self.get(EACH)
        if own is None or each is None:
            return own or each or NOTHING
        return own.joined(each)

    def joined(self, other: Touched) -> Touched:
        if self is EVERYTHING or other is EVERYTHING:
            return EVERYTHING
        made = Touched(self)
        for key, inside in other.items():
            made[key] = made[key].joined(inside) if key in made else inside
        return made

    @property
    def key(self) -> str:
        """The same for trees of the same paths."""
        return repr(sorted((repr(part), inside.key) for part, inside in self.items()))


class _Everything(Touched):
    def inside(self, key: Any) -> Touched:
        return self

    def __bool__(self) -> bool:
        return True

    @property
    def key(self) -> str:
        return "everything"


NOTHING: Final = Touched()
EVERYTHING: Final[Touched] = _Everything()
