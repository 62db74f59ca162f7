"""How deep a document may be nested: one fixed number for every reader and writer, whoever calls them.

What reads and writes JSON here recurses, and how far it gets is up to the frames of its caller and to the version of
Python. So the bytes are looked at before they are read, and after they are written.
"""

from __future__ import annotations

import re

MOST_LEVELS = 400
"""Containers in each other, the document itself among them. Python 3.11 recurses a thousand times at most: this leaves
six hundred to whoever calls."""

MOST_ADDED = 40
"""A way that is known to add no more levels than that needs no look at what it writes: see ``SHALLOW``."""

SHALLOW = MOST_LEVELS - MOST_ADDED
"""So deep is what the fast path takes; the few documents that are deeper are the reference's."""

MOSTLY = 0.9
_OPENING = ord("[")
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NOT_TOLD = bytes(set(range(256)) - set(b'[]{}"\\'))
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


def is_too_deep(text: bytes, levels: int = MOST_LEVELS) -> bool:
    """True where JSON text is nested deeper than so many levels; of what is no JSON that may be said or not."""
    # A level takes two bytes.
    if len(text) <= 2 * levels:
        return False
    # Are no more containers opened than that, of which a third are arrays? The first ones of a kind are written over,
    # and one that is left is looked for. That is done with memchr and so takes half of the time that counting takes.
    arrays = levels // 3
    if text.replace(b"{", b"}", levels - arrays).find(b"{") < 0 and text.replace(b"[", b"]", arrays).find(b"[") < 0:
        return False
    brackets = text.translate(_BRACKETS, _NOT_TOLD)
    if b"\\" in brackets:
        brackets = _STRING.sub(b"", text).translate(_BRACKETS, _NOT_TOLD)
    return _is_deeper(b"".join(brackets.split(b'"')[::2]), levels)


def _is_deeper(brackets: bytes, levels: int) -> bool:
    """Whether brackets, and nothing else, are nested deeper than that."""
    while brackets and levels:
        # All innermost containers go at once, so that each pass takes one level away.
        inside = brackets.replace(b"[]", b"")
        if len(inside) > MOSTLY * len(brackets):
            return _climbs_over(brackets, levels)
        brackets, levels = inside, levels - 1
    return b"[]" in brackets


def _climbs_over(brackets: bytes, levels: int) -> bool:
    """The same one by one, for what is deep rather than wide: it soon ends."""
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket == _OPENING else -1
        if depth > levels:
            return True
    return False
