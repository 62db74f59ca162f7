"""How deep a document may be nested: one fixed number for every reader and writer, whoever calls them.

What reads and writes JSON here recurses, and how far it gets is up to the frames of its caller and to the version of
Python. So the bytes are looked at before they are read, and after they are written.
"""

from __future__ import annotations

import re

MOST_LEVELS = 400
"""Containers in each other, the document itself among them. Python 3.11 recurses a thousand times at most: this leaves
six hundred to whoever calls."""

FEW_BYTES = 2 * MOST_LEVELS
"""They hold no more levels than that: each takes two."""

_NOT_OPENING = bytes(set(range(256)) - set(b"[{"))
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NOT_TOLD = bytes(set(range(256)) - set(b'[]{}"\\'))
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def is_too_deep(text: bytes) -> bool:
    """True where JSON text is nested deeper than ``MOST_LEVELS``; of what is no JSON that may be said or not."""
    if len(text) <= FEW_BYTES or len(text.translate(None, _NOT_OPENING)) <= MOST_LEVELS:
        return False
    brackets = text.translate(_BRACKETS, _NOT_TOLD)
    if b"\\" in brackets:
        brackets = _STRING.sub(b"", text).translate(_BRACKETS, _NOT_TOLD)
    outside = b"".join(brackets.split(b'"')[::2])
    for _ in range(MOST_LEVELS):
        # All innermost containers go at once, so that each pass takes one level away.
        outside = outside.replace(b"[]", b"")
        if not outside:
            return False
    return b"[]" in outside
