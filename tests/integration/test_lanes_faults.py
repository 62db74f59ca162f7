"""Lanes on a real broker, when something breaks: nothing lost, nothing doubled, and the reason told."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewPartitions, RecordsToDelete
from aiokafka.errors import KafkaConnectionError, ProducerFenced, RequestTimedOutError, TopicAuthorizationFailedError
from aiokafka.protocol.produce import ProduceRequest

from tests.kafka import Record, Topics, admin_of, delete_topics, make_topic, produce
from tests.lanes import QUICK, Bench, PlainClients, caught_up, ends, make_bench, read_settled, until, worker_process
from tests.limits import HANG
from worker.kafka.aiokafka_internals.transactions import discard
from worker.kafka.stable_offsets import committed_with_note
from worker.lanes import lane_context
from worker.lanes.delivery import AtLeastOnce, ExactlyOnce
from worker.lanes.outbox import Outbox, OutgoingRecord
from worker.routes.route import OutputTopic
from worker.settings import LimitSettings


def numbered(count: int, partitions: int = 1) -> list[Record]:
    return [Record(b"%d" % n, b"old %d" % n, (), 1_700_000_000_000 + n, n % partitions) for n in range(count)]


async def assert_all_once_in_order(bench: Bench, count: int, partitions: int = 1) -> None:
    outputs = await read_settled(bench.bootstrap_servers, bench.route.destination.name)
    found = [[each.value for each in outputs if each.partition == number] for number in range(partitions)]
    assert found == [[b"new %d" % n for n in range(count) if n % partitions == number] for number in range(partitions)]


async def test_a_killed_worker_leaves_no_gap_and_no_double(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics, partitions=2)
    await produce(kafka_bootstrap, bench.route.source, numbered(20_000, 2))
    process = worker_process(bench)
    try:
        await _until_written(bench, 1_000)
    finally:
        process.kill()
        process.wait()
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=2))
    await assert_all_once_in_order(bench, 20_000, 2)
    assert bench.total("upcaster_records_consumed_total") < 20_000


async def test_a_producer_that_is_thrown_away_in_mid_send_leaves_no_complaint(
    kafka_bootstrap: str, topics: Topics
) -> None:
    """With a batch on its way to a broker that goes away then, and one that waits behind it."""
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    await _throw_away_in_mid_send(kafka_bootstrap, await topics.create("current"))
    gc.collect()
    assert complaints == []


async def test_a_fenced_producer_that_is_thrown_away_leaves_no_complaint(kafka_bootstrap: str, topics: Topics) -> None:
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    await _throw_away_fenced(kafka_bootstrap, await topics.create("current"))
    gc.collect()
    assert complaints == []


async def _throw_away_fenced(bootstrap: str, topic: str) -> None:
    clients = PlainClients(bootstrap, topic)
    fenced, other = (clients.producer(transactional_id=topic) for _ in range(2))
    await fenced.start()
    await fenced.begin_transaction()
    outbox = Outbox(fenced, 0)
    outbox.begin_batch(OutputTopic(topic, 1), OutgoingRecord(1, None, b"value", []))
    async with other:
        with pytest.raises(ProducerFenced):
            await outbox.send_all()
    outbox.forget()
    await discard(fenced, 1)


async def _throw_away_in_mid_send(bootstrap: str, topic: str) -> None:
    sent, gone = asyncio.Event(), asyncio.Event()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, retry_backoff_ms=1)
    await producer.start()
    send, accumulator = producer.client.send, producer._message_accumulator

    async def sending(node: int, request: Any, **options: Any) -> Any:
        if not isinstance(request, ProduceRequest):
            return await send(node, request, **options)
        sent.set()
        await gone.wait()
        raise KafkaConnectionError

    producer.client.send = sending
    outbox = Outbox(producer, 0)
    for _ in range(2):
        outbox.begin_batch(OutputTopic(topic, 1), OutgoingRecord(1, None, b"value", []))
    sending_all = asyncio.create_task(outbox.send_all())
    await sent.wait()
    await until(lambda: accumulator._batches, "the second batch to wait behind the first")
    sending_all.cancel()
    await asyncio.wait([sending_all])
    outbox.forget()
    discarding = asyncio.create_task(discard(producer, 0.2))
    await asyncio.sleep(0)
    gone.set()
    await discarding


async def _until_written(bench: Bench, records: int) -> None:
    topic, deadline = bench.route.destination.name, time.monotonic() + HANG
    while sum((await ends(bench.bootstrap_servers, topic)).values()) < records:
        assert time.monotonic() < deadline, "the worker does not write"


async def test_workers_that_come_and_go_share_the_partitions(kafka_bootstrap: str, topics: Topics) -> None:
    limits = LimitSettings(transaction_records=200, records_per_second=3_000)
    bench = await make_bench(kafka_bootstrap, topics, partitions=4, limits=limits)
    await produce(kafka_bootstrap, bench.route.source, numbered(12_000, 4))
    async with bench.running() as first:
        await until(lambda: bench.total("upcaster_records_consumed_total") > 500)
        async with bench.running() as second:
            await until(lambda: len(first.lanes) == len(second.lanes) == 2, "two lanes each")
            before = bench.total("upcaster_records_consumed_total")
            await until(lambda: bench.total("upcaster_records_consumed_total") > before + 1_000)
        await until(caught_up(first, partitions=4))
    await assert_all_once_in_order(bench, 12_000, 4)
    assert bench.total("upcaster_records_consumed_total") == 12_000


def fail_batches(producer: AIOKafkaProducer, failures: list[Exception]) -> None:
    """The producer's batches reach the broker, but the answers are these."""
    send_batch = producer.send_batch

    async def spoiled(*arguments: Any, **options: Any) -> asyncio.Future[Any]:
        taken: asyncio.Future[Any] = await send_batch(*arguments, **options)
        if failures:
            await taken
            taken = asyncio.get_running_loop().create_future()
            taken.set_exception(failures.pop(0))
        return taken

    producer.send_batch = spoiled


def fail_commits(producer: AIOKafkaProducer, failures: list[Exception]) -> None:
    """Commits reach the coordinator, but the answers are these: nobody can tell what became of them."""
    commit = producer.commit_transaction

    async def spoiled() -> None:
        await commit()
        if failures:
            raise failures.pop(0)

    producer.commit_transaction = spoiled


@pytest.mark.parametrize("spoil", [fail_batches, fail_commits])
@pytest.mark.parametrize("error", [RequestTimedOutError, ProducerFenced, TimeoutError, AssertionError])
async def test_after_anything_unclear_the_lane_starts_again(
    kafka_bootstrap: str, topics: Topics, spoil: Any, error: type[Exception]
) -> None:
    bench = await make_bench(kafka_bootstrap, topics, limits=LimitSettings(transaction_records=300))
    await produce(kafka_bootstrap, bench.route.source, numbered(1_000))
    failures: list[Exception] = [error(), error()]
    clients = PlainClients(kafka_bootstrap, bench.group, spoil=lambda producer: spoil(producer, failures))
    async with bench.running(clients) as supervisor:
        await until(caught_up(supervisor, partitions=1))
    assert len(clients.producers) == 3
    await assert_all_once_in_order(bench, 1_000)
    assert bench.total("upcaster_retries_total", error_type=error.__name__) == 2


async def test_a_group_that_has_forgotten_is_not_believed(
    kafka_bootstrap: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen on Kafka 4.3.1 after a broker was killed: a coordinator that knew nothing, for some hundred milliseconds."""
    bench = await make_bench(kafka_bootstrap, topics, limits=LimitSettings(transaction_records=300))
    await produce(kafka_bootstrap, bench.route.source, numbered(1_000))
    failures: list[Exception] = [RequestTimedOutError()]
    clients = PlainClients(kafka_bootstrap, bench.group, spoil=lambda producer: fail_commits(producer, failures))
    asked = 0

    async def forgetful(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return None if asked in {3, 4} else await committed_with_note(*arguments)

    monkeypatch.setattr(lane_context, "committed_with_note", forgetful)
    async with bench.running(clients) as supervisor:
        await until(caught_up(supervisor, partitions=1))
        failures += [RequestTimedOutError()]
        await produce(kafka_bootstrap, bench.route.source, numbered(100))
        await until(lambda: bench.total("upcaster_retries_total", error_type="WentBackError") == 2)
        await until(caught_up(supervisor, partitions=1))
    outputs = await read_settled(kafka_bootstrap, bench.route.destination.name)
    assert len(outputs) == 1_100


async def test_a_record_that_breaks_the_upcaster_is_buried_alone(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    values = [b"old a", b"raise it", b"old b", b"raise it", b"old c"]
    await produce(kafka_bootstrap, bench.route.source, [Record(b"k", value) for value in values])
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=1))
    outputs = await read_settled(kafka_bootstrap, bench.route.destination.name)
    letters = await read_settled(kafka_bootstrap, bench.route.dead_letter.name)
    assert [each.value for each in outputs] == [b"new a", b"new b", b"new c"]
    assert [each.value for each in letters] == [b"raise it"] * 2
    assert dict(letters[0].headers)["__connect.errors.exception.class.name"] == b"ZeroDivisionError"
    assert bench.total("upcaster_records_consumed_total") == 5


async def test_a_right_that_is_missing_is_waited_for(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    await produce(kafka_bootstrap, bench.route.source, numbered(10))
    denial: list[Exception] = [TopicAuthorizationFailedError(bench.route.destination.name)]
    clients = PlainClients(kafka_bootstrap, bench.group, spoil=lambda producer: fail_batches(producer, denial))
    async with bench.running(clients, timeouts=replace(QUICK, denied_pause=0.5)) as supervisor:
        await until(lambda: any("grant the worker's user the right" in each for each in supervisor.why_not_ready()))
        await until(caught_up(supervisor, partitions=1))
        assert supervisor.why_not_ready() == []
    assert bench.total("upcaster_errors_total", error_type="TopicAuthorizationFailedError") == 1
    await assert_all_once_in_order(bench, 10)


async def test_the_committed_offset_is_read_only_after_the_producer_has_started(
    kafka_bootstrap: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read earlier, it can be the one before the transaction whose markers are still being written."""
    bench = await make_bench(kafka_bootstrap, topics)
    seen: list[str] = []

    def watch(producer: AIOKafkaProducer) -> None:
        producer.start = told(producer.start, "producer")

    def told(call: Any, name: str) -> Any:
        async def telling(*arguments: Any) -> Any:
            answer = await call(*arguments)
            seen.append(name)
            return answer

        return telling

    def seek(*arguments: Any) -> None:
        seen.append("seek")
        true_seek(*arguments)

    supervisor = bench.supervisor(PlainClients(kafka_bootstrap, bench.group, spoil=watch))
    consumer = supervisor._consumer
    monkeypatch.setattr(lane_context, "committed_with_note", told(committed_with_note, "committed"))
    true_seek, consumer.seek = consumer.seek, seek
    await supervisor.start()
    await until(caught_up(supervisor, partitions=1))
    await supervisor.stop()
    assert seen == ["producer", "committed", "seek"]


async def test_what_retention_deletes_unread_is_reported(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    await produce(kafka_bootstrap, bench.route.source, numbered(10))
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=1))
    await produce(kafka_bootstrap, bench.route.source, numbered(100)[10:])
    async with admin_of(kafka_bootstrap) as client:
        await client.delete_records({TopicPartition(bench.route.source, 0): RecordsToDelete(before_offset=70)})
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=1))
        assert bench.total("upcaster_errors_total", stage="fetch", error_type="RetentionOvertook") == 60
    outputs = await read_settled(kafka_bootstrap, bench.route.destination.name)
    assert [each.value for each in outputs] == [b"new %d" % n for n in (*range(10), *range(70, 100))]


async def test_a_destination_that_is_deleted_is_not_created_again(kafka_bootstrap: str, topics: Topics) -> None:
    """Brokers would make it with their own settings, under which old events may be gone as soon as they arrive."""
    bench = await make_bench(kafka_bootstrap, topics)
    name = bench.route.destination.name
    async with bench.running(timeouts=replace(QUICK, operation=2)) as supervisor:
        await until(caught_up(supervisor, partitions=1))
        async with admin_of(kafka_bootstrap) as client:
            await client.delete_topics([name])
            await produce(kafka_bootstrap, bench.route.source, numbered(10))
            await until(lambda: any(f"{name} does not exist any more" in each for each in supervisor.why_not_ready()))
            assert name not in {topic["topic"] for topic in await client.describe_topics()}
            await topics.create("destination", configs={"retention.ms": "-1"})
        await until(caught_up(supervisor, partitions=1))
    await assert_all_once_in_order(bench, 10)


async def test_a_source_that_is_created_again_while_the_worker_stands_still_is_not_skipped(
    kafka_bootstrap: str, topics: Topics
) -> None:
    """To its fetches nothing has happened, and the new one has more records than the old one had."""
    bench = await make_bench(kafka_bootstrap, topics)
    await produce(kafka_bootstrap, bench.route.source, numbered(10))
    async with bench.running(timeouts=replace(QUICK, believed=0)) as supervisor:
        await until(caught_up(supervisor, partitions=1))
        elsewhere = threading.Thread(target=lambda: asyncio.run(make_anew(kafka_bootstrap, bench.route.source, 30)))
        elsewhere.start()
        elsewhere.join()
        await until(supervisor.why_not_ready)
        assert any("created again" in each or "does not exist any more" in each for each in supervisor.why_not_ready())
    await assert_all_once_in_order(bench, 10)
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=1))
    outputs = await read_settled(kafka_bootstrap, bench.route.destination.name)
    assert [each.value for each in outputs] == [b"new %d" % n for n in (*range(10), *range(30))]


async def make_anew(bootstrap_servers: str, topic: str, records: int) -> None:
    await delete_topics(bootstrap_servers, [topic])
    await make_topic(bootstrap_servers, topic, 1, {"retention.ms": "-1"})
    await produce(bootstrap_servers, topic, numbered(records))


async def test_a_partition_that_the_destination_does_not_have_waits_alone(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics, partitions=2)
    clients = PlainClients(kafka_bootstrap, bench.group, consumer_options={"metadata_max_age_ms": 300})
    async with bench.running(clients) as supervisor:
        await until(caught_up(supervisor, partitions=2))
        async with admin_of(kafka_bootstrap) as client:
            await client.create_partitions({bench.route.source: NewPartitions(3)})
        await until(lambda: len(supervisor.lanes) == 3)
        await produce(kafka_bootstrap, bench.route.source, numbered(30, partitions=3))
        await until(lambda: bench.total("upcaster_records_consumed_total") == 20)
        (reason,) = supervisor.why_not_ready()
        assert f"{bench.route.source}:2: blocked" in reason
        assert "give both as many, then restart the worker" in reason


@pytest.mark.parametrize("which", ["destination", "dead_letter"])
async def test_a_topic_created_again_with_fewer_partitions_is_reported(
    kafka_bootstrap: str, topics: Topics, which: str
) -> None:
    """What belongs into a partition that is gone would wait for it for ever; the lanes of the others go on."""
    bench = await make_bench(kafka_bootstrap, topics, partitions=2)
    topic = getattr(bench.route, which).name
    async with bench.running(timeouts=replace(QUICK, operation=2)) as supervisor:
        await until(caught_up(supervisor, partitions=2))
        await delete_topics(kafka_bootstrap, [topic])
        await make_topic(kafka_bootstrap, topic, 1, {"retention.ms": "-1"})
        word = "old" if which == "destination" else "bad"
        await produce(kafka_bootstrap, bench.route.source, [Record(b"k", b"%s 1" % word.encode(), partition=1)])
        told = f"{topic} has 1 partition, it had 2 when the worker started: create it again as it was"
        await until(lambda: any(told in each for each in supervisor.why_not_ready()))
        async with admin_of(kafka_bootstrap) as client:
            await client.create_partitions({topic: NewPartitions(2)})
        await until(lambda: bench.total("upcaster_records_consumed_total") == 1)
        await until(lambda: not supervisor.why_not_ready())
    assert [each.partition for each in await read_settled(kafka_bootstrap, topic)] == [1]


@pytest.mark.parametrize(("delivery", "kind"), [("exactly-once", ExactlyOnce), ("at-least-once", AtLeastOnce)])
async def test_a_note_that_the_brokers_do_not_keep_is_reported(
    kafka_bootstrap: str, topics: Topics, monkeypatch: pytest.MonkeyPatch, delivery: str, kind: type[Any]
) -> None:
    """aiokafka calls it an unexpected error during batch delivery."""
    bench = await make_bench(kafka_bootstrap, topics, delivery=delivery)
    await produce(kafka_bootstrap, bench.route.source, numbered(3))
    commit, notes = kind.commit, ["x" * 5000]

    async def with_long_note(self: Any, offset: int, note: str = "") -> None:
        await commit(self, offset, notes[0] if notes else note)

    monkeypatch.setattr(kind, "commit", with_long_note)
    async with bench.running() as supervisor:
        await until(lambda: any("rebuilding" in each for each in supervisor.why_not_ready()))
        (why,) = supervisor.why_not_ready()
        assert (
            "OffsetMetadataTooLargeError: the text that the worker commits beside its offset is longer than the "
            "brokers accept" in why
        )
        assert "while committing: raise offset.metadata.max.bytes of the brokers" in why
        notes.clear()
        await until(caught_up(supervisor, partitions=1))
