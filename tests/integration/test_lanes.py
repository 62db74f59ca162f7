"""Lanes on a real broker: what goes in comes out, once, in order, with a reason where it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.kafka import Record, Topics, committed_offsets, produce
from tests.lanes import Bench, caught_up, make_bench, read_settled, until
from worker.settings.compression import Codec, compression_of

WORDS = [b"old a", b"new b", None, b"bad c", b"skip d", b"split e,f", b"what"]


def mixed(count: int, partitions: int, padding: bytes = b"") -> list[Record]:
    words = [word and word + padding for word in WORDS]
    return [
        Record(
            str(n).encode(),
            words[n % len(words)],
            (("trace", b"%d" % n),),
            1_700_000_000_000 + n,
            n % partitions,
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("size", [0, 3_000], ids=["small values", "large values"])
@pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
async def test_every_offset_is_accounted_for(kafka_bootstrap: str, topics: Topics, delivery: str, size: int) -> None:
    bench = await make_bench(kafka_bootstrap, topics, partitions=2, delivery=delivery)
    await _account_for_all(bench, mixed(700, 2, b"x" * size))


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("size", [0, 3_000], ids=["small values", "large values"])
async def test_the_brokers_take_compressed_batches(
    kafka_bootstrap: str, topics: Topics, codec: Codec, size: int
) -> None:
    bench = await make_bench(kafka_bootstrap, topics, partitions=2)
    route = bench.route
    bench.route = replace(
        route,
        destination=replace(route.destination, compression=compression_of(codec, None)),
        dead_letter=replace(route.dead_letter, compression=compression_of(codec, None)),
    )
    await _account_for_all(bench, mixed(700, 2, b"x" * size))


async def _account_for_all(bench: Bench, sent: list[Record]) -> None:
    kafka_bootstrap = bench.bootstrap_servers
    await produce(kafka_bootstrap, bench.route.source, sent)
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=2))
        assert supervisor.why_not_ready() == []
        assert supervisor.why_not_live() == []
    outputs = await read_settled(kafka_bootstrap, bench.route.destination.name)
    letters = await read_settled(kafka_bootstrap, bench.route.dead_letter.name)
    _check_outputs(sent, outputs)
    _check_letters(sent, letters)
    _check_metrics(bench)
    committed = await committed_offsets(kafka_bootstrap, bench.group)
    assert committed == {(bench.route.source, 0): 350, (bench.route.source, 1): 350}


def _check_outputs(sent: list[Record], outputs: list[Record]) -> None:
    expected = {0: [], 1: []}  # type: dict[int, list[tuple[object, ...]]]
    for record in sent:
        for key, value in _expected(record):
            expected[record.partition].append((key, value, tuple(record.headers), record.timestamp))
    for partition in (0, 1):
        found = [
            (each.key, each.value, tuple(each.headers), each.timestamp)
            for each in outputs
            if each.partition == partition
        ]
        assert found == expected[partition]


def _expected(record: Record) -> list[tuple[bytes | None, bytes | None]]:
    word, _, rest = (record.value or b"").partition(b" ")
    if record.value is None or word == b"new":
        return [(record.key, record.value)]
    if word == b"old":
        return [(record.key, b"new " + rest)]
    return [(part, b"new " + part) for part in rest.split(b",")] if word == b"split" else []


def _check_letters(sent: list[Record], letters: list[Record]) -> None:
    dead = [each for each in sent if each.value and each.value.startswith((b"bad c", b"what"))]
    assert sorted((each.key, each.value, each.timestamp, each.partition) for each in letters) == sorted(
        (each.key, each.value, each.timestamp, each.partition) for each in dead
    )
    for letter in letters:
        headers = dict(letter.headers)
        assert letter.headers[0] == ("trace", letter.key)
        assert headers["__connect.errors.partition"] == b"%d" % letter.partition
        assert len(headers["upcaster.dlq.fingerprint"]) == 16


def _check_metrics(bench: Bench) -> None:
    consumed = bench.total("upcaster_records_consumed_total")
    assert consumed == 700
    assert consumed == sum(
        bench.total(f"upcaster_records_{fate}_total") for fate in ("upcast", "passed", "skipped", "dead_lettered")
    )
    assert bench.total("upcaster_records_produced_total") == 100 * (1 + 1 + 1 + 2)
    assert bench.total("upcaster_records_dead_lettered_total", stage="detect") == 100
    assert bench.total("upcaster_upcasts_total", event_type="thing", from_version="1", to_version="2") == 200
