"""Lanes of a worker that has just started, where the group's coordinator answers an offset of before: their own output
knows better."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.protocol.admin import DeleteGroupsRequest
from aiokafka.structs import OffsetAndMetadata
from msgspec import structs
from structlog.testing import capture_logs

from tests.kafka import Record, Topics, admin_of
from tests.lanes import QUICK, Bench, PlainClients, caught_up, make_bench, read_settled, until
from worker.kafka import own_output
from worker.lanes import lane_context
from worker.lanes.committed_offset import Committed, LastWritten, OffsetNote, committed_of_group, read_note
from worker.lanes.delivery import transactional_id
from worker.lanes.supervisor import Supervisor

PATIENT = replace(QUICK, nothing_known=600)


def numbered(first: int, last: int, word: bytes = b"old") -> list[Record]:
    return [Record(b"%d" % n, b"%s %d" % (word, n), (), 1_700_000_000_000 + n) for n in range(first, last)]


def lane_of(bench: Bench) -> TopicPartition:
    return TopicPartition(bench.route.source, 0)


async def written(bench: Bench, records: list[Record]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bench.bootstrap_servers) as producer:
        for each in records:
            await producer.send_and_wait(bench.route.source, each.value, each.key, 0, each.timestamp)


async def drained(bench: Bench, records: list[Record]) -> Committed:
    """What is committed when a worker has done these."""
    await written(bench, records)
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=1))
    clients = PlainClients(bench.bootstrap_servers, bench.group)
    return (await committed_of_group(clients, bench.group, [lane_of(bench)]))[lane_of(bench)]


async def answer(bench: Bench, offset: int, note: str = "") -> None:
    """Let the coordinator answer this, as one that has read its log up to there."""
    async with AIOKafkaConsumer(
        bootstrap_servers=bench.bootstrap_servers, group_id=bench.group, enable_auto_commit=False
    ) as consumer:
        consumer.assign([lane_of(bench)])
        await consumer.commit({lane_of(bench): OffsetAndMetadata(offset, note)})


async def forget(bench: Bench) -> None:
    async with admin_of(bench.bootstrap_servers) as admin:
        coordinator = await admin.find_coordinator(bench.group)
        answer = await admin._send_request(DeleteGroupsRequest([bench.group]), coordinator)
        assert [code for _, code in answer.results] == [0], answer


def reason(supervisor: Supervisor) -> str:
    return " ".join(each.reason for each in supervisor.status())


@asynccontextmanager
async def not_begun(bench: Bench, why: str) -> AsyncIterator[Supervisor]:
    """A worker that has just started, and waits for this reason."""
    async with bench.running(timeouts=PATIENT) as supervisor:
        begun = caught_up(supervisor, partitions=1)
        await until(lambda: why in reason(supervisor) or begun(), why)
        assert why in reason(supervisor), "the lane has begun"
        yield supervisor


def replace_note(note: OffsetNote, **changes: LastWritten) -> str:
    changed = structs.replace(note, **changes)
    assert read_note(changed.text) == changed
    return changed.text


async def values(bench: Bench, dead: str = "") -> list[bytes | None]:
    topic = bench.route.dead_letter if dead else bench.route.destination
    return [each.value for each in await read_settled(bench.bootstrap_servers, topic.name)]


@pytest.mark.parametrize(("word", "then"), [(b"old", b"old"), (b"bad", b"bad"), (b"old", b"bad"), (b"bad", b"old")])
async def test_an_offset_of_before_its_own_output_is_not_believed(
    kafka_bootstrap: str, topics: Topics, word: bytes, then: bytes
) -> None:
    """Until the coordinator knows better; the dead-letter topic tells as well as the destination, and each of them also
    of the first that is written there."""
    bench = await make_bench(kafka_bootstrap, topics)
    before = await drained(bench, numbered(0, 10, word))
    after = await drained(bench, numbered(10, 20, then))
    await answer(bench, before.offset, before.note.text)
    output = bench.route.destination if then == b"old" else bench.route.dead_letter
    async with not_begun(bench, f"the group's offset is 10, but {output.name}:0 has records of this lane from"):
        pass
    await answer(bench, after.offset, after.note.text)
    await drained(bench, numbered(20, 30))
    assert len(await values(bench)) + len(await values(bench, "dead")) == 30


async def test_the_first_offset_tells_of_all_that_comes_after_it(
    kafka_bootstrap: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to Kafka 3.9 the lane commits it before it writes anything, since the coordinator may lose the next one."""
    monkeypatch.setattr(lane_context, "applies_late", lambda _: True)
    bench = await make_bench(kafka_bootstrap, topics)
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        await producer.send_and_wait(bench.route.destination.name, b"of others", partition=0)
    first = await drained(bench, [])
    assert first.offset == 0
    await drained(bench, numbered(0, 10))
    await answer(bench, 0, first.note.text)
    async with not_begun(bench, f"the group's offset is 0, but {bench.route.destination.name}:0 has records of this"):
        pass
    assert await values(bench) == [b"of others", *(b"new %d" % n for n in range(10))]


async def test_where_nothing_is_written_the_place_moves_with_what_others_write(
    kafka_bootstrap: str, topics: Topics
) -> None:
    """Or each start would read all of that again."""
    bench = await make_bench(kafka_bootstrap, topics)
    dead = bench.route.dead_letter.name
    assert (await drained(bench, numbered(0, 10))).note.dead_letter == LastWritten(dead, 0, -1, is_own=False)
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        for _ in range(5):
            await producer.send_and_wait(dead, b"of others", partition=0)
    assert (await drained(bench, numbered(10, 20))).note.dead_letter == LastWritten(dead, 0, 4, is_own=False)


async def test_the_place_of_others_records_is_nothing_that_brokers_could_lose(
    kafka_bootstrap: str, topics: Topics
) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    after = await drained(bench, numbered(0, 10))
    beyond = LastWritten(bench.route.dead_letter.name, 0, 50, is_own=False)
    await answer(bench, after.offset, replace_note(after.note, dead_letter=beyond))
    await drained(bench, numbered(10, 20))
    assert await values(bench) == [b"new %d" % n for n in range(20)]


@pytest.mark.parametrize(("own", "end"), [(True, "abort"), (True, "commit"), (False, "abort")])
async def test_an_offset_whose_output_was_taken_back_is_not_believed(
    kafka_bootstrap: str, topics: Topics, end: str, *, own: bool
) -> None:
    """A coordinator has taken the end of another transaction for that of an aborted one: what is before the offset is
    in no output. What others abort tells nothing."""
    bench = await make_bench(kafka_bootstrap, topics)
    before = await drained(bench, numbered(0, 10))
    place, destination = lane_of(bench), bench.route.destination.name
    of_whom = transactional_id(bench.group, place) if own else "somebody-else"
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, transactional_id=of_whom) as producer:
        await producer.begin_transaction()
        last = await producer.send_and_wait(destination, b"of the next transaction", partition=0)
        await (producer.abort_transaction() if end == "abort" else producer.commit_transaction())
    await written(bench, numbered(10, 20))
    await answer(bench, 11, replace_note(before.note, destination=LastWritten(destination, 0, last.offset)))
    if (own, end) != (True, "abort"):
        await drained(bench, [])
        return
    async with not_begun(bench, f"up to offset {last.offset} of {destination}:0, was taken back with its transaction"):
        pass
    await answer(bench, before.offset, before.note.text)
    await drained(bench, [])
    assert await values(bench) == [b"new %d" % n for n in range(20)]


async def test_who_sets_the_offset_back_is_obeyed(kafka_bootstrap: str, topics: Topics) -> None:
    """Kafka's tools write no metadata beside it."""
    bench = await make_bench(kafka_bootstrap, topics)
    await drained(bench, numbered(0, 10))
    await answer(bench, 5)
    await drained(bench, [])
    assert await values(bench) == [b"new %d" % n for n in (*range(10), *range(5, 10))]


@pytest.mark.parametrize("others", [0, 50])
async def test_what_was_aborted_or_is_of_others_is_no_reason_to_wait(
    kafka_bootstrap: str, topics: Topics, others: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_output, "AT_ONCE", 300)
    bench = await make_bench(kafka_bootstrap, topics)
    await drained(bench, numbered(0, 10))
    options = {"bootstrap_servers": kafka_bootstrap, "transactional_id": transactional_id(bench.group, lane_of(bench))}
    async with AIOKafkaProducer(**options) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(bench.route.destination.name, b"never committed", partition=0)
        await producer.abort_transaction()
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        for n in range(others):
            await producer.send_and_wait(bench.route.destination.name, b"of others %d" % n, partition=0)
    await drained(bench, numbered(10, 20))
    own = [value for value in await values(bench) if value and value.startswith(b"new")]
    assert own == [b"new %d" % n for n in range(20)]


async def test_a_group_that_knows_nothing_is_asked_again_where_there_is_output(
    kafka_bootstrap: str, topics: Topics
) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    after = await drained(bench, numbered(0, 10))
    await forget(bench)
    async with not_begun(bench, "the group has no offset, but this lane has written to"):
        pass
    await answer(bench, after.offset, after.note.text)
    await drained(bench, numbered(10, 20))
    assert await values(bench) == [b"new %d" % n for n in range(20)]


async def test_a_group_that_goes_on_knowing_nothing_is_believed_in_the_end(
    kafka_bootstrap: str, topics: Topics
) -> None:
    """An offset is deleted with its source, and by whoever wants to read it all again."""
    bench = await make_bench(kafka_bootstrap, topics)
    await drained(bench, numbered(0, 10))
    await forget(bench)
    with capture_logs() as logs:
        await drained(bench, [])
    told = [each for each in logs if each["event"].startswith("the lane begins at the beginning although")]
    assert [each["log_level"] for each in told] == ["warning"]
    assert await values(bench) == 2 * [b"new %d" % n for n in range(10)]
