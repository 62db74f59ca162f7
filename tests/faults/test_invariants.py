"""Invariants that need a quiet place to be seen exactly: I7, I8 and I10."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from tests.faults.checker import check
from tests.faults.cluster import Cluster, running_cluster
from tests.faults.fleet import FATES, Member
from tests.faults.kinds import answers_lost, connections_cut, lane_fenced, worker_killed
from tests.faults.world import World, committed_to_the_end, make_place, open_world, recovered, until

PARTITIONS = 3
MEGABYTE = 2**20

pytestmark = [pytest.mark.long, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster() -> AsyncIterator[Cluster]:
    async with running_cluster() as running:
        yield running


async def test_the_last_offset_is_passed_also_where_nobody_can_read(cluster: Cluster, tmp_path: Path) -> None:
    """I7: the source ends in records that were taken back, and in markers."""
    place = await make_place(cluster, PARTITIONS, "-markers")
    async with open_world(cluster, place, tmp_path) as world:
        await world.feeder.feed(300)
        await _write_and_take_back(world)
        await world.fleet.start()
        await committed_to_the_end(world)
        for member in list(world.fleet.members):
            await world.fleet.send_away(member)
        verdict = await check(place, world.feeder.ledger)
    assert verdict.is_clean, verdict
    assert world.fleet.complaints == []


async def _write_and_take_back(world: World) -> None:
    async with AIOKafkaProducer(bootstrap_servers=world.cluster.direct, transactional_id="takes-back") as producer:
        await producer.begin_transaction()
        for number in range(30):
            await producer.send_and_wait(world.place.source, b"{}", partition=number % PARTITIONS)
        await producer.abort_transaction()


async def test_memory_is_bounded_while_the_destination_stalls(cluster: Cluster, tmp_path: Path) -> None:
    """I8: far more waits in the source than a worker may hold."""
    place = await make_place(cluster, PARTITIONS, "-stall")
    proxy = cluster.nodes[0].proxy
    async with open_world(cluster, place, tmp_path) as world:
        await world.feeder.feed(150_000)
        async with proxy.healed_after():
            proxy.hold_writes()
            member = await world.fleet.start()
            held = await _held_at_most(member)
        peak = _peak_memory(member)
        await recovered(world, "everything to come out after all")
    assert MEGABYTE < held < 20 * MEGABYTE
    assert peak < 200 * MEGABYTE


async def _held_at_most(member: Member) -> float:
    """The bytes in flight, once they have stopped growing."""
    held = 0.0

    async def grows_no_more() -> bool:
        nonlocal held
        before = held
        await asyncio.sleep(3)
        await member.scrape()
        held = member.sums["upcaster_in_flight_bytes"]
        return 0 < held <= before

    await until(grows_no_more, "fetching to pause")
    return held


def _peak_memory(member: Member) -> int:
    status = Path(f"/proc/{member.worker.process.pid}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


async def test_the_metrics_alone_account_for_every_record(cluster: Cluster, tmp_path: Path) -> None:
    """I10, exactly: whatever becomes of connections and producers, as long as no worker is killed."""
    place = await make_place(cluster, PARTITIONS, "-metrics")
    async with open_world(cluster, place, tmp_path) as world:
        member = await world.fleet.start()
        for fault in (answers_lost, connections_cut, lane_fenced):
            feeding = asyncio.create_task(world.feeder.feed(2_000, 1.0))
            await fault(world)
            await feeding
            await recovered(world, "recovery")
        await committed_to_the_end(world)
        counted = await _settled(world, member)
    ledger = world.feeder.ledger
    assert counted == {
        "upcast": ledger.count("upcast"),
        "passed": ledger.count("passed"),
        "skipped": ledger.count("skipped"),
        "dead_lettered": ledger.count("dead-lettered"),
    }
    assert world.fleet.complaints == []


async def _settled(world: World, member: Member) -> dict[str, float]:
    """The counts, once the last transaction is in them."""

    async def is_settled() -> bool:
        await member.scrape()
        return member.sums["upcaster_records_consumed_total"] >= len(world.feeder.ledger)

    await until(is_settled, "the metrics to have counted everything")
    return {fate: member.sums[f"upcaster_records_{fate}_total"] for fate in FATES}


async def test_at_least_once_may_double_and_loses_nothing(cluster: Cluster, tmp_path: Path) -> None:
    place = await make_place(cluster, PARTITIONS, "-at-least-once")
    async with open_world(cluster, place, tmp_path, delivery="at-least-once") as world:
        await world.start_worker()
        for fault in (answers_lost, worker_killed, connections_cut):
            feeding = asyncio.create_task(world.feeder.feed(2_000, 1.0))
            await fault(world)
            await feeding
            await recovered(world, "recovery")
        await committed_to_the_end(world)
        for member in list(world.fleet.members):
            await world.fleet.send_away(member)
        verdict = await check(place, world.feeder.ledger)
    assert set(verdict.found) <= {"doubled"}, verdict
    assert world.fleet.complaints == []
