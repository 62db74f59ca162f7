"""How long tests wait before they take something for a hang: never a bound on how quick it is.

pytest's own ``timeout`` in pyproject.toml is longer, so that a test says itself what it has waited for.
"""

from __future__ import annotations

HANG = 600.0
"""Seconds: ten times what anything takes on a machine that has little else to do."""
