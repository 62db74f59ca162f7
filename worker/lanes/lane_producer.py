"""The producer of a lane: from its start, which fences the last owner and tells where to begin, to its end.

The order that makes it exact is kept by ``start``: the producer starts (which fences the partition's last owner and
settles what he left open), only then the committed offset is read.
"""

from __future__ import annotations

import asyncio

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from worker.kafka.aiokafka_internals.produce_patches import last_refusal
from worker.kafka.aiokafka_internals.producer import missing, partitions_now
from worker.kafka.codes import UnstableOffsetCommitError
from worker.kafka.throttling import PRODUCE, TRANSACTION
from worker.lanes.bounded_pass import StartingPoint
from worker.lanes.committed_offset import OffsetNote
from worker.lanes.delivery import Delivery
from worker.lanes.faults import BlockedError, FewerPartitionsError, HeldOffsetError, MissingTopicError
from worker.lanes.lane_context import LaneContext
from worker.lanes.recovery import end_by_successor
from worker.lanes.truncation import Questions
from worker.routes.route import Route
from worker.times import utc


class LaneProducer:
    """One at a time: a new one is started where the last one was stopped or thrown away."""

    _delivery: Delivery | None = None
    _left_open = False
    """Whether one that was thrown away may have left a transaction open at the brokers."""

    def __init__(self, partition: TopicPartition, lane_context: LaneContext) -> None:
        self._partition = partition
        self._around = lane_context
        self._questions = Questions(partition, lane_context)

    @property
    def delivery(self) -> Delivery:
        """Of the one that has started and was not stopped or thrown away since."""
        assert self._delivery is not None  # noqa: S101  (the lane does not ask before or behind that)
        return self._delivery

    @property
    def throttled_until(self) -> float:
        """For so long the brokers have asked this lane to wait."""
        told = self._delivery.throttling if self._delivery else None
        return max(told.until(PRODUCE), told.until(TRANSACTION)) if told else 0.0

    @property
    def last_refusal(self) -> KafkaError | None:
        """For what it sends a batch again, where it does so now."""
        return last_refusal(self._delivery.producer) if self._delivery else None

    async def start(self, route: Route) -> StartingPoint:
        """Where the lane begins. Raises BlockedError, KafkaError, TimeoutError, and in a bounded pass WorkerError."""
        self._delivery = delivery = self._around.new_delivery(route, self._partition)
        async with asyncio.timeout(self._around.timeouts.start):
            await delivery.start()
            self._left_open = False
            await self._find_topics(delivery, route)
            beginning = await self._begin(delivery, route)
            if beginning.announcement:
                await delivery.begin()
                await delivery.commit(beginning.offset, beginning.announcement)
            return await self._questions.settle(delivery, route, beginning)

    async def commit_note(self, position: int, note: OffsetNote) -> None:
        """Write beside the offset alone, in a transaction of its own."""
        await self.delivery.begin()
        await self.delivery.commit(position, note.text)

    async def stop(self) -> None:
        if self._delivery:
            await self._delivery.stop()
            self._delivery = None

    async def discard(self) -> None:
        """Throw it away; the transaction that is open, if one is, stays so."""
        if self._delivery:
            delivery, self._delivery = self._delivery, None
            self._left_open |= delivery.left_open
            await delivery.discard()

    def fenced(self) -> None:
        """Whoever did it has ended what we had left."""
        self._left_open = False

    async def end_what_is_open(self, route: Route) -> None:
        """Where nobody is about to start the next one."""
        if self._left_open:
            self._left_open = False
            await end_by_successor(self._around, route, self._partition)

    async def _find_topics(self, delivery: Delivery, route: Route) -> None:
        if gone := await missing(delivery.producer, (route.destination.name, route.dead_letter.name)):
            self._questions.gone.add(gone)
            raise MissingTopicError(gone)
        topic, partition = self._partition
        for output in (route.destination, route.dead_letter):
            now = partitions_now(delivery.producer, output.name)
            if now <= output.partition_for(partition):
                raise FewerPartitionsError(output.name, output.partitions, now)
        if partition >= route.destination.partitions and not self._around.bounds:
            raise BlockedError(
                f"{topic} has more partitions than {route.destination.name} had when the worker started "
                f"({route.destination.partitions}): give both as many, then restart the worker"
            )

    async def _begin(self, delivery: Delivery, route: Route) -> StartingPoint:
        """Where to begin, in the end."""
        since = self._around.clock()
        try:
            return await self._settled_beginning(delivery, route)
        except UnstableOffsetCommitError as error:
            raise HeldOffsetError(utc(since)) from error

    async def _settled_beginning(self, delivery: Delivery, route: Route) -> StartingPoint:
        """An offset that stays on its way may be a late one of this lane, which its next transaction clears (Kafka up
        to 3.6.2), or the coordinator needs longer, or it is somebody else's.

        From Kafka 4.0 on it is never a late one. There a coordinator that has only half of its log in memory may take
        an offset that is committed for one on its way; a transaction that is aborted would have it drop that one.
        """
        try:
            return await self._around.begin(self._partition)
        except UnstableOffsetCommitError:
            if not self._around.applies_late(route):
                raise
        await delivery.clear_leftovers()
        return await self._around.begin(self._partition)
