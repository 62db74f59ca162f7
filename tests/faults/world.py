"""What a run is made of: brokers, workers, a feeder and a watcher, over three topics of its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError

from tests.faults.checker import Place
from tests.faults.cluster import Cluster, Node
from tests.faults.commits import commits_of
from tests.faults.coordinators import make_offsets_topic
from tests.faults.events import MAX_MESSAGE_BYTES, Ledger
from tests.faults.feeder import Feeder
from tests.faults.fleet import Fleet, Member
from tests.faults.reading import ends
from tests.faults.watcher import Watcher
from tests.kafka import committed_offsets
from tests.limits import HANG
from tests.worker_process import COMMAND, write_config

SESSION_SECONDS = 6.0
BREAKER_WINDOW = 100
MENDED_AT_MOST = 3
"""Times in one recovery. A broker may lose its state again."""
CARELESS = {"unclean.leader.election.enable": "true", "min.insync.replicas": "1"}


@dataclass
class World:
    """All that a fault may touch."""

    chance: random.Random
    cluster: Cluster
    fleet: Fleet
    feeder: Feeder
    watcher: Watcher
    place: Place
    longest_stall: float = 4.0
    patience: float = 120.0
    """Seconds without recovery, after which somebody looks whether a broker has lost its state."""
    old_commits: int = 8_000_000
    """What a coordinator that takes over has to read: a matter of ten seconds and more."""
    busy_coordinators: int = 0
    """Failovers in which the group's coordinator was still busy when new workers had begun."""
    mended: int = 0
    """Brokers that had lost their state and were restarted, as their operator would."""

    async def start_worker(self, **environment: str) -> Member:
        """Each with a transaction size of its own, so that faults meet them in other places."""
        size = self.chance.choice([50, 200, 1000])
        return await self.fleet.start(UPCAST_ROUTES__0__LIMITS__TRANSACTION_RECORDS=str(size), **environment)

    def some_worker(self) -> Member:
        return self.chance.choice(self.fleet.members)

    def some_node(self) -> Node:
        return self.chance.choice(list(self.cluster.nodes))

    def some_producer(self) -> str:
        """The transactional id of a lane."""
        partition = self.chance.randrange(self.place.partitions)
        return f"{self.place.group}:{self.place.source}:{partition}"

    async def moment(self, longest: float = 0.5) -> None:
        """Faults come at no particular time."""
        await asyncio.sleep(self.chance.uniform(0, longest))


async def make_place(cluster: Cluster, partitions: int, suffix: str = "", *, careless: str = "") -> Place:
    """Topics as a careful operator makes them: dead letters have room for their headers.

    ``careless`` is one that two brokers have, and one of them is enough to acknowledge, or to lead.
    """
    source, destination = "source" + suffix, "destination" + suffix
    place = Place(cluster.direct, source, destination, source + "-dlt", "upcaster" + suffix, partitions)
    if len(cluster.nodes) > 1:
        await make_offsets_topic(cluster.direct, len(cluster.nodes))
    for topic in (source, destination):
        if topic == careless:
            await cluster.create_topic(topic, {number: [1, 2] for number in range(partitions)}, CARELESS)
        else:
            await cluster.create_topic(topic, partitions)
    await cluster.create_topic(place.dead_letter, partitions, {"max.message.bytes": str(MAX_MESSAGE_BYTES + 32_768)})
    return place


@asynccontextmanager
async def open_world(
    cluster: Cluster,
    place: Place,
    directory: Path,
    *,
    seed: int = 0,
    command: Sequence[str] = COMMAND,
    login: Mapping[str, Any] | None = None,
    **route: Any,
) -> AsyncIterator[World]:
    """No worker runs yet. ``login`` is added to the settings of Kafka; ``route`` overrides the route's settings."""
    ledger = Ledger(place.partitions)
    config = _configure(directory / "upcast.yaml", cluster.proxied, place, route, login or {})
    async with (
        Feeder(cluster.direct, place.source, ledger, seed) as feeder,
        Watcher(cluster.direct, place.destination, place.dead_letter, ledger, lambda: feeder.written) as watcher,
        Fleet(config, place.source, command) as fleet,
    ):
        yield World(random.Random(f"faults {seed}"), cluster, fleet, feeder, watcher, place)


def _configure(
    path: Path, bootstrap_servers: str, place: Place, route: dict[str, Any], login: Mapping[str, Any]
) -> Path:
    usual = {
        "source": place.source,
        "destination": place.destination,
        "dead_letter": place.dead_letter,
        "event_type": [{"header": "event-type"}, {"default": "task_context"}],
        "unknown_type": "skip",
        "breaker": {"window": BREAKER_WINDOW},
    }
    timeouts = {"session_timeout": SESSION_SECONDS, "request_timeout": 10, "start_timeout": 60}
    return write_config(path, bootstrap_servers, place.group, usual | route, **timeouts, **login)


async def until(condition: Callable[[], Awaitable[object]], what: str, seconds: float = HANG) -> None:
    """Wait for something that others bring about."""
    try:
        async with asyncio.timeout(seconds):
            while not await condition():  # noqa: ASYNC110  (what others bring about sets no event here)
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"still waiting for {what} after {seconds:.0f} s") from None


async def recovered(world: World, what: str) -> None:
    """Return when all that is written by now has come out."""
    goals = world.watcher.goals(world.feeder.written)

    async def reached() -> bool:
        return world.watcher.has_reached(goals)

    for _ in range(MENDED_AT_MOST):
        try:
            return await until(reached, what, world.patience)
        except AssertionError:
            if not await _mend_brokers(world):
                break
    try:
        await until(reached, what)
    except AssertionError as error:
        raise AssertionError(f"{error}; {await _circumstances(world)}") from None


async def _circumstances(world: World) -> str:
    """What the workers say, and what the group's coordinator answers beside what is in its log."""
    place = world.place
    ready = [await member.get("/readyz") for member in world.fleet.members]
    answered = await committed_offsets(place.bootstrap_servers, place.group)
    written = await commits_of(place.bootstrap_servers, place.group)
    in_log = {at: offsets[-1] for at, offsets in written.items()}
    return f"workers: {[each and each.text for each in ready]}; offsets: {answered}, in the log: {in_log}"


async def _mend_brokers(world: World) -> bool:
    lost = [node for node in world.cluster.nodes if await asyncio.to_thread(node.has_lost_its_state)]
    for node in lost:
        await asyncio.to_thread(node.broker.kill)
        await asyncio.to_thread(node.broker.restart)
    world.mended += len(lost)
    return bool(lost)


async def committed_to_the_end(world: World) -> None:
    """Return when the group has passed the end of the source; also over what is skipped, and never seen."""
    place = world.place
    goals = dict(enumerate(await ends(place.bootstrap_servers, place.source, place.partitions)))

    async def reached() -> bool:
        try:
            committed = await committed_offsets(place.bootstrap_servers, place.group)
        except KafkaError:
            return False  # a group that nobody has asked for yet has no coordinator
        return all(committed.get((place.source, partition), 0) >= goal for partition, goal in goals.items())

    await until(reached, "the group to be at the end")
