"""Detects that brokers have lost acknowledged records: a partition ends before an offset that it had. Where to go on is
then a person's decision. And detects an answer of the group's coordinator that the lane's own output contradicts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import structlog
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from msgspec import structs

from upcasters.outcome import Stage
from worker.kafka.log_ends import end_of_epoch, end_of_log
from worker.lanes.bounded_pass import StartingPoint
from worker.lanes.committed_offset import Decision, LastWritten, OffsetNote, Truncation, What
from worker.lanes.delivery import Delivery
from worker.lanes.faults import UndecidedError
from worker.lanes.lane_context import LaneContext
from worker.routes.route import Route
from worker.times import utc


@dataclass(frozen=True)
class TruncationCheck:
    """Asks the leaders of partitions. After ``second_look`` seconds they are asked a second time before the answer
    counts: a broker that comes back may not know yet that it is no longer the leader."""

    client: AIOKafkaClient
    second_look: float

    async def find(
        self, partition: TopicPartition, route: Route, beginning: StartingPoint, now: float
    ) -> Truncation | None:
        """The first of source, destination and dead-letter topic that has lost records; None where none has. Raises
        KafkaError."""
        end = await self._source_end(partition, beginning.offset, beginning.note.epoch)
        if end is not None:
            return Truncation("source", partition.topic, partition.partition, beginning.offset, end, int(now))
        for what, written in outputs(beginning.note, route):
            if not written.is_own:
                continue
            output = TopicPartition(written.topic, written.partition)
            end = await self._output_end(output, written.offset + 1)
            if end is not None:
                return Truncation(what, written.topic, written.partition, written.offset + 1, end, int(now))
        return None

    async def is_another_log(self, partition: TopicPartition, epochs: Mapping[int, int]) -> bool:
        """Whether records that were read do not exist any more. ``epochs`` are leader epochs in the order in which
        their batches were read, each with the offset after its last batch. With one epoch nothing is asked."""
        *before, _ = epochs or (0,)
        for epoch in before:
            end = await end_of_epoch(self.client, partition, epoch)
            if end is not None and end < epochs[epoch]:
                return True
        return False

    async def _source_end(self, partition: TopicPartition, known: int, epoch: int | None) -> int | None:
        """The offset below ``known`` at which the source ended; None where it did not. Where it has grown again, leader
        epochs decide; without them the first answer counts."""
        end, told = await self._end(partition, epoch)
        if end >= known:
            return None
        await self._later()
        again, told = await self._end(partition, epoch)
        return None if told and again >= known else min(end, again)

    async def _end(self, partition: TopicPartition, epoch: int | None) -> tuple[int, bool]:
        """The log's end, and whether the leader could confirm it by the epoch."""
        end = await end_of_log(self.client, partition)
        of_epoch = None if epoch is None else await end_of_epoch(self.client, partition, epoch)
        return (end, False) if of_epoch is None else (min(end, of_epoch), True)

    async def _output_end(self, output: TopicPartition, known: int) -> int | None:
        """The offset below ``known`` at which the output ends; None where it does not."""
        if output.partition not in (self.client.cluster.partitions_for_topic(output.topic) or ()):
            return None
        if await end_of_log(self.client, output) >= known:
            return None
        await self._later()
        end = await end_of_log(self.client, output)
        return end if end < known else None

    async def _later(self) -> None:
        await asyncio.sleep(self.second_look)
        await self.client.force_metadata_update()


def outputs(note: OffsetNote, route: Route) -> Iterator[tuple[What, LastWritten]]:
    """The last records of the note in topics that the route still writes to, also those that are not its own."""
    if note.destination and note.destination.topic == route.destination.name:
        yield "destination", note.destination
    if note.dead_letter and note.dead_letter.topic == route.dead_letter.name:
        yield "dead-letter", note.dead_letter


log = structlog.get_logger(__name__)


class LossGuard:
    """Checks for lost records at each start of one lane. ``gone`` are output topics that were missing while the lane
    ran: their loss is known, and needs no decision."""

    def __init__(self, partition: TopicPartition, context: LaneContext) -> None:
        self.gone: set[str] = set()
        self._partition = partition
        self._context = context

    async def check(self, delivery: Delivery, route: Route, beginning: StartingPoint) -> StartingPoint:
        """Where to begin, with its note. Raises ``UndecidedError`` where a person has to decide."""
        if self._context.bounds:
            return beginning
        finding = beginning.note.finding
        if finding is None and beginning.committed:
            finding = await self._find(delivery, route, beginning)
        if finding is not None:
            raise UndecidedError(question(self._partition, beginning.offset, finding))
        decision = beginning.note.decision
        if decision is None or decision.reported:
            return beginning
        self._log_decision(decision)
        told = structs.replace(beginning.note, decision=structs.replace(decision, reported=True))
        return await _kept(delivery, beginning, told)

    async def _find(self, delivery: Delivery, route: Route, beginning: StartingPoint) -> Truncation | None:
        looking = TruncationCheck(delivery.producer.client, self._context.timeouts.second_look)
        finding = await looking.find(self._partition, route, beginning, self._context.clock())
        if finding is None:
            return None
        self._log_loss(finding)
        if finding.what != "source" and finding.topic in self.gone:
            return None
        await _kept(delivery, beginning, structs.replace(beginning.note, finding=finding))
        return finding

    def _log_loss(self, finding: Truncation) -> None:
        """Log and count lost records."""
        stage: Stage = "fetch" if finding.what == "source" else "produce"
        log.error(
            "a partition has lost acknowledged records",
            **self._names(),
            lost_in=f"{finding.topic}:{finding.partition}",
            known=finding.known,
            end=finding.end,
        )
        self._context.metrics.error(stage, "AcknowledgedLost", finding.known - finding.end)

    def _log_decision(self, decision: Decision) -> None:
        """Log and count a decision, once, in the first lane after it."""
        log.error(
            "the lane continues at the offset that an operator chose",
            **self._names(),
            before=decision.before,
            now=decision.to,
            first_left_out=decision.first,
            left_out=decision.left_out,
        )
        self._context.metrics.left_out.labels(*self._partition).inc(decision.left_out)

    def _names(self) -> dict[str, str | int]:
        return {"topic": self._partition.topic, "partition": self._partition.partition}


async def _kept(delivery: Delivery, beginning: StartingPoint, note: OffsetNote) -> StartingPoint:
    """Commit the note beside the unchanged offset."""
    await delivery.begin()
    await delivery.commit(beginning.offset, note.text)
    return replace(beginning, note=note)


def question(lane: TopicPartition, committed: int, finding: Truncation) -> str:
    """The question to the person who decides, with the commands for it."""
    place, since = f"{finding.topic}:{finding.partition}", utc(finding.at)
    decide = f"upcast lanes decide {lane.topic}:{lane.partition}"
    if finding.what == "source":
        return (
            f"the group has read up to offset {finding.known}, but {place} ended at {finding.end} ({since}): the topic "
            "has lost records or was created again, or the group's offset was set past the end: decide where the lane "
            f"goes on: `{decide} --go-on-at {finding.end}` reads everything that was written since, `{decide} "
            "--begin-at-end` skips what is there now"
        )
    return (
        f"the group has written to {place} up to offset {finding.known - 1}, but it ended at {finding.end} ({since}): "
        "the topic has lost records or was created again: decide where the lane goes on: "
        f"`{decide} --go-on-at {committed}` leaves the lost records out, a lower offset reads their sources again"
    )
