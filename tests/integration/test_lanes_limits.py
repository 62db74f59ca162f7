"""Lanes on a real broker, with records that somebody refuses: size, timestamps, names of headers."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from tests.faults.cluster import configure_topic
from tests.kafka import NotUtf8, Record, Topics, produce
from tests.lanes import Bench, PlainClients, caught_up, make_bench, read_settled, until
from worker.kafka.raw_headers import decode_headers, encode_headers
from worker.routes.route import OutputTopic
from worker.settings import BreakerSettings

HOUR_MS = 3_600_000


async def results(
    bench: Bench, clients: PlainClients | None = None, partitions: int = 1
) -> tuple[list[Record], list[Record]]:
    """Let a worker do its work; then what is in the destination and in the dead-letter topic."""
    async with bench.running(clients) as supervisor:
        await until(caught_up(supervisor, partitions=partitions))
    outputs = await read_settled(bench.bootstrap_servers, bench.route.destination.name)
    return outputs, await read_settled(bench.bootstrap_servers, bench.route.dead_letter.name)


def reason(letter: Record) -> tuple[bytes, bytes]:
    headers = dict(letter.headers)
    return headers["__connect.errors.stage"], headers["__connect.errors.exception.class.name"]


async def test_output_too_large_for_the_destination_becomes_a_dead_letter(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    sizes = [1_048_400, 1_048_600, 10, 3_000_000, 1_048_400]
    await produce(kafka_bootstrap, bench.route.source, [Record(b"", b"grow %d" % size) for size in sizes])
    outputs, letters = await results(bench)
    assert [len(each.value or b"") for each in outputs] == [1_048_400, 10, 1_048_400]
    assert [each.value for each in letters] == [b"grow 1048600", b"grow 3000000"]
    assert reason(letters[0]) == (b"produce", b"MessageSizeTooLargeError")


async def test_a_refusal_that_nobody_explains_is_narrowed_down_to_its_record(
    kafka_bootstrap: str, topics: Topics
) -> None:
    small = await topics.create("small", configs={"retention.ms": "-1", "max.message.bytes": "20000"})
    bench = await make_bench(kafka_bootstrap, topics)
    bench.route = replace(bench.route, destination=OutputTopic(small, 1, max_message_bytes=1_000_000))
    values = [b"old %d" % n if n != 333 else b"grow 30000" for n in range(1_000)]
    await produce(kafka_bootstrap, bench.route.source, [Record(b"k", value) for value in values])
    outputs, letters = await results(bench, PlainClients(kafka_bootstrap, bench.group, tells_sizes=False))
    assert [each.value for each in outputs] == [b"new %d" % n for n in range(1_000) if n != 333]
    assert [each.value for each in letters] == [b"grow 30000"]
    assert reason(letters[0]) == (b"produce", b"MessageSizeTooLargeError")


@pytest.mark.parametrize("lowered", ["destination", "dead_letter"])
async def test_a_limit_that_is_lowered_under_the_worker_is_learned_from_one_refusal(
    kafka_bootstrap: str, topics: Topics, lowered: str
) -> None:
    bench = await make_bench(kafka_bootstrap, topics, breaker=BreakerSettings(rate=1.0))
    topic: OutputTopic = getattr(bench.route, lowered)
    word = {"destination": b"old", "dead_letter": b"bad"}[lowered]
    values = [b"%s %d %s" % (word, n, b"x" * 3_000) for n in range(1_000)]
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=1))
        await configure_topic(kafka_bootstrap, topic.name, {"retention.ms": "-1", "max.message.bytes": "20000"})
        records = [*values[:333], b"grow 30000" if word == b"old" else values[333], *values[334:]]
        await produce(kafka_bootstrap, bench.route.source, [Record(b"k", value) for value in records])
        # The lag is that of the last fetch, which may have been before.
        await until(lambda: bench.total("upcaster_records_consumed_total") == 1_000)
    assert bench.total("upcaster_retries_total") == 1
    found = [each.value for each in await read_settled(kafka_bootstrap, topic.name)]
    letters = await read_settled(kafka_bootstrap, bench.route.dead_letter.name)
    if word == b"old":
        assert found == [b"new" + value[3:] for n, value in enumerate(values) if n != 333]
        assert [each.value for each in letters] == [b"grow 30000"]
        assert reason(letters[0]) == (b"produce", b"MessageSizeTooLargeError")
    else:
        assert found == values


async def test_a_dead_letter_topic_that_takes_more_at_last_needs_no_restart(
    kafka_bootstrap: str, topics: Topics
) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    dead_letter, kept = bench.route.dead_letter.name, {"retention.ms": "-1"}
    await configure_topic(kafka_bootstrap, dead_letter, {**kept, "max.message.bytes": "20000"})
    bench.route = replace(bench.route, dead_letter=OutputTopic(dead_letter, 1, max_message_bytes=20_000))
    await produce(kafka_bootstrap, bench.route.source, [Record(b"k", b"bad " + b"x" * 30_000)])
    async with bench.running() as supervisor:
        await until(lambda: any("then resume the route" in each for each in supervisor.why_not_ready()))
        await configure_topic(kafka_bootstrap, dead_letter, kept)
        supervisor.resume(bench.route.source)
        await until(caught_up(supervisor, partitions=1))
    assert len(await read_settled(kafka_bootstrap, dead_letter)) == 1


@pytest.mark.parametrize("known", [True, False])
async def test_timestamps_far_ahead_become_dead_letters_with_the_time_of_now(
    kafka_bootstrap: str, topics: Topics, known: bool
) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    lenient = await topics.create(
        "lenient", configs={"retention.ms": "-1", "message.timestamp.after.max.ms": str(1000 * HOUR_MS)}
    )
    bench.route = replace(bench.route, source=lenient)
    if known:
        bench.route = replace(
            bench.route,
            destination=replace(bench.route.destination, max_timestamp_ahead_ms=HOUR_MS),
            dead_letter=replace(bench.route.dead_letter, max_timestamp_ahead_ms=HOUR_MS),
        )
    now = round(time.time() * 1000)
    ahead = now + 5 * HOUR_MS
    records = [Record(b"k", b"old %d" % n, (), ahead if n == 5 else now) for n in range(10)]
    await produce(kafka_bootstrap, lenient, records)
    outputs, letters = await results(bench)
    assert [each.value for each in outputs] == [b"new %d" % n for n in range(10) if n != 5]
    assert [each.value for each in letters] == [b"old 5"]
    assert now <= (letters[0].timestamp or 0) < now + HOUR_MS
    assert dict(letters[0].headers)["upcaster.dlq.timestamp.original"] == str(ahead).encode()


async def test_a_clock_that_is_behind_makes_no_dead_letters(kafka_bootstrap: str, topics: Topics) -> None:
    """Two hours: to this machine everything is too far ahead, and only the brokers know what is."""
    bench = await make_bench(kafka_bootstrap, topics)
    lenient = await topics.create(
        "lenient", configs={"retention.ms": "-1", "message.timestamp.after.max.ms": str(1000 * HOUR_MS)}
    )
    destination, dead_letter = (
        replace(each, max_timestamp_ahead_ms=HOUR_MS) for each in (bench.route.destination, bench.route.dead_letter)
    )
    bench.route = replace(bench.route, source=lenient, destination=destination, dead_letter=dead_letter)
    bench.clock = lambda: time.time() - 2 * HOUR_MS / 1000
    now = round(time.time() * 1000)
    records = [Record(b"k", b"old %d" % n, (), now + (5 * HOUR_MS if n in {5, 7} else 0)) for n in range(20)]
    await produce(kafka_bootstrap, lenient, records)
    outputs, letters = await results(bench)
    assert [each.value for each in outputs] == [b"new %d" % n for n in range(20) if n not in {5, 7}]
    assert [each.value for each in letters] == [b"old 5", b"old 7"]


async def test_a_compacted_destination_refuses_records_without_a_key(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    compacted = await topics.create("compacted", configs={"cleanup.policy": "compact"})
    bench.route = replace(bench.route, destination=OutputTopic(compacted, 1))
    records = [Record(None if n == 2 else b"%d" % n, b"old %d" % n) for n in range(5)]
    await produce(kafka_bootstrap, bench.route.source, records)
    outputs, letters = await results(bench)
    assert [each.value for each in outputs] == [b"new 0", b"new 1", b"new 3", b"new 4"]
    assert [each.value for each in letters] == [b"old 2"]
    assert reason(letters[0]) == (b"produce", b"InvalidRecordError")


@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
async def test_what_has_no_key_is_not_sent_to_a_compacted_destination_again_and_again(
    kafka_bootstrap: str, topics: Topics, policy: str
) -> None:
    """Once the brokers have refused one, the others are dead letters without asking; a split's children have keys."""
    bench = await make_bench(kafka_bootstrap, topics)
    compacted = await topics.create("compacted", configs={"cleanup.policy": policy, "retention.ms": "-1"})
    bench.route = replace(bench.route, destination=OutputTopic(compacted, 1, compacted=True))
    records = [Record(None if n % 2 else b"%d" % n, b"old %d" % n) for n in range(100)]
    records += [Record(None, b"split a,b"), Record(None, b"new c"), Record(b"d", None), Record(None, None)]
    await produce(kafka_bootstrap, bench.route.source, records)
    outputs, letters = await results(bench)
    keyed = [(b"%d" % n, b"new %d" % n) for n in range(0, 100, 2)]
    assert [(each.key, each.value) for each in outputs] == [*keyed, (b"a", b"new a"), (b"b", b"new b"), (b"d", None)]
    assert [each.value for each in letters] == [*(b"old %d" % n for n in range(1, 100, 2)), b"new c", None]
    assert {reason(each) for each in letters} == {(b"produce", b"InvalidRecordError")}
    assert bench.total("upcaster_retries_total", error_type="InvalidRecordError") < 10


async def test_a_topic_that_begins_to_put_its_own_time_on_records_blocks(kafka_bootstrap: str, topics: Topics) -> None:
    """Told by the first answer, before anybody can read what was written."""
    bench = await make_bench(kafka_bootstrap, topics)
    destination, stamp = bench.route.destination.name, 1_700_000_000_000
    records = [Record(b"k", b"old %d" % n, (), stamp + n) for n in range(20)]
    async with bench.running() as supervisor:
        await produce(kafka_bootstrap, bench.route.source, records[:10])
        await until(lambda: bench.total("upcaster_records_consumed_total") == 10)
        await configure_topic(kafka_bootstrap, destination, {"message.timestamp.type": "LogAppendTime"})
        await produce(kafka_bootstrap, bench.route.source, records[10:])
        await until(supervisor.why_not_ready)
        (why,) = supervisor.why_not_ready()
        assert (
            f"blocked ({destination} replaces the timestamps of records (message.timestamp.type is LogAppendTime)"
            in why
        )
        await configure_topic(kafka_bootstrap, destination, {"message.timestamp.type": "CreateTime"})
        supervisor.resume(bench.route.source)
        await until(caught_up(supervisor, partitions=1))
    outputs = await read_settled(kafka_bootstrap, destination)
    assert [(each.value, each.timestamp) for each in outputs] == [(b"new %d" % n, stamp + n) for n in range(20)]


async def test_records_without_a_timestamp_stay_without(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    stamps = [-1, -1, 1_700_000_000_000, -1, 1_700_000_000_001]
    for stamp in stamps:
        # One batch each: a builder that starts with -1 would change it.
        await produce(kafka_bootstrap, bench.route.source, [Record(b"k", b"old a", (), stamp)])
    outputs, _ = await results(bench)
    assert [each.timestamp for each in outputs] == stamps


async def produce_hostile(bootstrap_servers: str, topic: str, records: list[Record], codec: int) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as producer:
        batch = producer.create_batch()
        batch._builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, 0, 1_000_000)  # type: ignore[no-untyped-call,unused-ignore]  # aiokafka has no types, but for some versions of Python
        for record in records:
            batch.append(timestamp=1, key=record.key, value=record.value, headers=list(record.headers))
        await (await producer.send_batch(batch, topic, partition=0))


@pytest.mark.parametrize("codec", [0, 4])
async def test_header_names_that_are_not_utf8_become_dead_letters(
    kafka_bootstrap: str, topics: Topics, codec: int
) -> None:
    bench = await make_bench(kafka_bootstrap, topics, partitions=2)
    bad: Any = [("good", b"1"), (NotUtf8("name"), b"2"), ("null", None)]
    hostile = [Record(b"a", b"old a"), Record(b"b", b"old b", bad), Record(b"c", b"old c")]
    await produce(kafka_bootstrap, bench.route.source, [Record(b"x", b"old x", (), 1, 0)])
    await produce_hostile(kafka_bootstrap, bench.route.source, hostile, codec)
    await produce(
        kafka_bootstrap,
        bench.route.source,
        [Record(b"y", b"old y", (), 1, 0), Record(b"z", b"old z", (), 1, 1)],
    )
    outputs, letters = await results(bench, partitions=2)
    assert [each.value for each in outputs] == [b"new x", b"new a", b"new c", b"new y", b"new z"]
    (letter,) = letters
    assert (letter.key, letter.value, letter.timestamp) == (b"b", b"old b", 1)
    assert letter.headers[:2] == (("good", b"1"), ("null", None))
    assert reason(letter) == (b"decode", b"HeaderNameNotUtf8")
    kept = decode_headers(base64.b64decode(dict(letter.headers)["upcaster.dlq.raw_headers"]))
    assert encode_headers(kept) == b"\x06\x08good\x021\x0c\xff\xfename\x022\x08null\x01"
