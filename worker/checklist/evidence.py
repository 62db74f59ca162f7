"""The lines of the migration guide's checklists, the evidence that checks give for them, and the facts that checks
use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from worker.kafka.clients import KafkaClients
from worker.ledger import Ledger
from worker.routes.chains import RouteChain
from worker.settings import Settings

BEFORE = "Pre-migration checklist"
AFTER = "Validation checklist"


class Item(NamedTuple):
    """A line of the guide. ``name`` identifies it in commands and JSON; ``text`` is the guide's own."""

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


EvidenceStatus = Literal["pass", "fail", "not checked", "attested"]


@dataclass(frozen=True)
class Evidence:
    """``text`` says what was found, or what to do so that it can be checked. ``attested``: an operator's statement
    alone."""

    status: EvidenceStatus
    text: str


@dataclass(frozen=True)
class Facts:
    """``worker`` is the address (host:port) of the worker that runs, ``staging`` the receipt of a replay elsewhere.

    ``alembic`` is the configuration of a database's migrations, ``backup`` the file that `upcast db backup` wrote.
    """

    settings: Settings
    chains: Mapping[str, RouteChain]
    clients: KafkaClients
    ledger: Ledger
    worker: str
    staging: str | None = None
    alembic: str | None = None
    backup: str | None = None
    attested: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ChecklistLine:
    """A line of the guide's lists with what was found about it."""

    item: Item
    status: EvidenceStatus
    evidence: tuple[str, ...]


Check = Callable[[Facts], Awaitable[list[Evidence]]]
"""Yields the evidence for one line; none where the line does not concern the check. May raise WorkerError where it
cannot be found out."""


def passed(text: str) -> Evidence:
    return Evidence("pass", text)


def failed(text: str) -> Evidence:
    return Evidence("fail", text)


def unknown(text: str) -> Evidence:
    return Evidence("not checked", text)
