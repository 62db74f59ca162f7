"""Numbers of things, as people say them."""

from __future__ import annotations


def counted(many: int, what: str) -> str:
    """``1 step``, ``1,200 steps``."""
    return f"{many:,} {what}{'' if many == 1 else 's'}"
