"""Keys that stand twice in an object: found where an object is opened, at next to no cost where there are none.

An object that is opened and written again has each key once, so that the other value would vanish. Whether there was
one shows in the length: what is written again is as long as it was, unless it had white space, escapes, or a key twice.
Where it is shorter, its quotes are counted; only where there are fewer of them does a slow reader look at each key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from upcasters.errors import DecodeError, TooDeep

_CHOICE: ContextVar[str] = ContextVar("duplicate_keys", default="refuse-opened")


@contextmanager
def duplicate_keys(choice: str) -> Iterator[None]:
    """What becomes of keys that stand twice, for the events that are worked on inside of this block."""
    token = _CHOICE.set(choice)
    try:
        yield
    finally:
        _CHOICE.reset(token)


def refuse_lost(text: bytes, again: bytes) -> None:
    """Raise DecodeError where an object that was opened had a key twice, unless the last one is to win.

    ``text`` is the object as it came, ``again`` what is written of it once it is opened.
    """
    if _CHOICE.get() != "last-wins" and may_lack_keys(text, again) and _has_twice(text):
        refuse_twice()


def refuse_lost_inside(text: bytes, again: bytes) -> None:
    """The same for a value that was read as a whole: none of its objects, at any depth, may have a key twice."""
    if _CHOICE.get() != "last-wins" and may_lack_keys(text, again):
        refuse_anywhere(text)


def refuse_twice() -> None:
    """Raise DecodeError for a key that stands twice, unless the last one is to win."""
    if _CHOICE.get() != "last-wins":
        raise DecodeError("an object has the same key twice")


def may_lack_keys(text: bytes, again: bytes, added: int = 0) -> bool:
    """False where what is written again has all keys, and lacks no more than white space and escapes.

    So many quotes were ``added`` on purpose. A key that is gone took its quotes with it. A quote inside of a key is one
    quote on both sides, unless it came as a number.
    """
    one, other = (text, again) if len(text) < _LARGE else _differing(text, again)
    if one.count(b'"') + added != other.count(b'"'):
        return True
    return b"\\" in text and b"u0022" in text


_LARGE = 2_048
_FEW = 256
_WINDOW = 48


def _differing(text: bytes, again: bytes) -> tuple[bytes, bytes]:
    """Both without the part around the middle that is the same: mostly values that nobody has opened, of which the
    quotes need not be counted. It is not by much in another place."""
    middle, near = len(text) // 2, abs(len(text) - len(again)) + _WINDOW
    found = again.find(text[middle : middle + _WINDOW], max(0, middle - near), middle + near + _WINDOW)
    if found < 0:
        return text, again
    end, most = 0, min(len(text) - middle, len(again) - found)
    step = most
    while step > _FEW and end < most:
        if text.startswith(again[found + end : found + end + step], middle + end):
            end += step
        step //= 2
    start, most = 0, min(middle, found)
    step = most
    while step > _FEW and start < most:
        if text.startswith(again[found - start - step : found - start], middle - start - step):
            start += step
        step //= 2
    return text[: middle - start] + text[middle + end :], again[: found - start] + again[found + end :]


def _has_twice(text: bytes) -> bool:
    """True where the object itself has a key twice; those inside of it have their own turn."""
    last: list[list[tuple[str, Any]]] = []

    def pairs(items: list[tuple[str, Any]]) -> None:
        last[:] = [items]

    _read(text, pairs)
    (items,) = last
    return len({key for key, _ in items}) != len(items)


def refuse_anywhere(text: bytes) -> None:
    """Raise DecodeError where an object anywhere in the JSON text has a key twice."""

    def pairs(items: list[tuple[str, Any]]) -> None:
        if len({key for key, _ in items}) != len(items):
            raise DecodeError("an object has the same key twice")

    _read(text, pairs)


def refuse_in_text(text: bytes) -> None:
    """The same for JSON text inside of an event, where the choice is to refuse them everywhere."""
    if _CHOICE.get() == "refuse":
        refuse_anywhere(text)


def _read(text: bytes, pairs: Any) -> None:
    try:
        json.loads(text, object_pairs_hook=pairs, parse_int=str, parse_float=str)
    except RecursionError:
        raise TooDeep("the value", "decode") from None
