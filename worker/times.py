"""Times as text: ISO 8601 to the second, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(seconds: float) -> str:
    """Unix time as text. Raises ValueError, OverflowError or OSError where it is out of range."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def time_text(milliseconds: int) -> str:
    """A record's timestamp (ms) as text; ``-`` where there is none or it is out of range."""
    try:
        return utc(milliseconds / 1000) if milliseconds >= 0 else "-"
    except (ValueError, OverflowError, OSError):
        return "-"
