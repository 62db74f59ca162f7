"""Paths into a document: keys from the top, with ``EACH`` for every item of an array or value of an object.

A string is split at its dots and ``*`` means ``EACH``; a tuple is taken as it is, so that keys with dots, empty
keys and a key named ``*`` are plain keys: ``("labels", "a.b", "")``. The empty path is the whole document.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterable
from typing import Self


class Each(enum.Enum):
    """Every item of an array, every value of an object."""

    EACH = "*"

    def __repr__(self) -> str:
        return "EACH"


EACH = Each.EACH
"""Every item of an array, every value of an object: `*` in a path that is written as one string."""


class Item(int):
    """One of those that ``EACH`` means, by its position from 0: an item of an array, or a value of an object."""


class Member(Item):
    """A value of an object, by its position; its ``key`` may be one that only the event knows."""

    key: str

    def __new__(cls, position: int, key: str) -> Self:
        made = super().__new__(cls, position)
        made.key = key
        return made


Segment = str | Each
Path = tuple[Segment, ...]
Place = tuple[Segment | Item, ...]
"""A path that may name one item of many: where a fault is."""
PathLike = str | Path

_SIMPLE = re.compile(r'[^."*\s\[\]][^."\s\[\]]*')
_QUOTED_OR_ITEM = re.compile(r'"(?:[^"\\]|\\.)*"|\[\d+\]')


def path(spec: PathLike) -> Path:
    """``"nodes.*.status"`` or ``("nodes", EACH, "status")`` as a path.

    Raises ValueError for an empty part in a string and for parts that are neither a string nor ``EACH``.
    """
    if isinstance(spec, tuple):
        if all(type(part) is str for part in spec):
            return spec  # detection asks for each event
        if not all(isinstance(part, (str, Each)) for part in spec):
            raise ValueError(f"a path's parts are strings or EACH, not {spec!r}")
        return tuple(part if isinstance(part, Each) else text_of(part) for part in spec)
    if not isinstance(spec, str):
        raise ValueError(f"a path is a string or a tuple, not {type(spec).__name__}")  # noqa: TRY004  # one error for all
    if spec == "":
        return ()
    parts = str.split(spec, ".")
    if "" in parts:
        raise ValueError(f"{spec!r} has an empty part; write an empty key as a tuple, such as ('a', '')")
    return tuple(EACH if part == "*" else part for part in parts)


def text_of(value: object) -> str:
    """A name or version as plain text: ``7`` is ``"7"``, and a member of an enumeration is its value."""
    if isinstance(value, str):
        return str.__str__(value)
    return int.__repr__(value) if isinstance(value, int) else str(value)


def show(spec: Iterable[Segment | Item]) -> str:
    """A path as people read it, such as ``items.*.price`` or ``items[3].price``; what could be misread is quoted."""
    return "".join(map(_show, spec)).removeprefix(".")


def _show(part: Segment | Item) -> str:
    """With the dot before it, which an item has not."""
    if isinstance(part, Each):
        return ".*"
    if isinstance(part, Item):
        return f"[{int(part)}]"
    return "." + (part if _SIMPLE.fullmatch(part) else json.dumps(part, ensure_ascii=False))


def of_any_item(place: Place) -> Path:
    """The path of all such places: ``EACH`` for each item."""
    return tuple(EACH if isinstance(part, Item) else part for part in place)


def shown_of_any_item(text: str) -> str:
    """The same for a path that is text already: ``items[3].price`` is ``items.*.price``."""

    def star(found: re.Match[str]) -> str:
        if found[0][0] == '"':
            return found[0]
        return "*" if found.start() == 0 else ".*"

    return _QUOTED_OR_ITEM.sub(star, text) if "[" in text else text


def overlap(one: Path, other: Path) -> bool:
    """True where one path lies on, above or below the other."""
    return all(a == b or a is EACH or b is EACH for a, b in zip(one, other, strict=False))
