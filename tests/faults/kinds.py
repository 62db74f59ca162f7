"""The kinds of faults. Each brings one about and, where it is not over by itself, ends it again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaProducer, TopicPartition

from tests.faults import proxy
from tests.faults.clock import Clock, can_jump
from tests.faults.cluster import Node
from tests.faults.coordinators import (
    OFFSETS_TOPIC,
    Takeover,
    leader_of,
    takeover_by_the_coordinator,
    write_old_commits,
)
from tests.faults.events import Kind
from tests.faults.world import BREAKER_WINDOW, SESSION_SECONDS, World, recovered, until
from tests.kafka import committed_offsets
from tests.quotas import quota

WORKER_CLIENT = "upcast"
"""The client id that a worker has by default."""
JUMPS = (-86_400, -3_600, -30, 30, 3_600, 86_400, 30 * 86_400)
"""Seconds."""
WORKERS = 2
MOST_WORKERS = 4
FAILOVERS = 3

Fault = Callable[[World], Awaitable[None]]


async def worker_killed(world: World) -> None:
    await world.fleet.kill(world.some_worker())
    await world.moment()
    await world.start_worker()


async def all_workers_killed(world: World) -> None:
    for member in list(world.fleet.members):
        await world.fleet.kill(member)
    await only_what_is_committed(world)
    for _ in range(WORKERS):
        await world.start_worker()


async def only_what_is_committed(world: World) -> None:
    """No worker runs: all that is visible is committed, and all that is committed is visible (I4)."""
    place, watcher = world.place, world.watcher

    async def agree() -> bool:
        committed = await committed_offsets(place.bootstrap_servers, place.group)
        offsets = [committed.get((place.source, partition), 0) for partition in range(place.partitions)]
        return watcher.reached == [watcher.last_visible(*each) for each in enumerate(offsets)]

    await until(agree, "the output to be what the committed offsets say")


async def worker_frozen(world: World) -> None:
    """Longer than the session timeout: when it wakes up, its partitions are somebody else's."""
    member = world.some_worker()
    await member.freeze()
    await asyncio.sleep(SESSION_SECONDS + world.chance.uniform(1.0, 3.0))
    await member.thaw()


async def workers_come_and_go(world: World) -> None:
    for _ in range(world.chance.randint(1, MOST_WORKERS - len(world.fleet.members))):
        await world.start_worker()
        await world.moment(3.0)
    while len(world.fleet.members) > WORKERS:
        await world.fleet.send_away(world.some_worker())
        await world.moment(2.0)


async def broker_killed(world: World) -> None:
    """On a single broker an outage; in a cluster its leaders and coordinators move."""
    node = world.some_node()
    await _kill_and_restart(world, node)


async def leader_lost(world: World) -> None:
    node = await world.cluster.leader_of(world.place.destination, world.chance.randrange(world.place.partitions))
    await _kill_and_restart(world, node)


async def _kill_and_restart(world: World, node: Node) -> None:
    await asyncio.to_thread(node.broker.kill)
    await world.moment(1.0)
    await asyncio.to_thread(node.broker.restart)


async def broker_frozen(world: World) -> None:
    """It holds its connections and answers nothing; in a cluster it is no leader any more when it wakes up."""
    node = world.some_node()
    with node.frozen():
        await asyncio.sleep(world.chance.uniform(2.0, 8.0))


async def connections_cut(world: World) -> None:
    for _ in range(world.chance.randint(1, 5)):
        world.some_node().proxy.cut()
        await world.moment()


async def broker_out_of_reach(world: World) -> None:
    node = world.some_node()
    async with node.proxy.healed_after():
        node.proxy.refuse()
        await asyncio.sleep(world.chance.uniform(1.0, 4.0))


async def network_slow(world: World) -> None:
    node = world.some_node()
    async with node.proxy.healed_after():
        node.proxy.delay = world.chance.uniform(0.05, 0.3)
        await asyncio.sleep(world.chance.uniform(2.0, 5.0))


async def connections_half_open(world: World) -> None:
    """What was on its way arrives late, long after somebody else has taken over; or never."""
    node = world.some_node()
    async with node.proxy.healed_after():
        node.proxy.half_open()
        await asyncio.sleep(world.chance.uniform(3.0, SESSION_SECONDS + 4.0))
        if world.chance.random() < 0.5:
            node.proxy.cut()


async def answers_lost(world: World) -> None:
    """Nobody can tell what became of these requests."""
    apis = [proxy.PRODUCE, proxy.OFFSET_COMMIT_IN_TRANSACTION, proxy.END_TRANSACTION, proxy.INIT_PRODUCER]
    async with contextlib.AsyncExitStack() as stack:
        for node in world.cluster.nodes:
            await stack.enter_async_context(node.proxy.healed_after())
            for api in apis:
                node.proxy.swallow_answers(api, world.chance.randint(1, 6))
        await asyncio.sleep(world.chance.uniform(1.0, 3.0))


async def destination_stalls(world: World) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for node in world.cluster.nodes:
            await stack.enter_async_context(node.proxy.healed_after())
            node.proxy.hold_writes()
        await asyncio.sleep(world.chance.uniform(2.0, world.longest_stall))


async def disk_full(world: World) -> None:
    """The broker's writes fail, and it gives up. Then there is room again, and it is started."""
    node = world.some_node()
    node.fill_disk()

    async def has_ended() -> bool:
        return node.has_ended

    await until(has_ended, "the broker to give up")
    await world.moment(2.0)
    await asyncio.to_thread(node.broker.restart)


async def large_records(world: World) -> None:
    kinds = [Kind.LARGE, Kind.GROWING, Kind.V1_0, Kind.GROWING, Kind.LARGE, Kind.V1_1]
    await world.feeder.write(world.chance.choices(kinds, k=world.place.partitions * 3))


async def poison_burst(world: World) -> None:
    """Breakers open, the workers say so, and go on when they are told to."""
    before = world.fleet.resumed
    await world.feeder.write([Kind.BROKEN] * BREAKER_WINDOW * world.place.partitions)

    async def has_resumed() -> bool:
        return world.fleet.resumed > before

    await until(has_resumed, "a breaker to open and to be closed")


async def lane_fenced(world: World) -> None:
    """Somebody starts with the transactional id of a lane that is in the middle of its work."""
    async with AIOKafkaProducer(bootstrap_servers=world.cluster.direct, transactional_id=world.some_producer()):
        pass


async def late_produce(world: World) -> None:
    """Before Kafka 3.6 a broker takes it as the beginning of a new transaction."""
    await _arrives_late(world, proxy.PRODUCE)


async def late_offsets(world: World) -> None:
    """Up to Kafka 3.6 a coordinator takes them, and then has offsets that wait for ever."""
    await _arrives_late(world, world.chance.choice([proxy.OFFSET_COMMIT_IN_TRANSACTION, proxy.ADD_OFFSETS]))


async def _arrives_late(world: World, api: int) -> None:
    """A request arrives when its transaction was ended, or taken over, without it. Then another worker takes over."""
    late = proxy.Late(api, world.some_producer())
    async with contextlib.AsyncExitStack() as stack:
        for node in world.cluster.nodes:
            await stack.enter_async_context(node.proxy.healed_after())
            node.proxy.make_late(late)
        await world.feeder.feed(world.place.partitions * 20)

        async def is_over() -> bool:
            return late.done.is_set()

        await until(is_over, f"a transaction to be over without its request {api}")
    await exchange_workers(world)


async def coordinator_slow(world: World) -> None:
    """A broker dies, and our group's coordinator has to load what that one had. Meanwhile workers are exchanged. Where
    it has loaded before they begin, nothing is shown, and it is done again with more to load."""
    busy = world.busy_coordinators
    for _ in range(FAILOVERS):
        await _with_much_to_load(world)
        if world.busy_coordinators > busy:
            return
        world.old_commits *= 2


async def _with_much_to_load(world: World) -> None:
    direct, group = world.cluster.direct, world.place.group
    takeover: Takeover | None = None

    async def is_possible() -> bool:
        nonlocal takeover
        takeover = await takeover_by_the_coordinator(direct, group)
        return takeover is not None

    async def is_so_still() -> bool:
        return await takeover_by_the_coordinator(direct, group) == takeover

    await until(is_possible, "leaders to be where they belong")
    assert takeover is not None
    await write_old_commits(direct, takeover.partition, world.old_commits)
    # Who could not keep up with that is no heir meanwhile.
    await until(is_so_still, "the coordinator to have all that it is to take over")
    await _fail_over(world, takeover)


async def _fail_over(world: World, takeover: Takeover) -> None:
    victim, heir = (world.cluster.node(number) for number in (takeover.victim, takeover.heir))
    survivors = f"127.0.0.1:{heir.ports.direct}"
    begins = heir.log_size()
    leader = takeover.victim
    await asyncio.to_thread(victim.broker.kill)

    async def has_moved() -> bool:
        nonlocal leader
        leader = await leader_of(survivors, takeover.partition)
        return leader not in {-1, takeover.victim}

    await until(has_moved, "another broker to take over")
    await world.feeder.feed(world.place.partitions * 100)
    await recovered(world, "what is written after the failover")
    await exchange_workers(world)
    await recovered(world, "the new workers to begin")
    is_busy = leader == takeover.heir and not heir.has_loaded(takeover.partition, since=begins)
    world.busy_coordinators += is_busy
    await asyncio.to_thread(victim.broker.restart)


async def exchange_workers(world: World, **environment: str) -> None:
    """A rolling upgrade: each goes in order, and another one comes."""
    for member in list(world.fleet.members):
        await world.fleet.send_away(member)
        await world.start_worker(**environment)


async def transaction_hangs(world: World) -> None:
    """Somebody else leaves one open for a while: in the source, in what we write, or in our group's offsets."""
    place, partition = world.place, world.chance.randrange(world.place.partitions)
    where = world.chance.choice([place.source, place.destination, place.dead_letter, OFFSETS_TOPIC])
    async with AIOKafkaProducer(bootstrap_servers=world.cluster.direct, transactional_id="somebody-else") as producer:
        await producer.begin_transaction()
        if where == OFFSETS_TOPIC:
            await producer.send_offsets_to_transaction({TopicPartition(place.source, partition): 0}, place.group)
            await exchange_workers(world)
        else:
            await producer.send_and_wait(where, b"never committed", partition=partition)
        await asyncio.sleep(world.chance.uniform(3.0, 10.0))
        await producer.abort_transaction()


async def quota_lowered(world: World) -> None:
    """The brokers let a trickle of our writes through."""
    rate = world.chance.randint(20_000, 60_000)
    async with quota(f"127.0.0.1:{world.some_node().ports.direct}", WORKER_CLIENT, producer_byte_rate=rate):
        await world.feeder.feed(world.place.partitions * 500)
        await asyncio.sleep(world.chance.uniform(5.0, 20.0))


async def clock_jumps(world: World) -> None:
    """Seconds to weeks ahead or back, while the workers work."""
    if not can_jump():
        return
    clock = Clock(world.fleet.config.parent)
    await exchange_workers(world, **clock.environment)
    for seconds in world.chance.sample(JUMPS, 3):
        await world.feeder.feed(world.place.partitions * 20)
        clock.jump(seconds)
        await world.moment(3.0)
        await recovered(world, "the workers to go on by another clock")
    await exchange_workers(world)


SINGLE: dict[str, Fault] = {
    "worker killed": worker_killed,
    "worker frozen": worker_frozen,
    "broker killed": broker_killed,
    "workers come and go": workers_come_and_go,
    "all workers killed": all_workers_killed,
    "broker frozen": broker_frozen,
    "connections cut": connections_cut,
    "broker out of reach": broker_out_of_reach,
    "network slow": network_slow,
    "connections half-open": connections_half_open,
    "answers lost": answers_lost,
    "destination stalls": destination_stalls,
    "disk full": disk_full,
    "records at the size limit": large_records,
    "poison burst": poison_burst,
    "lane fenced": lane_fenced,
    "late produce": late_produce,
    "late offsets": late_offsets,
    "transaction hangs": transaction_hangs,
    "quota lowered": quota_lowered,
    "clock jumps": clock_jumps,
}
CLUSTER: dict[str, Fault] = {
    "leader lost": leader_lost,
    "worker killed": worker_killed,
    "connections half-open": connections_half_open,
    "answers lost": answers_lost,
    "coordinator slow": coordinator_slow,
    "late produce": late_produce,
    "late offsets": late_offsets,
    "transaction hangs": transaction_hangs,
}
