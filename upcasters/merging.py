"""Three documents of one version are merged: what a newer document became, and the older one that is at hand."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from upcasters.document import JsonNode, Object, compared, json_type, open_array, open_object, read, same, scalar_key
from upcasters.paths import Path
from upcasters.traversal import MISSING, find, parent_of

UpAndDown = Callable[[Object], Object | None]
"""What an older document is after the way up and down; None where it does not go that way."""


@dataclass(frozen=True)
class Merge:
    """Merges into one older document; ``up_and_down`` tells which items of its lists became which."""

    older: bytes
    up_and_down: UpAndDown

    def merged(self, made: Object, base: Object) -> Object:
        """The older document with what has changed since.

        ``made`` is the newer document brought down; ``base`` is what the older one is after the way up and down. Where
        both have the same, the older document's value is what it came from; what ``base`` lacks was thrown away on the
        way.
        """
        return self._objects((), made, base, read(self.older))

    def _objects(self, path: Path, made: Object, base: Object, older: Object) -> Object:
        for key, had in older.items():
            if key in made and key in base:
                made[key] = self._nodes((*path, key), made[key], base[key], had)
            elif key not in made and key not in base:
                made[key] = had
        return made

    def _nodes(self, path: Path, made: JsonNode, base: JsonNode, older: JsonNode) -> JsonNode:
        if same(made, base):
            return older
        kinds = {json_type(made), json_type(base), json_type(older)}
        if kinds == {"object"}:
            return self._objects(path, open_object(made), open_object(base), open_object(older))
        if kinds == {"array"}:
            return self._items(path, open_array(made), open_array(base), open_array(older))
        return made

    def _items(self, path: Path, made: list[JsonNode], base: list[JsonNode], older: list[JsonNode]) -> list[JsonNode]:
        """The items that are as they were, wherever they stand; from which ones the others came is not known.

        Of items that became alike each has its older one where there are as many of them as there were.
        """
        if len(base) != len(older) or not (all(map(same, base, older)) or self._each_became(path, base, older)):
            return made
        before: dict[Any, list[JsonNode]] = defaultdict(list)
        for is_now, was in zip(base, older, strict=True):
            before[_key(is_now)].append(was)
        now = list(map(_key, made))
        alike = Counter(now)
        left = {key: iter(items) for key, items in before.items() if alike[key] == len(items)}
        return [next(left[key]) if key in left else item for key, item in zip(now, made, strict=True)]

    def _each_became(self, path: Path, base: Sequence[JsonNode], older: Sequence[JsonNode]) -> bool:
        """True where each item of ``base`` is what the one at its place in ``older`` became: a step may sort them.

        Halves of the list are brought up and down such that each item is in another choice of them than all others.
        """
        for half in _halves(len(older)):
            root = read(self.older)
            parent_of(root, path, create=False)[path[-1]] = [older[place] for place in half]
            again = self.up_and_down(root)
            became = MISSING if again is None else find(again, path)
            if became is MISSING or not same(became, [base[place] for place in half]):
                return False
        return True


def _halves(length: int) -> Iterator[list[int]]:
    for bit in range((length - 1).bit_length()):
        for wanted in (0, 1):
            yield [place for place in range(length) if place >> bit & 1 == wanted]


def _key(node: JsonNode) -> Any:
    return scalar_key(compared(node))
