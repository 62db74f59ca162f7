"""Lag as metrics show it, on a real broker: at every moment exact or absent, whatever happens to the partition.

Each record has a timestamp of its own, so that the age of any other record would be seen to be wrong.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry

from tests.kafka import Record, Topics, delete_before, produce
from tests.lanes import Bench, make_bench, until
from tests.limits import HANG
from worker.lanes.lane import Lane
from worker.lanes.state import LaneState
from worker.lanes.supervisor import Supervisor
from worker.settings import BreakerSettings, LimitSettings

AN_HOUR_AGO = round((time.time() - 3_600) * 1000)
FAR_BEHIND = 3_000
"""Records: some are left when there were enough looks at how old they are."""
LOOKS = 10
CLOCK = 0.002
"""Seconds by which the age that is shown may be rounded."""


def stamp(offset: int) -> int:
    """Milliseconds; not in order, as in real topics."""
    return AN_HOUR_AGO + offset * 7_919 % 1_000 * 1_000


def stamped(count: int, first: int = 0, word: bytes = b"old") -> list[Record]:
    return [Record(b"k", word + b" %d" % n, (), stamp(n)) for n in range(first, first + count)]


def shown(registry: CollectorRegistry) -> dict[str, dict[str, float]]:
    """Values by partition, by name; all of one moment."""
    found: dict[str, dict[str, float]] = {}
    for family in registry.collect():
        for sample in family.samples:
            if "partition" in sample.labels and "consumed" not in sample.name:
                found.setdefault(sample.name.removeprefix("upcaster_"), {})[sample.labels["partition"]] = sample.value
    return found


async def watch_until(
    bench: Bench, condition: Callable[[dict[str, dict[str, float]]], object], kept: int = 0, ages: int = 0
) -> int:
    """Look all the time. Every age that is shown is right: of the record at the committed offset, or of offset ``kept``
    where retention has deleted those before it. Goes on until at least so many ``ages`` were seen that are not 0, and
    returns how many it were."""
    deadline, seen = time.monotonic() + HANG, 0
    while True:
        before, now_shown, after = time.time(), shown(bench.registries[-1]), time.time()
        for partition, age in now_shown.get("consumer_lag_seconds", {}).items():
            oldest = max(kept, int(now_shown["partition_committed_offset"][partition]))
            if oldest >= now_shown["partition_end_offset"][partition]:
                assert age == 0
            else:
                written = stamp(oldest) / 1000
                assert before - written - CLOCK <= age <= after - written + CLOCK, f"at {partition}:{oldest}"
                seen += 1
        if condition(now_shown) and seen >= ages:
            return seen
        assert time.monotonic() < deadline, f"still waiting, {now_shown}"
        await asyncio.sleep(0.005)


def age_is(known: bool) -> Callable[[dict[str, dict[str, float]]], bool]:
    return lambda seen: bool(seen.get("consumer_lag_seconds")) is known and bool(seen.get("consumer_lag"))


def has_committed(offset: int) -> Callable[[dict[str, dict[str, float]]], bool]:
    return lambda seen: seen.get("partition_committed_offset", {}).get("0", 0) >= offset


def caught_up(seen: dict[str, dict[str, float]]) -> bool:
    return seen.get("consumer_lag_seconds", {}).get("0") == 0


async def the_lane(supervisor: Supervisor) -> Lane:
    await until(lambda: len(supervisor.lanes) == 1)
    (lane,) = supervisor.lanes
    return lane


async def test_exact_in_a_backlog_over_a_restart_and_in_an_idle_topic(kafka_bootstrap: str, topics: Topics) -> None:
    limits = LimitSettings(records_per_second=150, transaction_records=15)
    bench = await make_bench(kafka_bootstrap, topics, limits=limits)
    await produce(kafka_bootstrap, bench.route.source, stamped(FAR_BEHIND))
    async with bench.running():
        await watch_until(bench, has_committed(60), ages=LOOKS)
    assert shown(bench.registries[-1]) == {}, "nothing of a partition that is not ours any more"
    async with bench.running() as supervisor:
        await watch_until(bench, has_committed(120), ages=LOOKS)
        supervisor.limit_rate(bench.route.source, None)
        await watch_until(bench, caught_up)
        looks = iter(range(200))
        assert await watch_until(bench, lambda _seen: next(looks, None) is None) == 0
        assert shown(bench.registries[-1])["consumer_lag"] == {"0": 0}


async def test_exact_for_records_that_came_while_the_lane_was_paused(kafka_bootstrap: str, topics: Topics) -> None:
    """Nobody has fetched them; and when retention overtakes the worker, what it deleted has no age any more."""
    bench = await make_bench(kafka_bootstrap, topics)
    async with bench.running() as supervisor:
        lane = await the_lane(supervisor)
        supervisor.pause(bench.route.source)
        await until(lambda: lane.state is LaneState.PAUSED)
        await produce(kafka_bootstrap, bench.route.source, stamped(10))
        await watch_until(bench, age_is(known=True))
        for kept, left in ((6, 4), (10, 0)):
            await delete_before(kafka_bootstrap, bench.route.source, kept)
            await watch_until_retention_shows(bench, left)
            await watch_until(bench, age_is(known=True), kept)
        await produce(kafka_bootstrap, bench.route.source, stamped(5, first=10))
        supervisor.resume(bench.route.source)
        await watch_until(bench, lambda seen: seen["partition_committed_offset"]["0"] == 15, kept=10)
        await watch_until(bench, caught_up)


async def watch_until_retention_shows(bench: Bench, left: int) -> None:
    deadline = time.monotonic() + HANG
    while shown(bench.registries[-1])["consumer_lag"]["0"] != left:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_exact_while_the_breaker_is_open(kafka_bootstrap: str, topics: Topics) -> None:
    breaker = BreakerSettings(rate=0.5, window=20)
    bench = await make_bench(kafka_bootstrap, topics, breaker=breaker, limits=LimitSettings(transaction_records=7))
    await produce(kafka_bootstrap, bench.route.source, stamped(100, word=b"bad"))
    async with bench.running():
        await watch_until(bench, lambda seen: seen.get("breaker_open", {}).get("0"))
        await watch_until(bench, lambda _seen: True, ages=LOOKS)


async def test_exact_behind_what_was_rolled_back(kafka_bootstrap: str, topics: Topics) -> None:
    """The oldest record is the first that can be read, not the first that is there."""
    bench = await make_bench(kafka_bootstrap, topics, limits=LimitSettings(records_per_second=1, transaction_records=1))
    source = bench.route.source
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, transactional_id=topics.name("writer")) as writer:
        for commit in (False, True):
            await writer.begin_transaction()
            for n in range(2):
                at = stamp(700 if commit else n)
                await writer.send(source, b"old", b"k", partition=0, timestamp_ms=at)
            await (writer.commit_transaction() if commit else writer.abort_transaction())
    async with bench.running():
        registry, deadline = bench.registries[-1], time.monotonic() + HANG
        while "consumer_lag_seconds" not in shown(registry):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.005)
        before, age, after = time.time(), shown(registry)["consumer_lag_seconds"]["0"], time.time()
        assert before - stamp(700) / 1000 - CLOCK <= age <= after - stamp(700) / 1000 + CLOCK


async def test_each_partition_is_shown_by_its_owner_alone(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics, partitions=2)
    async with bench.running():
        await watch_until(bench, lambda seen: set(seen.get("consumer_lag_seconds", ())) == {"0", "1"})
        async with bench.running():
            await until(lambda: all(len(shown(each).get("consumer_lag_seconds", ())) == 1 for each in bench.registries))
            first, second = (set(shown(registry)["consumer_lag_seconds"]) for registry in bench.registries)
            assert first | second == {"0", "1"}
            assert not first & second
            for registry in bench.registries:
                for name, values in shown(registry).items():
                    assert len(values) == 1, name
