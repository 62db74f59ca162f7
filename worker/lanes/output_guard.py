"""Checks the group's offset against the lane's own output, at each start of a lane.

From Kafka 4.0 on a group coordinator may answer before it has read all of its log: it takes the end of an interrupted
load for that of the next one. Up to 3.9 it loses an offset when it refuses a late one, and one that is behind may apply
an offset that was never committed. Nothing in its answers tells. A worker that has seen a later offset does not believe
an earlier one; one that has just started has seen nothing, but the destination and the dead-letter topic have.
"""

from __future__ import annotations

import time

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError
from msgspec import structs

from worker.kafka.aiokafka_internals.producer import is_first_of_its_id, producer_id
from worker.kafka.log_ends import end_of_log
from worker.kafka.own_output import has_written, is_written_by, look_behind
from worker.lanes.bounded_pass import StartingPoint
from worker.lanes.committed_offset import LastWritten, OffsetNote
from worker.lanes.delivery import Delivery
from worker.lanes.faults import NothingKnownError, OutputAheadError, OutputTakenBackError
from worker.lanes.lane_context import LaneContext
from worker.lanes.truncation import outputs
from worker.routes.route import Route
from worker.times import utc

log = structlog.get_logger(__name__)


class OutputGuard:
    """Guards the start of one lane. It checks neither a bounded pass, such as a replay, which has an account for
    that, nor a route with at-least-once, where no transaction tells which output is the lane's."""

    _asks_until: float | None = None
    _as_told = ""

    def __init__(self, partition: TopicPartition, context: LaneContext) -> None:
        self._partition = partition
        self._context = context

    async def check(self, delivery: Delivery, route: Route, beginning: StartingPoint, *, asks_again: bool) -> None:
        """Raises ``OutputAheadError`` where the output holds what was committed after the offset,
        ``OutputTakenBackError`` where what was written before it was aborted, and ``NothingKnownError`` where there is
        no offset, for some time, if the lane ``asks_again``."""
        if not self._can_tell(route):
            return
        if not beginning.forgotten:
            await self._look_behind(delivery, route, beginning)
        elif asks_again:
            await self._look_for_any(delivery, route, beginning)

    async def with_places(self, delivery: Delivery, route: Route, note: OffsetNote) -> OffsetNote:
        """The note with the end of each output that holds nothing of the lane's, or nothing that it knows: whatever it
        commits there next is behind that. Ask when a producer has started and the offset is checked."""
        if not self._can_tell(route):
            return note
        for name, topic in (("destination", route.destination), ("dead_letter", route.dead_letter)):
            last: LastWritten | None = getattr(note, name)
            if last is None or not last.is_own or last.topic != topic.name:
                output = TopicPartition(topic.name, topic.partition_for(self._partition.partition))
                end = await end_of_log(delivery.producer.client, output)
                note = structs.replace(
                    note, **{name: LastWritten(output.topic, output.partition, end - 1, is_own=False)}
                )
        return note

    def _can_tell(self, route: Route) -> bool:
        return not self._context.bounds and route.delivery == "exactly-once"

    async def _look_behind(self, delivery: Delivery, route: Route, beginning: StartingPoint) -> None:
        client, own_id = delivery.producer.client, producer_id(delivery.producer)
        for _, written in outputs(beginning.note, route):
            output, last = TopicPartition(written.topic, written.partition), written.offset
            try:
                behind = await look_behind(client, output, last, own_id)
                taken_back = written.is_own and behind.taken_back and await is_written_by(client, output, last, own_id)
            except TopicAuthorizationFailedError:
                self._log_unreadable(output)
                continue
            if taken_back:
                raise OutputTakenBackError(beginning.offset, output, last)
            if behind.committed is not None:
                raise OutputAheadError(beginning.offset, output, behind.committed)

    async def _look_for_any(self, delivery: Delivery, route: Route, beginning: StartingPoint) -> None:
        if (
            beginning.offset == beginning.end
            or is_first_of_its_id(delivery.producer)
            or self._context.applies_late(route)
        ):
            return
        for topic in (route.destination, route.dead_letter):
            output = TopicPartition(topic.name, topic.partition_for(self._partition.partition))
            try:
                wrote = await has_written(delivery.producer.client, output, producer_id(delivery.producer))
            except TopicAuthorizationFailedError:
                self._log_unreadable(output)
            else:
                if wrote:
                    self._ask_again(output)
                    return

    def _ask_again(self, output: TopicPartition) -> None:
        """Raises ``NothingKnownError`` until its time is over."""
        patience = self._context.timeouts.nothing_known
        if self._asks_until is None:
            self._asks_until = time.monotonic() + patience
            self._as_told = utc(self._context.clock() + patience)
        if time.monotonic() < self._asks_until:
            raise NothingKnownError(output, self._as_told)
        log.warning(
            "the lane begins at the beginning although it has written output lately: the group has no offset",
            **self._names(),
            written_to=f"{output.topic}:{output.partition}",
        )

    def _log_unreadable(self, output: TopicPartition) -> None:
        """Log once for each topic in a process."""
        if output.topic in self._context.unreadable:
            return
        self._context.unreadable.add(output.topic)
        log.warning(
            "the worker may not read its output and cannot compare the group's offset with it: grant Read on the topic",
            **self._names(),
            output=output.topic,
        )

    def _names(self) -> dict[str, str | int]:
        return {"topic": self._partition.topic, "partition": self._partition.partition}
