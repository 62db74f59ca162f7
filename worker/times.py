"""Times as people and machines read them: ISO 8601 to the second, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(seconds: float) -> str:
    """Of Unix time. Raises ValueError, OverflowError or OSError for one that no calendar has."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def time_text(milliseconds: int) -> str:
    """Of a record's timestamp; ``-`` where there is none or no calendar has it."""
    try:
        return utc(milliseconds / 1000) if milliseconds >= 0 else "-"
    except (ValueError, OverflowError, OSError):
        return "-"
