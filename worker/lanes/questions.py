"""What a lane asks a person: where to go on after brokers have lost what they had acknowledged.

The question is kept beside the group's offset, and so is the answer (``worker.lanes.deciding``). So it stays one, and
is answered, whoever works on the partition, and also when nothing else tells of the loss any more.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import structlog
from aiokafka import TopicPartition
from msgspec import structs

from upcasters.outcome import Stage
from worker.lanes.bounded import StartingPoint
from worker.lanes.delivery import Delivery
from worker.lanes.faults import UndecidedError
from worker.lanes.losses import TruncationCheck
from worker.lanes.offset_note import Decision, OffsetNote, Truncation
from worker.lanes.surroundings import LaneContext
from worker.routes.route import Route

log = structlog.get_logger(__name__)


class Questions:
    """Those of one lane. ``gone`` are outputs that were not there for a while: what was in them is no question."""

    def __init__(self, partition: TopicPartition, around: LaneContext) -> None:
        self.gone: set[str] = set()
        self._partition = partition
        self._around = around

    async def settle(self, delivery: Delivery, route: Route, beginning: StartingPoint) -> StartingPoint:
        """Where to begin, with what stands beside the offset then. Raises ``UndecidedError``."""
        if self._around.bounds:
            return beginning
        finding = beginning.note.finding
        if finding is None and beginning.committed:
            finding = await self._find(delivery, route, beginning)
        if finding is not None:
            raise UndecidedError(question(self._partition, beginning.offset, finding))
        decision = beginning.note.decision
        if decision is None or decision.told:
            return beginning
        self._tell_of_decision(decision)
        told = structs.replace(beginning.note, decision=structs.replace(decision, told=True))
        return await _kept(delivery, beginning, told)

    async def _find(self, delivery: Delivery, route: Route, beginning: StartingPoint) -> Truncation | None:
        looking = TruncationCheck(delivery.producer.client, self._around.timing.second_look)
        finding = await looking.find(self._partition, route, beginning, self._around.clock())
        if finding is None:
            return None
        self._tell_of_loss(finding)
        if finding.what != "source" and finding.topic in self.gone:
            return None
        await _kept(delivery, beginning, structs.replace(beginning.note, finding=finding))
        return finding

    def _tell_of_loss(self, finding: Truncation) -> None:
        """As loud as can be."""
        stage: Stage = "fetch" if finding.what == "source" else "produce"
        log.error(
            "a partition ends before what it had",
            **self._names(),
            lost_in=f"{finding.topic}:{finding.partition}",
            known=finding.known,
            end=finding.end,
        )
        self._around.metrics.error(stage, "AcknowledgedLost", finding.known - finding.end)

    def _tell_of_decision(self, decision: Decision) -> None:
        """Once, by whoever works on the partition first after it."""
        log.error(
            "the lane goes on where a person decided",
            **self._names(),
            before=decision.before,
            now=decision.to,
            first_left_out=decision.first,
            left_out=decision.left_out,
        )
        self._around.metrics.left_out.labels(*self._partition).inc(decision.left_out)

    def _names(self) -> dict[str, str | int]:
        return {"topic": self._partition.topic, "partition": self._partition.partition}


async def _kept(delivery: Delivery, beginning: StartingPoint, note: OffsetNote) -> StartingPoint:
    """The note is beside the offset now, which stays where it is."""
    await delivery.begin()
    await delivery.commit(beginning.offset, note.text)
    return replace(beginning, note=note)


def question(lane: TopicPartition, committed: int, finding: Truncation) -> str:
    """For the person who is to decide, with the commands to do it."""
    place, since = (
        f"{finding.topic}:{finding.partition}",
        f"{datetime.fromtimestamp(finding.at, UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
    decide = f"upcast lanes decide {lane.topic}:{lane.partition}"
    if finding.what == "source":
        return (
            f"the group has read up to offset {finding.known}, {place} was found to end at {finding.end} ({since}): it "
            f"has lost records or was made anew, or the group's offset was set: decide where to go on: `{decide} "
            f"--go-on-at {finding.end}` reads all that came since, `{decide} --begin-at-end` leaves out what is there"
        )
    return (
        f"the group has written to {place} up to offset {finding.known - 1}, it was found to end at {finding.end} "
        f"({since}): it has lost records or was made anew: decide where to go on: `{decide} --go-on-at {committed}` "
        "goes on without them, a lower offset reads their sources again"
    )
