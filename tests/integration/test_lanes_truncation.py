"""Lanes whose brokers have lost what they had acknowledged: the lane asks a person, and the question stays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from structlog.testing import capture_logs

from tests.kafka import Record, Topics, delete_topics, make_topic, produce
from tests.lanes import QUICK, Bench, PlainClients, caught_up, make_bench, read_settled, until
from tests.limits import HANG
from upcast_demo.local_kafka import LocalKafka
from worker.lanes.committed_offset import Committed, Decision, committed_of_group
from worker.lanes.decisions import UNDECIDED, NothingToDecideError, Target, WrongPlaceError, decide, list_lanes
from worker.lanes.state import LaneState, LaneStatus
from worker.lanes.supervisor import Supervisor

SOON = replace(QUICK, second_look=0.1, look_for_decision=0.1)
NOW = 1_800_000_000.0


def numbered(first: int, last: int) -> list[Record]:
    return [Record(b"%d" % n, b"old %d" % n, (), 1_700_000_000_000 + n) for n in range(first, last)]


def lane_of(bench: Bench) -> TopicPartition:
    return TopicPartition(bench.route.source, 0)


async def set_offset(bench: Bench, offset: int) -> None:
    """As an operator does it who has no worker running."""
    # Not by itself: at its end it would commit the position that it had before, over what was set.
    options: dict[str, Any] = {"group_id": bench.group, "enable_auto_commit": False}
    async with AIOKafkaConsumer(bootstrap_servers=bench.bootstrap_servers, **options) as consumer:
        consumer.assign([lane_of(bench)])
        await consumer.commit({lane_of(bench): offset})


async def drained(bench: Bench, records: list[Record]) -> None:
    await produce(bench.bootstrap_servers, bench.route.source, records)
    async with bench.running(timeouts=SOON) as supervisor:
        await until(caught_up(supervisor, partitions=1))


def lanes(*supervisors: Supervisor) -> list[LaneStatus]:
    return [lane for supervisor in supervisors for lane in supervisor.status()]


async def waits(bench: Bench, *supervisors: Supervisor) -> str:
    """The reason, once the one lane waits, and everybody can see it."""
    await until(lambda: [each.state for each in lanes(*supervisors)] == [LaneState.BLOCKED])
    reason, ends = lanes(*supervisors)[0].reason, time.monotonic() + HANG
    while (await beside(bench)).note.finding is None:
        assert time.monotonic() < ends, "the question is not to be seen"
        await asyncio.sleep(0.01)
    return reason


async def read_up_to(offset: int, *supervisors: Supervisor) -> None:
    await until(lambda: [each.committed for each in lanes(*supervisors)] == [offset])


async def beside(bench: Bench) -> Committed:
    clients = PlainClients(bench.bootstrap_servers, bench.group)
    return (await committed_of_group(clients, bench.group, [lane_of(bench)]))[lane_of(bench)]


async def decided(bench: Bench, place: Target) -> Decision:
    return await decide(PlainClients(bench.bootstrap_servers, bench.group), bench.group, lane_of(bench), place, NOW)


async def values(bench: Bench) -> list[bytes | None]:
    return [each.value for each in await read_settled(bench.bootstrap_servers, bench.route.destination.name)]


def new(first: int, last: int) -> list[bytes]:
    return [b"new %d" % n for n in range(first, last)]


@pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
async def test_an_offset_past_the_end_stays_a_question_until_a_person_decides(
    kafka_bootstrap: str, topics: Topics, delivery: str
) -> None:
    """Through a restart, another worker, and a source that has grown past the offset."""
    bench = await make_bench(kafka_bootstrap, topics, delivery=delivery)
    await drained(bench, numbered(0, 10))
    await set_offset(bench, 20)
    clients = PlainClients(kafka_bootstrap, bench.group)
    async with bench.running(clients, timeouts=SOON) as supervisor:
        reason = await waits(bench, supervisor)
        source = bench.route.source
        assert "read up to offset 20" in reason
        assert f"`upcast lanes decide {source}:0 --go-on-at 10`" in reason
        await produce(kafka_bootstrap, source, numbered(10, 30))
        assert any(reason in each for each in supervisor.why_not_ready())
        supervisor.resume(source)
        await until(lambda: len(clients.producers) > 1)
        assert await waits(bench, supervisor) == reason
    async with bench.running(timeouts=SOON) as supervisor, bench.running(timeouts=SOON) as another:
        assert await waits(bench, supervisor, another) == reason
        assert (await beside(bench)).offset == 20
        made = await decided(bench, "found")
        assert (made.before, made.to, made.left_out) == (20, 10, 0)
        await read_up_to(30, supervisor, another)
    assert await values(bench) == new(0, 30)
    assert bench.total("upcaster_left_out_records_total") == 0


async def test_what_a_person_leaves_out_is_counted_named_and_kept(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    await drained(bench, numbered(0, 10))
    await set_offset(bench, 20)
    async with bench.running(timeouts=SOON) as supervisor:
        await waits(bench, supervisor)
    await produce(kafka_bootstrap, bench.route.source, numbered(10, 30))
    await decided(bench, "end")
    with capture_logs() as logs:
        async with bench.running(timeouts=SOON) as supervisor:
            await until(caught_up(supervisor, partitions=1))
    (told,) = [each for each in logs if each["event"] == "the lane continues at the offset that an operator chose"]
    assert told["log_level"] == "error"
    assert (told["first_left_out"], told["left_out"], told["now"]) == (10, 20, 30)
    await drained(bench, numbered(30, 40))
    assert bench.total("upcaster_left_out_records_total", topic=bench.route.source, partition="0") == 20
    assert (await beside(bench)).note.decision == Decision(20, 30, int(NOW), 10, 20, reported=True)
    assert await values(bench) == [*new(0, 10), *new(30, 40)]


async def test_who_knew_a_later_offset_believes_a_decision_and_nothing_else(
    kafka_bootstrap: str, topics: Topics
) -> None:
    """The partition goes to a worker that had it before somebody decided to go on before where it was."""
    bench = await make_bench(kafka_bootstrap, topics)
    await drained(bench, numbered(0, 10))
    await set_offset(bench, 20)
    async with bench.running(timeouts=SOON) as knowing:
        await waits(bench, knowing)
        (lane,) = knowing.lanes
        lane.known.offset = 20
        await produce(kafka_bootstrap, bench.route.source, numbered(10, 15))
        await decided(bench, 5)
        await read_up_to(15, knowing)
        assert lane.known.offset == 15
    assert await values(bench) == [*new(0, 10), *new(5, 15)]


async def test_nobody_decides_about_what_is_no_question(kafka_bootstrap: str, topics: Topics) -> None:
    """Nor fences the lane for it."""
    bench = await make_bench(kafka_bootstrap, topics)
    await produce(kafka_bootstrap, bench.route.source, numbered(0, 10))
    async with bench.running(timeouts=SOON) as supervisor:
        await until(caught_up(supervisor, partitions=1))
        with pytest.raises(NothingToDecideError, match="needs no decision"):
            await decided(bench, "end")
        await produce(kafka_bootstrap, bench.route.source, numbered(10, 20))
        await read_up_to(20, supervisor)
    assert bench.total("upcaster_retries_total") == 0
    assert await values(bench) == new(0, 20)


async def test_nobody_goes_on_where_nothing_is(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    await drained(bench, numbered(0, 10))
    await set_offset(bench, 20)
    async with bench.running(timeouts=SOON) as supervisor:
        await waits(bench, supervisor)
        with pytest.raises(WrongPlaceError, match="offset 11 is outside of the partition, which goes from 0 to 10 now"):
            await decided(bench, 11)
        assert (await beside(bench)).note.finding is not None


async def test_a_destination_that_ends_before_what_was_written_is_a_question(
    kafka_bootstrap: str, topics: Topics
) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    name = bench.route.destination.name
    await drained(bench, numbered(0, 10))
    await delete_topics(kafka_bootstrap, [name])
    await make_topic(kafka_bootstrap, name, 1, {"retention.ms": "-1"})
    await produce(kafka_bootstrap, bench.route.source, numbered(10, 20))
    async with bench.running(timeouts=SOON) as supervisor:
        reason = await waits(bench, supervisor)
        assert f"has written to {name}:0 up to offset 9, but it ended at 0" in reason
        assert bench.total("upcaster_errors_total", stage="produce", error_type="AcknowledgedLost") == 10
        (line,) = await list_lanes(PlainClients(kafka_bootstrap, bench.group), bench.group, [bench.route.source])
        assert (line.state, line.reason, line.committed, line.end) == (UNDECIDED, reason, 10, 20)
        await decided(bench, 0)
        await read_up_to(20, supervisor)
    assert await values(bench) == new(0, 20)


@pytest.fixture(scope="module")
def own_broker() -> Iterator[LocalKafka]:
    """One that may be stopped, and whose disk may lose something meanwhile."""
    with LocalKafka.start() as broker:
        yield broker


async def test_a_source_that_was_cut_and_has_grown_again_is_a_question(own_broker: LocalKafka) -> None:
    """Nobody has seen it, and it ends behind the group's offset: only the epochs of its leaders tell."""
    topics = Topics(own_broker.bootstrap_servers)
    bench = await make_bench(own_broker.bootstrap_servers, topics)
    await drained(bench, numbered(0, 5))
    await drained(bench, numbered(5, 10))
    assert (await beside(bench)).note.epoch == 0
    lose_last_batch(own_broker, bench.route.source)
    await produce(own_broker.bootstrap_servers, bench.route.source, numbered(100, 120))
    async with bench.running(timeouts=SOON) as supervisor:
        assert "read up to offset 10" in (reason := await waits(bench, supervisor))
        assert "ended at 5" in reason
        await decided(bench, "found")
        await read_up_to(25, supervisor)
        assert ((await beside(bench)).note.epoch or 0) > 0
    assert await values(bench) == [*new(0, 10), *new(100, 120)]


async def test_a_source_that_is_cut_and_grows_again_while_a_lane_waits_for_more_is_a_question(
    own_broker: LocalKafka,
) -> None:
    """The lane goes on where it was, without a new beginning: another leader's records come, and his epoch tells."""
    bench = await make_bench(own_broker.bootstrap_servers, Topics(own_broker.bootstrap_servers))
    await drained(bench, numbered(0, 5))
    await produce(own_broker.bootstrap_servers, bench.route.source, numbered(5, 10))
    async with bench.running(timeouts=SOON) as supervisor:
        await read_up_to(10, supervisor)
        write_last_batch_anew(own_broker, bench.route.source, times=3)
        assert "read up to offset 10" in (reason := await waits(bench, supervisor))
        assert "ended at 5" in reason
        assert bench.total("upcaster_retries_total", error_type="OtherLogError") == 1
        await decided(bench, "found")
        await read_up_to(20, supervisor)
    assert await values(bench) == [*new(0, 10), *3 * new(5, 10)]


def write_last_batch_anew(broker: LocalKafka, topic: str, times: int) -> None:
    """As another leader does who never had it, so many times. Its offset and his epoch are not in its checksum."""
    # In order: one that is killed makes its log anew, and then knows nothing of earlier epochs.
    process = broker._process
    assert process is not None
    process.terminate()
    process.wait(HANG)
    log = log_of(broker, topic)
    data = log.read_bytes()
    begins = starts(data)[-1]
    first, batch = int.from_bytes(data[begins : begins + 8]), data[begins:]
    records = int.from_bytes(batch[57:61])
    copies = [(first + n * records).to_bytes(8) + batch[8:12] + (1).to_bytes(4) + batch[16:] for n in range(times)]
    log.write_bytes(data[:begins] + b"".join(copies))
    (log.parent / "leader-epoch-checkpoint").write_text(f"0\n2\n0 0\n1 {first}\n")
    broker.restart()


def lose_last_batch(broker: LocalKafka, topic: str) -> None:
    """As a disk does without power: the broker does not stop in order, and its last write is gone."""
    broker.kill()
    log = log_of(broker, topic)
    data = log.read_bytes()
    log.write_bytes(data[: starts(data)[-1]])
    broker.restart()


def log_of(broker: LocalKafka, topic: str) -> Path:
    (log,) = Path(broker.directory).rglob(f"{topic}-0/00000000000000000000.log")
    return log


def starts(data: bytes) -> list[int]:
    """Where the batches begin: each has its offset (8 bytes) and the length of the rest (4 bytes) in front."""
    found = [0]
    while (following := found[-1] + 12 + int.from_bytes(data[found[-1] + 8 : found[-1] + 12])) < len(data):
        found.append(following)
    return found
