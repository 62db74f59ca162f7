"""How a lane recovers: smaller transactions and pauses after errors and slow ones, and the end of a transaction that a
discarded producer left open."""

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
"""The factor by which transactions shrink after one was refused or took too long."""
IN_GOOD_TIME = 5.0
"""Seconds that a transaction may take under a quota, with the wait that it causes: a small part of the timeouts of
transactions, sessions and requests."""
FAR_TOO_SLOW = 20.0
"""Seconds after which the other lanes under the same quota shrink their transactions, too."""
MEAN_BYTES = 1000.0
"""Bytes of a record, until some were sent."""


class Recovery:
    """Decides how many records the next transaction takes, and how long the lane pauses after a failure.

    Transactions shrink after one that the brokers refused, until the refused record is alone; after one whose output
    the brokers did not acknowledge in time; and under a quota, to what it lets through. They grow with each success. A
    broker outage therefore costs a few small transactions afterwards, and needs no distinction from a slow line: during
    the outage no lane begins a transaction.
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
        """Note a committed transaction up to ``position``."""
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
        """Note a failure; returns the seconds to wait. Raises ``BlockedError`` where another attempt would fail the
        same way."""
        if isinstance(error, PoisonError):
            self._processor.refusals[error.offset] = error.fault
            return 0.0
        if isinstance(error, RefusedError) and transaction:
            self._narrow_down(error, transaction)
            return 0.0
        if transaction and (transaction.slowed or _not_taken(error, transaction)):
            self._take_fewer(transaction)
        if isinstance(error, ThrottledError):
            # A longer wait is pointless: quotas are measured over some ten seconds.
            return min(error.seconds, self._timeouts.longest_pause)
        if isinstance(error, FENCED):
            return self._timeouts.fenced_pause
        if isinstance(error, LoginRefusedError) or waits_for_somebody(error):
            return self._timeouts.denied_pause
        self._failures += 1
        return pause_before_retry(self._failures - 1, self._timeouts.first_pause, self._timeouts.longest_pause)

    def _take_fewer(self, transaction: Transaction) -> None:
        """Shrink transactions after one that took too long."""
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
                "settings, then resume the route or restart the worker"
            )


def stage_of(transaction: Transaction | None) -> Stage:
    """The stage of a failure; without a transaction it is fetch."""
    return transaction.stage if transaction else "fetch"


def _not_taken(error: Exception, transaction: Transaction) -> bool:
    """Whether the brokers did not acknowledge the output in time. The time of a commit does not depend on the number of
    records."""
    return isinstance(error, TimeoutError) and transaction.stage == "produce"


log = structlog.get_logger(__name__)

LEFT_OPEN = "TransactionLeftOpen"


async def end_by_successor(context: LaneContext, route: Route, partition: TopicPartition) -> None:
    """End the open transaction of a discarded producer by starting its successor, within the timeout of an abort.
    Otherwise readers of committed records would wait until the transaction times out.

    The partition's next owner does the same when it starts. So nothing is done where it may have started: it would be
    fenced.
    """
    if is_expelled(context.consumer):
        return
    delivery = context.new_delivery(route, partition)
    try:
        async with asyncio.timeout(context.timeouts.abort):
            await delivery.start()
    except (KafkaError, TimeoutError, OSError) as error:
        names = {"topic": partition.topic, "partition": partition.partition}
        log.warning(
            "an open transaction could not be ended, the brokers abort it when it times out",
            **names,
            reason=kind(error),
        )
        context.metrics.error("commit", LEFT_OPEN)
    finally:
        await delivery.discard()
