"""What commands say on stderr, without what they only say on a slow machine."""

from __future__ import annotations

import re

WAITING = re.compile(r"^.*waiting for the brokers to answer( …)?\n", re.MULTILINE)


def without_waiting(errors: str) -> str:
    """Without the lines that say what a command waits for; they come when that takes longer than two seconds."""
    return WAITING.sub("", errors)
