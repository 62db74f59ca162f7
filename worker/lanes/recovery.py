"""What a lane does differently after something went wrong, and how long it waits before it starts again."""

from __future__ import annotations

from upcasters.outcome import Stage
from worker.lanes.faults import (
    DENIED,
    FENCED,
    TIMESTAMP_ERRORS,
    BlockedError,
    PoisonError,
    RefusedError,
    kind,
    pause_before_retry,
    refusal,
)
from worker.lanes.processing import Processor
from worker.lanes.timing import Timing
from worker.lanes.transaction import Transaction
from worker.routes.route import Route

NARROWER = 8
"""How much smaller each transaction is on the way to the one record that a broker refuses."""


class Recovery:
    """Finds the one record that is refused by making transactions smaller, and remembers failures in a row."""

    def __init__(self, route: Route, processor: Processor, timing: Timing) -> None:
        self._route = route
        self._processor = processor
        self._timing = timing
        self._failures = 0
        self.max_records = route.limits.transaction_records

    def succeeded(self, position: int) -> None:
        """A transaction up to ``position`` is committed."""
        self._failures = 0
        self._processor.forget_before(position)
        self.max_records = min(self._route.limits.transaction_records, self.max_records * 2)

    def pause_after(self, error: Exception, transaction: Transaction | None) -> float:
        """Learn from the error; seconds to wait. Raises ``BlockedError`` where another try would end the same."""
        if isinstance(error, PoisonError):
            self._processor.refusals[error.offset] = error.fault
            return 0.0
        if isinstance(error, RefusedError) and transaction:
            self._narrow_down(error, transaction)
            return 0.0
        if isinstance(error, FENCED):
            return self._timing.fenced_pause
        if isinstance(error, DENIED):
            return self._timing.denied_pause
        self._failures += 1
        return pause_before_retry(self._failures - 1, self._timing.first_pause, self._timing.longest_pause)

    def _narrow_down(self, error: RefusedError, transaction: Transaction) -> None:
        records, offset = transaction.work.tally.consumed, transaction.first_offset
        if records > 1:
            self.max_records = max(1, records // NARROWER)
        elif error.topic == self._route.destination.name:
            self._processor.refusals[offset] = refusal(error)
            if isinstance(error.cause, TIMESTAMP_ERRORS):
                self._processor.note_late(transaction.oldest)
        elif isinstance(error.cause, TIMESTAMP_ERRORS) and offset not in self._processor.restamped:
            self._processor.restamped.add(offset)
        else:
            raise BlockedError(
                f"{error.topic} refuses the dead letter of offset {offset} ({kind(error)}): correct the topic, then "
                "resume the route or restart the worker"
            )


def stage_of(transaction: Transaction | None) -> Stage:
    """Where it went wrong; before the first transaction there was only fetching."""
    return transaction.stage if transaction else "fetch"
