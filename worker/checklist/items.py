"""The lines of the migration guide: 10.1, the pre-migration checklist, and 7.2, the validation checklist."""

from __future__ import annotations

from typing import NamedTuple

BEFORE = "Pre-migration checklist"
AFTER = "Validation checklist"


class Item(NamedTuple):
    """``name`` is how commands and machines call it; ``text`` is the guide's own."""

    name: str
    group: str
    text: str


ITEMS = (
    Item("release-notes", BEFORE, "Review release notes"),
    Item("backup", BEFORE, "Backup entire system"),
    Item("staging", BEFORE, "Test in staging environment"),
    Item("matrix", BEFORE, "Verify compatibility matrix"),
    Item("database", AFTER, "Database schema migrated successfully"),
    Item("data", AFTER, "All existing data preserved"),
    Item("configuration", AFTER, "Configuration settings compatible"),
    Item("api", AFTER, "API endpoints functional"),
    Item("events", AFTER, "Event processing uninterrupted"),
    Item("performance", AFTER, "Performance metrics within acceptable range"),
)
NAMES = tuple(item.name for item in ITEMS)
