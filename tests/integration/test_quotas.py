"""Under a quota of the brokers the lanes go on at its rate and say so, whatever they had begun with."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.kafka import Record, Topics, produce
from tests.lanes import QUICK, Bench, PlainClients, caught_up, make_bench, read_settled, until
from tests.limits import HANG
from tests.quotas import quota, set_quota
from worker.lanes.rate_limits import THROTTLED
from worker.lanes.supervisor import Supervisor

RECORDS, SIZE = 20, 50_000
PRODUCE_REQUEST = 0
"""Its number in the protocol."""
WORTH_WAITING = replace(QUICK, operation=4, stuck_after=3)
"""What a quota of these tests makes wait is longer than both."""


async def bench_of(address: str, topics: Topics, **route: Any) -> Bench:
    bench = await make_bench(address, topics, **route)
    await produce(address, bench.route.source, [Record(b"%d" % n, b"grow %d" % SIZE) for n in range(RECORDS)])
    return bench


def clients_of(bench: Bench, name: str, **options: Any) -> PlainClients:
    options = {"client_id": name, **options}
    return PlainClients(bench.bootstrap_servers, bench.group, options=options, consumer_options={"client_id": name})


async def watch(supervisor: Supervisor) -> set[str]:
    """Until everything is through; what lanes gave as their reasons meanwhile."""
    seen: set[str] = set()

    def look() -> bool:
        seen.update(each.reason for each in supervisor.status())
        # At the moment when the brokers' wait ends, however long it was and however slow this machine is.
        assert not any(lane.is_stuck(lane._producer.throttled_until) for lane in supervisor.lanes)
        return caught_up(supervisor, partitions=1)()

    await until(look)
    return seen


async def numbers(bench: Bench) -> list[int]:
    return [int(each.key or b"") for each in await read_settled(bench.bootstrap_servers, bench.route.destination.name)]


@pytest.mark.long
@pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
async def test_what_is_too_large_for_a_quota_gets_through_in_smaller_pieces(
    kafka_bootstrap: str, topics: Topics, delivery: str
) -> None:
    """The first transaction would be throttled for longer than the brokers keep it open."""
    bench, name = await bench_of(kafka_bootstrap, topics, delivery=delivery), topics.name("slow")
    options = {"transaction_timeout_ms": 4_000} if delivery == "exactly-once" else {}
    async with (
        quota(kafka_bootstrap, name, producer_byte_rate=65_000),
        bench.running(clients_of(bench, name, **options), WORTH_WAITING) as supervisor,
    ):
        reasons = await watch(supervisor)
    assert await numbers(bench) == list(range(RECORDS))
    assert any(THROTTLED in each for each in reasons)
    assert bench.total("upcaster_throttled_seconds_total", request="produce") > 1
    assert bench.total("upcaster_retries_total") <= 4


@pytest.mark.long
async def test_reading_under_a_quota_is_reported(kafka_bootstrap: str, topics: Topics) -> None:
    """What has come is worked on meanwhile."""
    bench, name = await make_bench(kafka_bootstrap, topics), topics.name("slow")
    await produce(
        kafka_bootstrap, bench.route.source, [Record(b"%d" % n, b"old " + b"x" * SIZE) for n in range(RECORDS)]
    )
    clients = clients_of(bench, name)
    clients.consumer_options |= {"max_partition_fetch_bytes": 300_000}
    async with quota(kafka_bootstrap, name, consumer_byte_rate=80_000), bench.running(clients) as supervisor:
        reasons = await watch(supervisor)
    assert await numbers(bench) == list(range(RECORDS))
    assert f"{THROTTLED} (fetch)" in reasons
    assert bench.total("upcaster_throttled_seconds_total", request="fetch") > 0


async def test_a_quota_that_is_taken_away_is_forgotten(kafka_bootstrap: str, topics: Topics) -> None:
    bench, name = await bench_of(kafka_bootstrap, topics), topics.name("slow")
    await set_quota(kafka_bootstrap, name, "producer_byte_rate", 65_000)
    async with bench.running(clients_of(bench, name), WORTH_WAITING) as supervisor:
        await until(lambda: any(THROTTLED in each.reason for each in supervisor.status()))
        await set_quota(kafka_bootstrap, name, "producer_byte_rate", None)
        await watch(supervisor)
        before = bench.total("upcaster_throttled_seconds_total")
        await produce(
            kafka_bootstrap, bench.route.source, [Record(b"%d" % n, b"old") for n in range(RECORDS, 3 * RECORDS)]
        )
        await until(lambda: bench.total("upcaster_records_consumed_total") == 3 * RECORDS)
        assert bench.total("upcaster_throttled_seconds_total") == before
        await until(lambda: [each.reason for each in supervisor.status()] == [""])
    assert await numbers(bench) == list(range(3 * RECORDS))


def ask_for_an_hour(supervisor: Supervisor) -> None:
    """On each connection over which the lanes write."""
    for lane in supervisor.lanes:
        throttling = lane._producer.delivery.throttling
        for connection in list(throttling._connections):
            throttling.note_wait(connection, PRODUCE_REQUEST, 3_600)


async def test_a_worker_that_waits_for_a_quota_stops_at_once(kafka_bootstrap: str, topics: Topics) -> None:
    """And leaves nothing behind: neither a transaction that is open nor output without its offset."""
    bench, name = await bench_of(kafka_bootstrap, topics), topics.name("slow")
    async with quota(kafka_bootstrap, name, producer_byte_rate=10_000):
        async with bench.running(clients_of(bench, name), WORTH_WAITING) as supervisor:
            await until(lambda: any(THROTTLED in each.reason for each in supervisor.status()))
            ask_for_an_hour(supervisor)
            async with asyncio.timeout(HANG):
                await supervisor.stop()
        assert len(await numbers(bench)) == bench.total("upcaster_records_consumed_total")
