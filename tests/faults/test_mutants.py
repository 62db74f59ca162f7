"""The suite can fail: each broken worker is caught by a fault that a good one survives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.checker import check
from tests.faults.cluster import Cluster, configure_topic, running_cluster
from tests.faults.kinds import lane_fenced
from tests.faults.mutants import command
from tests.faults.world import World, committed_to_the_end, make_place, open_world, until
from tests.worker_process import COMMAND

RECORDS = 500

pytestmark = [pytest.mark.long, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster() -> AsyncIterator[Cluster]:
    async with running_cluster() as running:
        yield running


async def killed_before_the_output(world: World) -> None:
    """SIGKILL while the first output is on its way."""
    await _hold_output(world)
    await world.fleet.kill(world.some_worker())
    world.cluster.nodes[0].proxy.heal()
    await world.fleet.start()


async def fenced_before_the_output(world: World) -> None:
    """A lane has to start again while the first output is on its way."""
    await _hold_output(world)
    await lane_fenced(world)
    world.cluster.nodes[0].proxy.heal()
    member = world.some_worker()

    async def has_started_again() -> bool:
        await member.scrape()
        ready = await member.get("/readyz")
        return bool(member.sums["upcaster_retries_total"] and ready and ready.status == 200)

    await until(has_started_again, "the lane to start again")


async def refused_output(world: World) -> None:
    """The destination takes smaller batches than it did when the worker asked."""
    smaller = {"retention.ms": "-1", "max.message.bytes": "20000"}
    await configure_topic(world.cluster.direct, world.place.destination, smaller)
    await world.feeder.feed(RECORDS)


async def _hold_output(world: World) -> None:
    proxy = world.cluster.nodes[0].proxy
    proxy.hold_writes()
    await world.feeder.feed(RECORDS)

    async def is_held() -> bool:
        return proxy.held > 0

    await until(is_held, "output on its way")


EXPOSED_BY: dict[str, Callable[[World], Awaitable[None]]] = {
    "commit before produce": killed_before_the_output,
    "ignore failed batches": refused_output,
    "skip the seek": fenced_before_the_output,
}


@pytest.mark.parametrize("broken", [True, False])
@pytest.mark.parametrize("mutation", EXPOSED_BY)
async def test_a_broken_worker_is_caught_and_a_good_one_is_not(
    cluster: Cluster, tmp_path: Path, mutation: str, broken: bool
) -> None:
    place = await make_place(cluster, 1, f"-{mutation.replace(' ', '-')}-{broken}")
    worker = command(mutation) if broken else COMMAND
    async with open_world(cluster, place, tmp_path, command=worker) as world:
        await world.fleet.start()
        await world.feeder.feed(1)
        await committed_to_the_end(world)
        await EXPOSED_BY[mutation](world)
        await world.feeder.feed(RECORDS)
        await committed_to_the_end(world)
        for member in list(world.fleet.members):
            await world.fleet.send_away(member)
        verdict = await check(place, world.feeder.ledger)
    if broken:
        assert verdict.lost > 0, verdict
    else:
        assert verdict.is_clean, verdict
