"""Workers that are broken on purpose, as processes: the suite has to catch each of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from worker.lanes import outbox
from worker.lanes.lane import Lane
from worker.lanes.output_guard import OutputGuard
from worker.lanes.transaction import Transaction


def command(mutation: str) -> tuple[str, ...]:
    """What starts such a worker, in place of `upcast`."""
    return (sys.executable, "-c", f"from tests.faults.mutants import main; main({mutation!r})")


def main(mutation: str) -> None:
    MUTATIONS[mutation]()
    from worker.cli import main as upcast

    upcast()


def commit_before_produce() -> None:
    """The offsets first, and the output in a transaction behind it; and nothing that would notice at the next start."""

    async def run(self: Transaction, max_records: int, max_seconds: float) -> None:
        await self._delivery.begin()
        await self._fill(max_records, time.monotonic() + max_seconds)
        await self._commit()
        await self._delivery.begin()
        await self._send_all()
        await self._delivery.producer.commit_transaction()

    async def check(self: OutputGuard, *_beginning: object, **_options: object) -> None:
        """Whatever the output holds."""

    Transaction.run = run  # type: ignore[method-assign]  # the product is broken on purpose
    OutputGuard.check = check  # type: ignore[method-assign]  # the product is broken on purpose


def ignore_failed_batches() -> None:
    def ignore(failed: list[tuple[str, BaseException]]) -> None:
        """Whatever has failed."""

    outbox._raise_first = ignore


def skip_the_seek() -> None:
    """A lane that starts again goes on where the consumer happens to be."""
    seek_and_open = Lane._begin_reading
    begun: set[int] = set()

    def begin_reading(self: Lane, offset: int) -> None:
        if id(self) not in begun:
            begun.add(id(self))
            seek_and_open(self, offset)
            return
        assignment = self._context.consumer._subscription.subscription.assignment
        self._fetch_buffer.open_at(assignment.state_value(self.partition).position)

    Lane._begin_reading = begin_reading  # type: ignore[method-assign]  # the product is broken on purpose


MUTATIONS: dict[str, Callable[[], None]] = {
    "commit before produce": commit_before_produce,
    "ignore failed batches": ignore_failed_batches,
    "skip the seek": skip_the_seek,
}
