"""How the API says that something of it is deprecated: `Deprecation` (RFC 9745) and `Sunset` (RFC 8594)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from types import MappingProxyType

from worker.deprecation import Deprecation


def notice_headers(entry: Deprecation) -> Mapping[str, str]:
    noticed, sunset = _midnight(entry.noticed), _midnight(entry.sunset)
    return MappingProxyType(
        {"deprecation": f"@{int(noticed.timestamp())}", "sunset": format_datetime(sunset, usegmt=True)}
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
