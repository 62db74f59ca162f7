"""Regular expressions of steps and detection rules, in which ``$`` is the end of the text and nothing else.

Python's own ``$`` also holds before a line break at the end, so that a text with one more character than was asked for
would pass, and an answer that was read out of it could not be written again. In JSON Schema, too, it is the end.
"""

from __future__ import annotations

import re
from functools import lru_cache

# An escape, a set of characters, a comment; else the end.
_TOKENS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?#[^)]*\)|\$", re.DOTALL)
_BY_LINES = re.compile(r"\(\?[aiLsux]*m")


@lru_cache(maxsize=1_024)
def compiled(pattern: str) -> re.Pattern[str]:
    """The expression; with ``(?m)`` a ``$`` ends each line. Raises re.error, and TypeError for what is no text."""
    found = re.compile(pattern)
    if found.flags & re.MULTILINE or _BY_LINES.search(pattern):
        return found
    return re.compile(_TOKENS.sub(lambda token: r"\Z" if token[0] == "$" else token[0], pattern))
