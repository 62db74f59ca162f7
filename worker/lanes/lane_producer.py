"""Starts, discards and stops the producers of a lane, one at a time.

Exactly-once depends on the order in ``start``: the producer starts, which fences the partition's last owner and ends
its open transaction, and only then the committed offset is read.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from worker.kafka.aiokafka_internals.consumer import is_expelled
from worker.kafka.aiokafka_internals.produce_patches import last_refusal
from worker.kafka.aiokafka_internals.producer import missing, partitions_now
from worker.kafka.codes import UnstableOffsetCommitError
from worker.kafka.throttling import PRODUCE, TRANSACTION
from worker.lanes.bounded_pass import StartingPoint
from worker.lanes.committed_offset import OffsetNote
from worker.lanes.delivery import Delivery
from worker.lanes.faults import (
    BlockedError,
    FewerPartitionsError,
    HeldOffsetError,
    MissingTopicError,
    WentBackError,
    kind,
)
from worker.lanes.lane_context import LaneContext
from worker.lanes.lane_position import KnownOffset
from worker.lanes.output_guard import OutputGuard
from worker.lanes.recovery import end_by_successor
from worker.lanes.truncation import LossGuard
from worker.routes.route import Route
from worker.times import utc

log = structlog.get_logger(__name__)

ATTEMPTS = 3
"""To commit the first offset, which may be lost as well."""


class LaneProducer:
    """The producer of a lane. ``start`` makes a new one after the last was stopped or discarded."""

    _delivery: Delivery | None = None
    _left_open = False
    """Whether a discarded producer may have left a transaction open."""
    _has_begun = False
    """Whether the lane has known once where to begin."""

    def __init__(self, partition: TopicPartition, lane_context: LaneContext) -> None:
        self._partition = partition
        self._context = lane_context
        self._loss_guard = LossGuard(partition, lane_context)
        self._output_guard = OutputGuard(partition, lane_context)

    @property
    def delivery(self) -> Delivery:
        """The delivery of the producer that is started."""
        assert self._delivery is not None  # noqa: S101  (the lane does not ask before or behind that)
        return self._delivery

    @property
    def throttled_until(self) -> float:
        """Until when (monotonic) the brokers asked this lane to wait."""
        told = self._delivery.throttling if self._delivery else None
        return max(told.until(PRODUCE), told.until(TRANSACTION)) if told else 0.0

    @property
    def last_refusal(self) -> KafkaError | None:
        """The refusal for which the producer sends a batch again at the moment, if it does."""
        return last_refusal(self._delivery.producer) if self._delivery else None

    async def start(self, route: Route, known: KnownOffset, own: KnownOffset | None = None) -> StartingPoint:
        """Start a producer; returns where the lane begins. ``known`` is what the worker knows of the group's offset,
        ``own`` the same where this lane has begun before. Raises BlockedError, KafkaError, TimeoutError, and in a
        bounded pass WorkerError."""
        self._delivery = delivery = self._context.new_delivery(route, self._partition)
        async with asyncio.timeout(self._context.timeouts.start):
            await delivery.start()
            self._left_open = False
            await self._find_topics(delivery, route)
            beginning = await self._begin(delivery, route)
            if beginning.announcement:
                await delivery.begin()
                await delivery.commit(beginning.offset, beginning.announcement)
            beginning = await self._with_lost_offset(delivery, route, beginning, own)
            beginning = await self._with_first_offset(delivery, route, beginning, known)
            checked = await self._loss_guard.check(delivery, route, beginning)
            asks_again = not (known.offset or self._has_begun)
            await self._output_guard.check(delivery, route, checked, asks_again=asks_again)
            self._has_begun = True
            return replace(checked, note=await self._output_guard.with_places(delivery, route, checked.note))

    async def commit_note(self, position: int, note: OffsetNote) -> None:
        """Commit a note beside the unchanged offset, in a transaction of its own."""
        await self.delivery.begin()
        await self.delivery.commit(position, note.text)

    async def stop(self) -> None:
        if self._delivery:
            await self._delivery.stop()
            self._delivery = None

    async def discard(self) -> None:
        """Discard the producer; its open transaction, if any, stays open."""
        if self._delivery:
            delivery, self._delivery = self._delivery, None
            self._left_open |= delivery.left_open
            await delivery.discard()

    def fenced(self) -> None:
        """Note that another producer has fenced this one, and so has ended its transaction."""
        self._left_open = False

    async def end_what_is_open(self, route: Route) -> bool:
        """End a transaction that was left open, when no next producer is about to do so. Returns whether there was
        one."""
        if was_open := self._left_open:
            self._left_open = False
            await end_by_successor(self._context, route, self._partition)
        return was_open

    async def leave(self, route: Route, own: KnownOffset | None) -> None:
        """Commit this lane's offset again where the coordinator has lost it, before another worker begins: that one
        does not know it. Never raises for what the brokers answer, and takes no longer than an abort."""
        context = self._context
        if own is None or not context.applies_late(route) or is_expelled(context.consumer):
            return
        delivery = context.new_delivery(route, self._partition)
        try:
            async with asyncio.timeout(context.timeouts.abort):
                beginning = await context.begin(self._partition)
                if own.is_lost(beginning):
                    await delivery.start()
                    await self._with_lost_offset(delivery, route, await context.begin(self._partition), own)
        except (KafkaError, TimeoutError, OSError, WentBackError) as error:
            names = {"topic": self._partition.topic, "partition": self._partition.partition}
            log.warning("it is unknown whether the group has this lane's last offset", **names, reason=kind(error))
        finally:
            await delivery.discard()

    async def _with_lost_offset(
        self, delivery: Delivery, route: Route, beginning: StartingPoint, own: KnownOffset | None
    ) -> StartingPoint:
        """Where to begin. Up to Kafka 3.9 the coordinator loses the offset of a committed transaction when it refuses a
        late one of an earlier producer of the same id meanwhile, until it reads its log again: this lane's is committed
        once more. The producer has started, so that no late request can come any more."""
        if own is None or not own.is_lost(beginning) or not self._context.applies_late(route):
            return beginning
        log.warning(
            "the group's coordinator has lost a committed offset: it is committed again",
            topic=self._partition.topic,
            partition=self._partition.partition,
            answered=beginning.offset,
            committed=own.offset,
        )
        await delivery.begin()
        await delivery.commit(own.offset, own.note.text)
        return replace(beginning, offset=own.offset, note=own.note)

    async def _with_first_offset(
        self, delivery: Delivery, route: Route, beginning: StartingPoint, known: KnownOffset
    ) -> StartingPoint:
        """Where to begin. Where the group has no offset yet, the first one could be lost without a trace: the lane
        commits its beginning before it, so that a loss shows the note of that, which says where the outputs end."""
        is_first = beginning.forgotten and not known.offset and not self._context.bounds
        if not is_first or not self._context.applies_late(route):
            return beginning
        note = await self._output_guard.with_places(delivery, route, OffsetNote(chain=route.chain))
        for _ in range(ATTEMPTS):
            await delivery.begin()
            await delivery.commit(beginning.offset, note.text)
            if not (await self._context.begin(self._partition)).forgotten:
                break
        return replace(beginning, note=note, committed=True, forgotten=False)

    async def _find_topics(self, delivery: Delivery, route: Route) -> None:
        if gone := await missing(delivery.producer, (route.destination.name, route.dead_letter.name)):
            self._loss_guard.gone.add(gone)
            raise MissingTopicError(gone)
        topic, partition = self._partition
        for output in (route.destination, route.dead_letter):
            now = partitions_now(delivery.producer, output.name)
            if now <= output.partition_for(partition):
                raise FewerPartitionsError(output.name, output.partitions, now)
        if partition >= route.destination.partitions and not self._context.bounds:
            raise BlockedError(
                f"{topic} has more partitions than {route.destination.name} had when the worker started "
                f"({route.destination.partitions}): give both as many, then restart the worker"
            )

    async def _begin(self, delivery: Delivery, route: Route) -> StartingPoint:
        """Where to begin, in the end."""
        since = self._context.clock()
        try:
            return await self._stable_beginning(delivery, route)
        except UnstableOffsetCommitError as error:
            raise HeldOffsetError(utc(since)) from error

    async def _stable_beginning(self, delivery: Delivery, route: Route) -> StartingPoint:
        """Where to begin. An offset that stays unstable may be a late one of this lane, which its next transaction
        clears (Kafka up to 3.6.2), or one that the coordinator has yet to apply, or that of another producer.

        From Kafka 4.0 on it is never a late one. There a coordinator that has loaded only half of its log may report a
        committed offset as unstable; an aborted transaction would make it drop that offset.
        """
        try:
            return await self._context.begin(self._partition)
        except UnstableOffsetCommitError:
            if not self._context.applies_late(route):
                raise
        await delivery.clear_leftovers()
        return await self._context.begin(self._partition)
