"""A coordinator that knows less than this worker has seen is believed about no partition of the source."""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from tests.fakes.broker import Broker
from tests.fakes.lane import Bench
from worker.kafka.codes import UnstableOffsetCommitError
from worker.kafka.log_offsets import LogOffsets
from worker.lanes import lane_context, output_guard
from worker.lanes.committed_offset import Decision, OffsetNote
from worker.lanes.faults import WentBackError
from worker.lanes.lane_context import LaneContext
from worker.lanes.lane_position import KnownOffset

NEW, OLDEST, OLDER, NEWEST = (TopicPartition("source", number) for number in range(4))
ELSEWHERE = TopicPartition("another", 0)


@pytest.fixture
def coordinator(monkeypatch: pytest.MonkeyPatch) -> dict[TopicPartition, Any]:
    """What it answers: an offset with a note, or an error."""
    answers: dict[TopicPartition, Any] = {}

    async def several(_consumer: Any, partitions: Collection[TopicPartition], _patience: float) -> Any:
        unstable = [at for at in partitions if isinstance(answers.get(at), UnstableOffsetCommitError)]
        if unstable:
            error = UnstableOffsetCommitError()
            error.partitions = unstable
            raise error
        return {at: answers[at] for at in partitions if at in answers}

    async def one(consumer: Any, partition: TopicPartition, patience: float) -> Any:
        return (await several(consumer, [partition], patience)).get(partition)

    monkeypatch.setattr(lane_context, "committed_by_group_of", several)
    monkeypatch.setattr(lane_context, "committed_with_note", one)
    monkeypatch.setattr(lane_context, "applies_late", lambda _consumer: False)
    return answers


@pytest.fixture
def context() -> LaneContext:
    """Of a worker that has seen offset 100 of each partition but the new one."""

    async def log_offsets(partitions: Collection[TopicPartition]) -> dict[TopicPartition, LogOffsets]:
        return dict.fromkeys(partitions, LogOffsets(0, 1_000, 1_000))

    bench = Bench([], Broker())
    fields = {name: getattr(bench.context, name) for name in ("clients", "reporter", "metrics", "quota", "timeouts")}
    offsets: Any = SimpleNamespace(log_offsets=log_offsets)
    found = LaneContext(consumer=bench.context.consumer, offsets=offsets, **fields)
    for partition in (ELSEWHERE, OLDER, OLDEST, OLDER, NEWEST):
        found.seen_commits.note(partition, KnownOffset(100))
    return found


def at(offset: int, note: str = "") -> OffsetAndMetadata:
    return OffsetAndMetadata(offset, note)


async def test_a_lane_begins_where_the_group_is(context: LaneContext, coordinator: dict[TopicPartition, Any]) -> None:
    coordinator |= {NEW: at(7), OLDEST: at(100), NEWEST: at(250)}
    assert (await context.begin(NEW)).offset == 7
    del coordinator[NEW]
    assert (await context.begin(NEW)).offset == 0


@pytest.mark.parametrize("forgotten", [OLDEST, NEWEST])
@pytest.mark.parametrize("answer", [None, at(99)])
async def test_where_another_partition_went_back_no_lane_begins(
    context: LaneContext, coordinator: dict[TopicPartition, Any], forgotten: TopicPartition, answer: Any
) -> None:
    """The beginning of the coordinator's log may be missing, or its end."""
    coordinator |= {NEW: at(7), OLDEST: at(100), NEWEST: at(250)} | ({forgotten: answer} if answer else {})
    if answer is None:
        del coordinator[forgotten]
    with pytest.raises(WentBackError, match=f"committed offset 100 for source:{forgotten.partition}, now its offset"):
        await context.begin(NEW)


async def test_only_partitions_of_the_same_source_are_asked_about(
    context: LaneContext, coordinator: dict[TopicPartition, Any]
) -> None:
    """A source that was deleted takes its offsets with it, and stops no lane of others."""
    assert context.seen_commits.beside(ELSEWHERE) == {}
    assert (await context.begin(ELSEWHERE)).offset == 0


async def test_an_offset_that_a_person_moved_back_is_believed(
    context: LaneContext, coordinator: dict[TopicPartition, Any]
) -> None:
    decided = OffsetNote(decision=Decision(before=100, to=20, at=1)).text
    coordinator |= {NEW: at(7), OLDEST: at(20, decided), NEWEST: at(250)}
    assert (await context.begin(NEW)).offset == 7


async def test_what_holds_up_another_partition_holds_up_no_lane(
    context: LaneContext, coordinator: dict[TopicPartition, Any]
) -> None:
    coordinator |= {NEW: at(7), OLDEST: UnstableOffsetCommitError(), NEWEST: at(250)}
    assert (await context.begin(NEW)).offset == 7
    coordinator[NEW] = UnstableOffsetCommitError()
    with pytest.raises(UnstableOffsetCommitError):
        await context.begin(NEW)


async def test_a_lane_tells_what_it_has_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def end_of_log(*_: object) -> int:
        return 0

    monkeypatch.setattr(output_guard, "end_of_log", end_of_log)
    bench = Bench([b"old %d" % n for n in range(23)])
    await bench.work_through()
    (seen,) = bench.context.seen_commits.beside(NEWEST).values()
    assert seen.offset == 23


async def test_before_kafka_4_one_lost_offset_says_nothing_of_another(
    context: LaneContext, coordinator: dict[TopicPartition, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the lanes of two lost offsets would wait for each other."""
    monkeypatch.setattr(lane_context, "applies_late", lambda _consumer: True)
    coordinator |= {NEW: at(7), OLDEST: at(5), NEWEST: at(250)}
    assert (await context.begin(NEW)).offset == 7
