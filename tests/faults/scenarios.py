"""Faults after which something else is right: brokers lose what they had acknowledged, topics are made anew, a password
changes, somebody starts the worker beside a replay. Each has brokers of its own, and says itself what must come out.

``python -m tests.faults.scenarios [NAME…]`` runs them; `make chaos` does so after its long run.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from tests.brokers.releases import named
from tests.elections import elect_unclean
from tests.faults.checker import Place, check
from tests.faults.clock import Clock
from tests.faults.cluster import Cluster, running_cluster
from tests.faults.coordinators import OFFSETS_TOPIC, leaders_of, partition_of, write_old_commits
from tests.faults.events import number_of
from tests.faults.kinds import WORKERS, exchange_workers
from tests.faults.late_offsets import LateOffsets, late_offsets
from tests.faults.reading import records_of
from tests.faults.tracks import Tracks
from tests.faults.world import World, committed_to_the_end, make_place, open_world, recovered, until
from tests.kafka import committed_offsets, delete_topics
from tests.replaying import Ended, ended
from tests.scram import set_password
from tests.worker_process import COMMAND
from upcast_demo.local_kafka.release import NEWEST, Release

PARTITIONS = 3
BEFORE, MEANWHILE, LATER = 300, 300, 900
"""Records: before the fault, those that it hits, and more than that behind it."""
BROKERS_JUMPS = (3_600, -1_800, 30 * 86_400, 0)
"""Seconds from the true time. Further back brokers from 4.0 on would take all records for ones of the future."""
TOO_EARLY = b"Ignored load completion from __consumer_offsets"
"""In the log of a broker from Kafka 4.0 on: the coordinator was at work before it had loaded."""
OLD_COMMITS, FREEZES, LONGER_THAN_ITS_SESSION = 1_000_000, 8, 11.0
"""What a coordinator reads for some seconds; how often its broker stands still meanwhile, and for how many seconds."""
STREAMS, SLICES, AHEAD = 4, 5, 7
"""How often late offsets come, how often something is written meanwhile, and how far they are ahead."""
LOST_OFFSET = "the group's coordinator has lost a committed offset"
RESTART = "restart that broker"
"""What a lane says of a coordinator that its output contradicts."""
SECOND = 2
"""The broker that leads, without the records that broker 1 has acknowledged alone."""
DATED = "dated-by-the-brokers"
QUESTION = "upcast lanes decide"
"""What a lane says that waits for a person."""
USER, OLD_PASSWORD, NEW_PASSWORD = "worker", "the-old-password", "the-new-password"
SCRAM = {
    "listener.security.protocol.map": "DIRECT:PLAINTEXT,PROXIED:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
    "sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.proxied.scram-sha-512.sasl.jaas.config": (
        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    ),
}

Scenario = Callable[[Release, Path], Coroutine[Any, Any, None]]
"""Raises AssertionError where something is wrong."""


async def source_loses_acknowledged(release: Release, directory: Path) -> None:
    """Nobody can say which of the records that now have these offsets were read: a person decides."""
    async with _careless("source", release, directory) as world:
        lost = await _lose_acknowledged(world, world.place.source)
        await _asks(world)
        at = await _committed(world)
        await world.feeder.feed(LATER)
        await exchange_workers(world)
        await _asks(world)
        assert await _committed(world) == at, "a lane went on by itself"
        await _decide(world, "found")
        await _finish(world, lost, goes_back=True)


async def destination_loses_acknowledged(release: Release, directory: Path) -> None:
    """The last offsets that we wrote are known; what is gone, and nothing else, is missing."""
    async with _careless("destination", release, directory) as world:
        lost = await _lose_acknowledged(world, world.place.destination)
        await exchange_workers(world)
        await _asks(world)
        await _decide(world, str((BEFORE + MEANWHILE) // PARTITIONS))
        await world.feeder.feed(LATER)
        await _finish(world, lost)


async def destination_created_again(release: Release, directory: Path) -> None:
    """The lanes wait for it, and what they had not written yet is in the new one."""
    async with _single(release, directory) as world:
        place = world.place
        await delete_topics(place.bootstrap_servers, [place.destination])
        await world.feeder.feed(MEANWHILE)
        await _says(world, place.destination)
        await world.cluster.create_topic(place.destination, PARTITIONS)
        await _goes_on(world)
        await _finish(world, range(BEFORE))


async def source_created_again(release: Release, directory: Path) -> None:
    """Its offsets are gone with it: after a restart all of the new one is read."""
    async with _single(release, directory) as world:
        place = world.place
        await delete_topics(place.bootstrap_servers, [place.source])
        await world.cluster.create_topic(place.source, PARTITIONS)
        await world.feeder.feed(LATER)
        await exchange_workers(world)
        await _finish(world, range(BEFORE), goes_back=True)


async def password_rotated(release: Release, directory: Path) -> None:
    """Connections that are made between the two changes are refused, and said to be."""
    file = directory / "password"
    file.write_text(OLD_PASSWORD, encoding="utf-8")
    login = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_username": USER,
        "sasl_password_file": str(file),
    }
    async with running_cluster(1, release, SCRAM) as cluster:
        direct = cluster.direct
        await set_password(direct, USER, OLD_PASSWORD)
        async with _begun(cluster, await make_place(cluster, PARTITIONS), directory, login=login) as world:
            await set_password(direct, USER, NEW_PASSWORD)
            cluster.nodes[0].proxy.cut()
            await world.feeder.feed(MEANWHILE)
            await _says(world, "login|password|authenticat")
            file.write_text(NEW_PASSWORD, encoding="utf-8")
            await _finish(world)


async def brokers_clock_jumps(release: Release, directory: Path) -> None:
    """Open transactions time out, and the ids of producers expire, all at once."""
    clock = Clock(directory)
    environment = tuple(f"{name}={value}" for name, value in clock.environment.items())
    async with _single(replace(release, environment=environment), directory) as world:
        await world.cluster.create_topic(DATED, 1, {"message.timestamp.type": "LogAppendTime"})
        for seconds in BROKERS_JUMPS:
            feeding = asyncio.create_task(world.feeder.feed(LATER, 2.0))
            await world.moment(2.0)
            clock.jump(seconds)
            assert abs(await _brokers_time(world) - time.time() - seconds) < 60, "the brokers' clock did not jump"
            await feeding
            await recovered(world, f"what is written when the brokers' clock is {seconds:+,} s off")
            await exchange_workers(world)
        await _finish(world)


async def coordinator_loads_again(release: Release, directory: Path) -> None:
    """A broker that stood still for longer than its session loses its partitions and gets them back. Told so while it
    still reads what it had, a coordinator from Kafka 4.0 on answers with what it has read of that so far. Each second
    time the workers are exchanged then, for some that have seen no offset."""
    async with _single(release, directory) as world:
        place, (node,) = world.place, world.cluster.nodes
        await write_old_commits(place.bootstrap_servers, partition_of(place.group), OLD_COMMITS)
        # Written past the coordinator: it has them as its own only after a start.
        await asyncio.to_thread(node.broker.kill)
        await asyncio.to_thread(node.broker.restart)
        await world.feeder.feed(MEANWHILE)
        await recovered(world, "the workers to go on")
        for number in range(FREEZES):
            await world.feeder.feed(MEANWHILE)
            await world.moment(4.0)
            with node.frozen():
                await asyncio.sleep(LONGER_THAN_ITS_SESSION)
            if number % 2:
                for member in list(world.fleet.members):
                    await world.fleet.kill(member)
                    await world.start_worker()
        await recovered(world, "all to come out after the broker stood still")
        told = [line for line in node.broker.log_file.read_bytes().splitlines() if OFFSETS_TOPIC.encode() in line]
        (directory / "coordinator.log").write_bytes(b"\n".join(told))
        early = sum(TOO_EARLY in line for line in told)
        say(f"{early} times a coordinator answered before it had read all")
        await exchange_workers(world)
        await _finish(world)


async def late_offsets_keep_coming(release: Release, directory: Path) -> None:
    """A network hands over what an earlier producer of each lane had sent, without a pause: first behind the abort of
    its transaction (brokers up to 3.6.2 take that), then while the next producers work (up to 3.9 the coordinator drops
    the lane's own offset with each that it refuses). Each second time the workers are killed."""
    async with _single(release, directory) as world:
        sent = taken = 0
        for number in range(STREAMS):
            async with _late_offsets(world) as streams:
                await world.feeder.feed(PARTITIONS * 20)
                await _recovered_or_restarted(world)
                for _ in range(SLICES):
                    await world.feeder.feed(PARTITIONS * 20)
                    await world.moment(1.0)
                if number % 2:
                    for member in list(world.fleet.members):
                        await world.fleet.kill(member)
                        await world.start_worker()
                else:
                    await exchange_workers(world)
            sent += sum(each.sent for each in streams)
            taken += sum(each.taken for each in streams)
            await _recovered_or_restarted(world)
        assert sent, "no late offset has arrived"
        await _finish(world)
        lost = sum(LOST_OFFSET in str(entry) for each in world.fleet.past for entry in each.worker.log)
        say(f"{sent:,} late offsets, {taken} of them taken; {lost} times a lane committed its own again")


@asynccontextmanager
async def _late_offsets(world: World) -> AsyncIterator[list[LateOffsets]]:
    """Past what is committed: where one counted, records would be left out."""
    place = world.place
    committed = await _committed(world)
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                late_offsets(
                    place.bootstrap_servers,
                    f"{place.group}:{place.source}:{partition}",
                    place.group,
                    TopicPartition(place.source, partition),
                    committed.get((place.source, partition), 0) + AHEAD,
                )
            )
            for partition in range(PARTITIONS)
        ]


async def _recovered_or_restarted(world: World) -> None:
    """Where a killed worker's last offset was dropped, its output shows that; an operator restarts the coordinator."""
    goals = world.watcher.goals(world.feeder.written)

    async def asks_for_it() -> bool:
        answers = [await member.get("/readyz") for member in world.fleet.members]
        return any(each is not None and RESTART in each.text for each in answers)

    async def reached_or_asked() -> bool:
        return world.watcher.has_reached(goals) or await asks_for_it()

    await until(reached_or_asked, "the lanes to go on, or to ask for a restart of the coordinator")
    if not world.watcher.has_reached(goals):
        (node,) = world.cluster.nodes
        await asyncio.to_thread(node.broker.kill)
        await asyncio.to_thread(node.broker.restart)
        say("a lane asked for a restart of the coordinator")
    await recovered(world, "the lanes to go on")


async def live_beside_replay(release: Release, directory: Path) -> None:
    """The live worker does not start; all is there once, and the proof holds."""
    async with (
        running_cluster(1, release) as cluster,
        open_world(cluster, await make_place(cluster, PARTITIONS), directory) as world,
    ):
        await world.feeder.feed(3_000)
        allowed = re.findall(r"--allow ([0-9a-f]{16})", (await _upcast(world, "plan")).out)
        await _upcast(world, "plan", *(word for each in dict.fromkeys(allowed) for word in ("--allow", each)))
        replay = await _begin(world, "replay", "plan.json", "--reason", "a test", "--rate", "300")
        await _visible(world)
        live = await _upcast(world, "run")
        assert (live.code, "replay" in live.errors) == (2, True), live
        done = await ended(replay, 120)
        assert done.code == 0, done
        proof = await _upcast(world, "verify", "plan.receipt.json")
        assert proof.code == 0, proof
        await _once(world)


SCENARIOS: dict[str, Scenario] = {
    "source loses acknowledged records": source_loses_acknowledged,
    "destination loses acknowledged records": destination_loses_acknowledged,
    "destination created again": destination_created_again,
    "source created again": source_created_again,
    "password rotated": password_rotated,
    "brokers' clock jumps": brokers_clock_jumps,
    "live beside a replay": live_beside_replay,
    "late offsets keep coming": late_offsets_keep_coming,
    "coordinator loads again": coordinator_loads_again,
}


@asynccontextmanager
async def _begun(cluster: Cluster, place: Place, directory: Path, **more: Any) -> AsyncIterator[World]:
    """Workers run, all of them, and have done what there was."""
    async with open_world(cluster, place, directory, **more) as world:
        try:
            for _ in range(WORKERS):
                await world.start_worker()
            await world.feeder.feed(BEFORE)
            await committed_to_the_end(world)
            await _all_ready(world)
            yield world
        finally:
            world.fleet.save_logs(directory)


@asynccontextmanager
async def _single(release: Release, directory: Path) -> AsyncIterator[World]:
    async with (
        running_cluster(1, release) as cluster,
        _begun(cluster, await make_place(cluster, PARTITIONS), directory) as world,
    ):
        yield world


@asynccontextmanager
async def _careless(topic: str, release: Release, directory: Path) -> AsyncIterator[World]:
    async with (
        running_cluster(3, release) as cluster,
        _begun(cluster, await make_place(cluster, PARTITIONS, careless=topic), directory) as world,
    ):
        yield world


async def _lose_acknowledged(world: World, topic: str) -> range:
    """The numbers that broker 1 alone has acknowledged, before broker 2 leads without them."""
    first, second, _ = world.cluster.nodes
    await asyncio.to_thread(second.broker.kill)
    await world.feeder.feed(MEANWHILE)
    await committed_to_the_end(world)
    await asyncio.to_thread(first.broker.kill)
    await asyncio.to_thread(second.broker.restart)

    survivor = f"127.0.0.1:{second.ports.direct}"

    async def leads() -> bool:
        # Up to Kafka 3.8 KRaft does not look at `unclean.leader.election.enable`. Until the session of broker 1 is over
        # no election is needed, and broker 1 would lead again.
        return await elect_unclean(survivor, topic, PARTITIONS) and await leaders_of(survivor, topic) == {SECOND}

    await until(leads, "broker 2 to lead")
    await asyncio.to_thread(first.broker.restart)
    return range(BEFORE, BEFORE + MEANWHILE)


async def _asks(world: World) -> None:
    """All partitions wait for a person, and say so."""

    async def all_ask() -> bool:
        answers = [await member.get("/readyz") for member in world.fleet.members]
        asking: int = sum(each.text.count(QUESTION) for each in answers if each)
        return asking >= PARTITIONS

    await until(all_ask, f"all lanes to say `{QUESTION}`")


async def _all_ready(world: World) -> None:
    """One that is only starting would be refused by what changes now, rightly."""

    async def are_ready() -> bool:
        answers = [await member.get("/readyz") for member in world.fleet.members]
        return all(each is not None and each.status == 200 for each in answers)

    await until(are_ready, "all workers to have begun")


async def _says(world: World, pattern: str) -> None:
    async def says() -> bool:
        answers = [await member.get("/readyz") for member in world.fleet.members]
        texts = [each.text for each in answers if each and each.status != 200]
        return bool([text for text in texts if re.search(pattern, text)])

    await until(says, f"a worker to say {pattern}")


async def _decide(world: World, place: str) -> None:
    made = await _upcast(world, "lanes", "decide", world.place.source, "--go-on-at", place)
    assert made.code == 0, made


async def _goes_on(world: World) -> None:
    """By itself; or it asks whether it may go on without what was there, and is told so."""
    goals = world.watcher.goals(world.feeder.written)

    async def reached_or_asked() -> bool:
        listed = await _upcast(world, "lanes", "list")
        return world.watcher.has_reached(goals) or QUESTION in listed.out

    await until(reached_or_asked, "the lanes to go on, or to ask")
    if not world.watcher.has_reached(goals):
        await _decide(world, str(BEFORE // PARTITIONS))


async def _finish(world: World, may_be_lost: Collection[int] = (), *, goes_back: bool = False) -> None:
    """All that is written comes out; then the workers stop, and the checker judges."""
    await recovered(world, "all to come out")
    await committed_to_the_end(world)
    for member in list(world.fleet.members):
        await world.fleet.send_away(member)
    verdict = await check(world.place, world.feeder.ledger, may_be_lost)
    if goes_back:
        verdict.found.pop("commits going back", None)
    assert verdict.is_clean, verdict
    unexpected = [each for each in world.fleet.complaints if not each.startswith("the metrics")]
    assert not unexpected, unexpected


async def _committed(world: World) -> dict[tuple[str, int], int]:
    return await committed_offsets(world.place.bootstrap_servers, world.place.group)


async def _brokers_time(world: World) -> float:
    """As the answer to a write tells it."""
    async with AIOKafkaProducer(bootstrap_servers=world.cluster.direct) as producer:
        written = await producer.send_and_wait(DATED, b"now")
    milliseconds: int = written.timestamp
    return milliseconds / 1000


async def _upcast(world: World, *arguments: str) -> Ended:
    return await ended(await _begin(world, *arguments))


async def _begin(world: World, *arguments: str) -> asyncio.subprocess.Process:
    config = world.fleet.config
    return await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        "--config",
        str(config),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=config.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


async def _visible(world: World) -> None:
    async def something() -> bool:
        return world.watcher.visible > 0

    await until(something, "the replay to write")


async def _once(world: World) -> None:
    place, ledger = world.place, world.feeder.ledger
    for topic, fates in ((place.destination, {"upcast", "passed"}), (place.dead_letter, {"dead-lettered"})):
        tracks = Tracks(topic)
        for partition in range(PARTITIONS):
            async for records in records_of(place.bootstrap_servers, topic, partition):
                for record in records:
                    tracks.note(number_of(record.headers), record.partition, record.offset)
        missing = [number for number in range(len(ledger)) if ledger.fate(number) in fates and not tracks.has(number)]
        assert (tracks.doubled, tracks.reordered, missing) == (0, 0, []), tracks.examples


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def run_all(names: Collection[str], release: Release, directory: Path) -> list[str]:
    """What is wrong, by scenario."""
    wrong = []
    for name in names:
        began, complaint = time.monotonic(), _complaint(name, release, directory)
        if complaint:
            wrong.append(f"{name}: {complaint}")
        say(f"{name}: {complaint or 'as it must be'}, {time.monotonic() - began:.0f} s")
    return wrong


def _complaint(name: str, release: Release, directory: Path) -> str:
    place = directory / name.replace(" ", "-")
    place.mkdir(parents=True)
    try:
        asyncio.run(SCENARIOS[name](release, place))
    except (AssertionError, KafkaError, OSError) as error:
        return f"WRONG: {error!r}"
    return ""


def main(arguments: list[str]) -> int:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that connections break is what this is about
    broker = os.environ.get("BROKER")
    release = list(named(broker).values())[-1] if broker else NEWEST
    directory = Path(tempfile.mkdtemp(prefix="upcast-scenarios-"))
    say(f"Kafka {release.version}; logs in {directory}")
    return 1 if run_all(arguments or list(SCENARIOS), release, directory) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
