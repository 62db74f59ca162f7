"""How work that takes a while says how far it is."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[int, int], None]
"""Told how much is done and how much there is in all: offsets, rows or bytes."""
