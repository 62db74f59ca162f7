"""Three documents of one version are merged: what a newer document became, and the older one that is at hand."""

from __future__ import annotations

from itertools import takewhile

from upcasters.document import JsonNode, Object, json_type, open_array, open_object, same


def merged(made: Object, base: Object, older: Object) -> Object:
    """The older document with what has changed since.

    ``made`` is the newer document brought down; ``base`` is what the older one is after the way up and down. Where both
    have the same, the older document's value is what it came from; what ``base`` lacks was thrown away on the way.
    """
    for key, had in older.items():
        if key in made and key in base:
            made[key] = _merged(made[key], base[key], had)
        elif key not in made and key not in base:
            made[key] = had
    return made


def _merged(made: JsonNode, base: JsonNode, older: JsonNode) -> JsonNode:
    if same(made, base):
        return older
    kinds = {json_type(made), json_type(base), json_type(older)}
    if kinds == {"object"}:
        return merged(open_object(made), open_object(base), open_object(older))
    if kinds == {"array"}:
        return _items(open_array(made), open_array(base), open_array(older))
    return made


def _items(made: list[JsonNode], base: list[JsonNode], older: list[JsonNode]) -> list[JsonNode]:
    """The items at the start and the end that are as they were; from which ones the others came is not known."""
    if len(base) != len(older):
        return made
    first = _alike(made, base)
    last = _alike(made[first:][::-1], base[first:][::-1])
    return [*older[:first], *made[first : len(made) - last], *older[len(older) - last :]]


def _alike(one: list[JsonNode], other: list[JsonNode]) -> int:
    return sum(1 for _ in takewhile(lambda pair: same(*pair), zip(one, other, strict=False)))
