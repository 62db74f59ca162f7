"""Finds where each partition of a replay goes on, from the plan, from Kafka's committed offsets and from the ledger,
and refuses where they contradict each other."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from worker.errors import WorkerError
from worker.kafka.stable_offsets import committed_with_note
from worker.lanes.bounded_pass import Journal, StartingPoint
from worker.lanes.committed_offset import read_note
from worker.processes.child import Child
from worker.replay.apply.account import NotOurNote, PartitionAccount, TooOftenInterrupted
from worker.replay.known_replays import Share
from worker.replay.plan.file import Plan, PlannedRange
from worker.replay.topics import Reached
from worker.routes.route import OutputTopic, Route


@dataclass(frozen=True)
class Resume:
    """``account`` is None where nothing has been done yet."""

    offset: int
    account: PartitionAccount | None = None


@dataclass(frozen=True)
class ReplayPartition:
    """One partition of a replay; ``group`` is the replay's own consumer group."""

    replay_id: str
    group: str
    topic: str
    planned: PlannedRange

    def __str__(self) -> str:
        return f"{self.topic} partition {self.planned.partition}"


def resume(place: ReplayPartition, kafka: Reached | None, ledger: Reached | None) -> Resume:
    """Where the partition goes on, from what Kafka and the ledger know. Raises WorkerError where they contradict each
    other or the plan."""
    if kafka is None and ledger is None:
        return Resume(place.planned.start)
    if kafka is None:
        assert ledger is not None  # noqa: S101  (for mypy)
        return _from(place, ledger, "the ledger")
    if ledger is not None and ledger.offset > kafka.offset:
        raise WorkerError(
            f"{place}: the ledger says that the replay is done up to offset {ledger.offset}, Kafka's group "
            f"{place.group} says {kafka.offset}: the group's offsets were reset or are another cluster's; correct "
            "ledger.url or kafka.bootstrap_servers, or make a new plan",
            code="UPC1612",
        )
    if ledger is not None and ledger.offset == kafka.offset and not _agree(place, kafka.note, ledger.note):
        raise WorkerError(
            f"{place}: the ledger and Kafka's group {place.group} have different digests up to offset "
            f"{kafka.offset}: one of them was changed by hand; make a new plan, and empty the destination first",
            code="UPC1612",
        )
    return _from(place, kafka, f"the group {place.group}")


def _agree(place: ReplayPartition, kafka: str, ledger: str) -> bool:
    """A process that was killed before its first commit has told the ledger alone that it began a new stretch."""
    if ledger in ("", kafka):
        return True
    with suppress(NotOurNote, TooOftenInterrupted):
        account = PartitionAccount.of_note(ledger, place.replay_id)
        if account.stretches:
            known = PartitionAccount.of_note(kafka, place.replay_id)
            known.begin_stretch(account.stretches[-1])
            return known.note == account.note
    return False


def _from(place: ReplayPartition, reached: Reached, who: str) -> Resume:
    planned = place.planned
    if not planned.start <= reached.offset <= planned.end:
        raise WorkerError(
            f"{place}: {who} is at offset {reached.offset}, outside of the plan's {planned.start} to {planned.end}: "
            "the offset does not belong to this plan; do not commit offsets of a replay's group by hand; make a new "
            "plan",
            code="UPC1612",
        )
    try:
        account = PartitionAccount.of_note(reached.note, place.replay_id)
        if reached.offset < planned.end:
            account.begin_stretch(reached.offset)
        return Resume(reached.offset, account)
    except TooOftenInterrupted:
        raise WorkerError(
            f"{place}: the replay was interrupted so often that its account is full, at offset {reached.offset}: "
            "make a new plan "
            "of the rest, from that offset",
            code="UPC1613",
        ) from None
    except NotOurNote:
        raise WorkerError(
            f"{place}: {who} is at offset {reached.offset} without the account of replay {place.replay_id}: its "
            "offsets were reset by hand; make a new plan, and empty the destination first",
            code="UPC1612",
        ) from None


@dataclass
class PartitionState:
    """How far a partition is; ``account`` is None before it has begun."""

    planned: PlannedRange
    offset: int
    account: PartitionAccount | None = None

    @property
    def remaining(self) -> int:
        return max(0, self.planned.end - self.offset)


class ReplayBounds:
    """``ledger`` is what the ledger knew when this process started. It and ``route`` are set before any lane starts."""

    def __init__(self, plan: Plan, group: str) -> None:
        self.plan = plan
        self.states = {each.partition: PartitionState(each, each.start) for each in plan.ranges}
        self.route: Route | None = None
        self.ledger: Mapping[int, Reached] = {}
        self._group = group

    def keep_share(self, child: Child) -> None:
        """Keep only the partitions of this process."""
        work = [number for number, state in self.states.items() if not state.planned.empty]
        self.states = {number: self.states[number] for number in child.part_of(work)}

    @property
    def partitions(self) -> list[TopicPartition]:
        """The partitions that are not done."""
        ranges = [state.planned for state in self.states.values()]
        return [TopicPartition(self.plan.topic, each.partition) for each in ranges if not each.empty]

    @property
    def remaining(self) -> int:
        """The number of offsets that are left, in all partitions."""
        return sum(state.remaining for state in self.states.values())

    async def begin(
        self, partition: TopicPartition, consumer: AIOKafkaConsumer, offsets: AIOKafkaConsumer
    ) -> StartingPoint:
        state = self.states[partition.partition]
        found = self._resume(state, await self._committed(partition, consumer))
        account = found.account or await self._fresh(partition.partition, offsets)
        announcement = account.note if account.share and not found.account else ""
        state.offset, state.account = found.offset, account
        log = (await offsets.log_offsets([partition]))[partition]
        self._check_retained(state, log.start, log.end)
        return StartingPoint(found.offset, log.stable, state.planned.end, account, announcement=announcement)

    def committed(self, partition: TopicPartition, offset: int, journal: Journal | None) -> None:
        state = self.states[partition.partition]
        state.offset = offset
        assert isinstance(journal, PartitionAccount)  # noqa: S101  (begin gave it)
        state.account = journal

    async def _committed(self, partition: TopicPartition, consumer: AIOKafkaConsumer) -> Reached | None:
        committed = await committed_with_note(consumer, partition)
        return None if committed is None else Reached(committed.offset, read_note(committed.metadata).journal)

    def _resume(self, state: PartitionState, kafka: Reached | None) -> Resume:
        """Where the lane only started again, this process still has the account."""
        if kafka and state.account and (state.offset, state.account.note) == (kafka.offset, kafka.note):
            return Resume(state.offset, state.account)
        return resume(self._place(state), kafka, self.ledger.get(state.planned.partition))

    def _place(self, state: PartitionState) -> ReplayPartition:
        return ReplayPartition(self.plan.replay_id, self._group, self.plan.topic, state.planned)

    async def _fresh(self, number: int, offsets: AIOKafkaConsumer) -> PartitionAccount:
        assert self.route is not None  # noqa: S101  (set before any lane starts)
        destination = await _end_of(self.route.destination, number, offsets)
        dead_letter = await _end_of(self.route.dead_letter, number, offsets)
        account = PartitionAccount(self.plan.replay_id, destination, dead_letter)
        if self.plan.redrive is None:
            planned = self.states[number].planned
            account.share = Share(self.plan.route.destination, planned.start, planned.end)
        return account

    def _check_retained(self, state: PartitionState, beginning: int, end: int) -> None:
        place = self._place(state)
        if not state.remaining:
            return
        if beginning > state.offset:
            raise WorkerError(
                f"{place}: retention has deleted offsets {state.offset} to {beginning - 1} of the plan: "
                "make a new plan of what is left, with a longer retention",
                code="UPC1602",
            )
        if end < state.planned.end:
            raise WorkerError(
                f"{place}: ends at offset {end}, the plan at {state.planned.end}: the topic was created again or has "
                "lost records; make a new plan",
                code="UPC1609",
            )


async def _end_of(topic: OutputTopic, source_partition: int, offsets: AIOKafkaConsumer) -> int:
    partition = TopicPartition(topic.name, topic.partition_for(source_partition))
    """Where what can be read ends: the replay's own records come behind it in any case."""
    return int((await offsets.log_offsets([partition]))[partition].stable)
