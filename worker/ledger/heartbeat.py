"""Says in the ledger that a run is worked on, for work that has no loop of its own to say it from."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from worker.errors import WorkerError
from worker.ledger.port import Ledger
from worker.ledger.records import SILENT

BEAT_SECONDS = SILENT.total_seconds() / 6


@contextmanager
def reporting(ledger: Ledger, replay_id: str, every: float = BEAT_SECONDS) -> Iterator[None]:
    """Report the run at once and then ``every`` so many seconds while the block runs. Raises WorkerError at once where
    the ledger does not take it."""
    ledger.report(replay_id, datetime.now(UTC))
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(every):
            with suppress(WorkerError):  # a ledger that is locked for a moment; the next report tells the same
                ledger.report(replay_id, datetime.now(UTC))

    thread = threading.Thread(target=report, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
