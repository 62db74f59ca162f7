"""What a lane does differently after something went wrong or slowly, how long it waits before it starts again, and how
a transaction ends that a producer has left open."""

from __future__ import annotations

import asyncio

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from upcasters.outcome import Stage
from worker.kafka.aiokafka_internals.consumer import is_expelled
from worker.kafka.codes import InvalidRecordError
from worker.kafka.login import LoginRefusedError
from worker.kafka.refusals import waits_for_somebody
from worker.kafka.throttling import ThrottledError
from worker.lanes.faults import (
    FENCED,
    TIMESTAMP_ERRORS,
    BlockedError,
    PoisonError,
    RefusedError,
    kind,
    pause_before_retry,
    refusal,
)
from worker.lanes.lane_context import LaneContext
from worker.lanes.processing import Processor
from worker.lanes.rate_limits import Quota
from worker.lanes.timeouts import Timeouts
from worker.lanes.transaction import Transaction
from worker.routes.route import Route

NARROWER = 8
"""How much smaller a transaction is after one that was refused or that took too long."""
IN_GOOD_TIME = 5.0
"""Seconds that a transaction may take under a quota, with the wait that it causes: of these there are many in the
timeouts of transactions, sessions and requests."""
FAR_TOO_SLOW = 20.0
MEAN_BYTES = 1000.0
"""Of a record, until some were sent."""


class Recovery:
    """How many records the next transaction takes, and how many failures there were in a row.

    Fewer after one that was refused, until the one record is found at which the broker takes offence; after one whose
    output the brokers did not take in time; and under a quota, where each transaction tells what goes through. Then
    more again with each that ends well. So a broker that was away costs a few small transactions when it is back, and
    no more: while it is away no lane gets as far as a transaction. It need not be told from a line that is too slow.
    """

    def __init__(self, route: Route, processor: Processor, timeouts: Timeouts, quota: Quota) -> None:
        self._route = route
        self._processor = processor
        self._timeouts = timeouts
        self._quota = quota
        self._cuts = quota.cuts
        self._failures = 0
        self._mean_bytes = MEAN_BYTES
        self._most = route.limits.transaction_records

    @property
    def max_records(self) -> int:
        if self._cuts != self._quota.cuts:
            self._cuts = self._quota.cuts
            self._shrink_to(self._quota.most_bytes / self._mean_bytes)
        return self._most

    def succeeded(self, transaction: Transaction, position: int) -> None:
        """A transaction up to ``position`` is committed."""
        self._failures = 0
        self._processor.forget_before(position)
        self._weigh(transaction)
        self._most = min(self._route.limits.transaction_records, self.max_records * 2)
        if slowed := transaction.slowed:
            fitting = max(1.0, transaction.work.outbox.bytes * IN_GOOD_TIME / slowed)
            self._shrink_to(self._quota.share(fitting) / self._mean_bytes)
            if slowed > FAR_TOO_SLOW:
                self._quota.cut(fitting)

    def pause_after(self, error: Exception, transaction: Transaction | None) -> float:
        """Learn from the error; seconds to wait. Raises ``BlockedError`` where another try would end the same."""
        if isinstance(error, PoisonError):
            self._processor.refusals[error.offset] = error.fault
            return 0.0
        if isinstance(error, RefusedError) and transaction:
            self._narrow_down(error, transaction)
            return 0.0
        if transaction and (transaction.slowed or _not_taken(error, transaction)):
            self._take_fewer(transaction)
        if isinstance(error, ThrottledError):
            # What was asked for longer than this has been forgotten: quotas look at some ten seconds.
            return min(error.seconds, self._timeouts.longest_pause)
        if isinstance(error, FENCED):
            return self._timeouts.fenced_pause
        if isinstance(error, LoginRefusedError) or waits_for_somebody(error):
            return self._timeouts.denied_pause
        self._failures += 1
        return pause_before_retry(self._failures - 1, self._timeouts.first_pause, self._timeouts.longest_pause)

    def _take_fewer(self, transaction: Transaction) -> None:
        """What was too much once is not tried a second time."""
        self._weigh(transaction)
        self._shrink_to(transaction.work.counters.consumed / NARROWER)
        if transaction.slowed:
            self._quota.cut(transaction.work.outbox.bytes / NARROWER)

    def _weigh(self, transaction: Transaction) -> None:
        if consumed := transaction.work.counters.consumed:
            self._mean_bytes = max(1.0, transaction.work.outbox.bytes / consumed)

    def _shrink_to(self, records: float) -> None:
        self._most = max(1, min(self._most, int(records)))

    def _narrow_down(self, error: RefusedError, transaction: Transaction) -> None:
        records, offset = transaction.work.counters.consumed, transaction.first_offset
        if records > 1:
            self._shrink_to(records / NARROWER)
        elif error.topic == self._route.destination.name:
            self._processor.refusals[offset] = refusal(error)
            if isinstance(error.cause, TIMESTAMP_ERRORS):
                self._processor.note_late(transaction.oldest)
            elif isinstance(error.cause, InvalidRecordError):
                self._processor.note_keyless()
        elif isinstance(error.cause, TIMESTAMP_ERRORS) and offset not in self._processor.restamped:
            self._processor.restamped.add(offset)
        else:
            raise BlockedError(
                f"{error.topic} refuses the dead letter of offset {offset} ({kind(error)}): correct the topic's "
                "settings, "
                "then resume the route or restart the worker"
            )


def stage_of(transaction: Transaction | None) -> Stage:
    """Where it went wrong; before the first transaction there was only fetching."""
    return transaction.stage if transaction else "fetch"


def _not_taken(error: Exception, transaction: Transaction) -> bool:
    """The brokers did not take its output in time. A commit takes as long for few records as for many."""
    return isinstance(error, TimeoutError) and transaction.stage == "produce"


log = structlog.get_logger(__name__)

LEFT_OPEN = "TransactionLeftOpen"


async def end_by_successor(around: LaneContext, route: Route, partition: TopicPartition) -> None:
    """Within the time of an abort; readers of committed records would otherwise wait until the brokers give it up.

    Whoever has the partition next does the same. So where he may be at work already, he is not fenced for it.
    """
    if is_expelled(around.consumer):
        return
    delivery = around.new_delivery(route, partition)
    try:
        async with asyncio.timeout(around.timeouts.abort):
            await delivery.start()
    except (KafkaError, TimeoutError, OSError) as error:
        names = {"topic": partition.topic, "partition": partition.partition}
        log.warning(
            "an open transaction could not be ended, the brokers abort it when it times out",
            **names,
            reason=kind(error),
        )
        around.metrics.error("commit", LEFT_OPEN)
    finally:
        await delivery.discard()
