"""The callback by which long work reports its progress."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[int, int], None]
"""Called with the amount done and the total, in offsets, rows or bytes."""
