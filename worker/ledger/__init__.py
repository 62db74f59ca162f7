"""The ledger: a small database of bounded passes, how far they are, their receipts and their dead letters.

Synchronous: call it through ``asyncio.to_thread``. ``port`` says what it can do, ``sql`` does it in a database,
``memory`` where there is none, and for tests; one contract suite holds both.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from worker.ledger.memory import MemoryLedger
from worker.ledger.port import Ledger
from worker.ledger.records import AllowedOverlap, DeadLetterSummary, PartitionProgress, Proof, Run, RunState

if TYPE_CHECKING:
    from worker.ledger.sql import SqlLedger
    from worker.settings import Settings

__all__ = [
    "AllowedOverlap",
    "DeadLetterSummary",
    "Ledger",
    "MemoryLedger",
    "PartitionProgress",
    "Proof",
    "Run",
    "RunState",
    "open_existing_ledger",
    "open_ledger",
]


def open_ledger(url: str) -> SqlLedger:
    """As ``opening`` says. The database's libraries are loaded only now: a worker that has no ledger needs none."""
    from worker.ledger import opening

    return opening.open_ledger(url)


def open_existing_ledger(settings: Settings) -> Ledger | None:
    """The ledger, or None where it does not exist; no file is created. Raises WorkerError."""
    url = settings.ledger.url.get_secret_value()
    file = url.removeprefix("sqlite:///")
    if file != url and not file.startswith("file:") and not Path(file).exists():
        return None
    return open_ledger(url)
