"""The leaves of a JSON document, what else could stand in their place, and what a place is called in a report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from upcasters.paths import EACH, Segment, show
from upcasters.validation.declared import Declared

LeafPath = tuple[str | int, ...]
Scalar = str | int | float | bool

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def leaves(node: Any, at: LeafPath = ()) -> Iterator[tuple[LeafPath, Scalar]]:
    """Every scalar with its place. Nulls and empty containers hold nothing that could be lost."""
    if isinstance(node, dict):
        for key, child in node.items():
            yield from leaves(child, (*at, key))
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from leaves(child, (*at, index))
    elif node is not None:
        yield at, node


def replace_leaf(root: Any, at: LeafPath, value: Any) -> Any:
    """Put a value in the place of a leaf; returns what stood there."""
    for key in at[:-1]:
        root = root[key]
    before, root[at[-1]] = root[at[-1]], value
    return before


def other_values(value: Scalar) -> Iterator[Scalar]:
    """Values of the same type, likely ones first."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, str):
        yield from _other_texts(value)
    elif isinstance(value, int):
        yield from (value + 1, value - 1, 0 if value else 7)
    else:
        yield from (value + 1.0, value / 2 + 1)


def _other_texts(text: str) -> Iterator[str]:
    """Of the same form, so that what reads a date or a number still can: one digit or letter is another one."""
    for index in (len(text) - 1, len(text) // 2, 0):
        if 0 <= index < len(text) and text[index] in _NEXT:
            yield text[:index] + _NEXT[text[index]] + text[index + 1 :]
    yield text + "x"
    yield "x"


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NEXT = {
    **dict(zip(_LETTERS, _LETTERS[1:] + "a", strict=True)),
    **dict(zip(_LETTERS.upper(), _LETTERS[1:].upper() + "A", strict=True)),
    **dict(zip("0123456789", "1234567890", strict=True)),
}


class Naming:
    """Names places as the version's model does: indexes, and keys that only an event knows, are ``*``.

    A field that the model does not declare is named, and nothing inside it is; without a model all keys are named
    that look like names.
    """

    def __init__(self, model: type[BaseModel] | None) -> None:
        self._declared = Declared(model) if model else None

    def name(self, at: LeafPath) -> str:
        if self._declared is None:
            return show(map(_plain, at))
        known = self._declared.path(at)
        beyond = () if len(known) == len(at) else (_plain(at[len(known)]),)
        return show((*known, *beyond))


def _plain(key: str | int) -> Segment:
    return key if isinstance(key, str) and _NAME.fullmatch(key) else EACH
