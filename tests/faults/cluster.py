"""Brokers with two doors: a direct one for the tests, and one behind a proxy for the workers."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.brokers.releases import WithZooKeeper
from tests.brokers.zookeeper import running_zookeeper
from tests.faults.coordinators import OFFSETS_TOPIC
from tests.faults.proxy import Proxy
from tests.kafka import admin_of, make_topic
from tests.limits import HANG
from tests.ports import free_ports
from upcast_demo.local_kafka import LocalKafka
from upcast_demo.local_kafka.release import NEWEST, Release

STARTING = b"Transition from SHUTDOWN to STARTING"
OFFSETS = OFFSETS_TOPIC.encode()
OUT_OF_SYNC = b"is out of sync with the underlying log"
"""Kafka 4.3.1, killed and started on a busy machine: a coordinator that is told to load twice in a row takes the end
of the first load for that of the second, serves an empty state until its next write, and then never writes a
transaction's marker again. No client can go on until the broker is restarted."""


class PatientKafka(LocalKafka):
    """On a machine that is busy with other things a broker takes its time, above all after a kill."""

    start_timeout = 300.0


@dataclass(frozen=True)
class Ports:
    direct: int
    behind_proxy: int
    controller: int
    proxy: int


@dataclass(frozen=True)
class Node:
    broker: LocalKafka
    proxy: Proxy
    ports: Ports

    @property
    def has_ended(self) -> bool:
        process = self.broker._process
        return process is None or process.poll() is not None

    def has_lost_its_state(self) -> bool:
        """By its own log, since it was started last."""
        lost = False
        with self.broker.log_file.open("rb") as log:
            for line in log:
                lost = OUT_OF_SYNC in line or (lost and STARTING not in line)
        return lost

    def log_size(self) -> int:
        return self.broker.log_file.stat().st_size

    def has_loaded(self, partition: int, since: int) -> bool:
        """By its log behind this position: the commits in this partition of the brokers' own topic are read."""
        with self.broker.log_file.open("rb") as log:
            log.seek(since)
            return any(b"Finished loading" in line and b"%s-%d " % (OFFSETS, partition) in line for line in log)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The process stands still, its connections stay."""
        os.kill(self.broker.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.broker.pid, signal.SIGCONT)

    def fill_disk(self) -> None:
        """No file of the broker may grow any more: its writes fail as on a full disk. Over with its next start."""
        _, hard = resource.prlimit(self.broker.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.broker.pid, resource.RLIMIT_FSIZE, (1, hard))


@dataclass(frozen=True)
class Cluster:
    nodes: Sequence[Node]

    @property
    def direct(self) -> str:
        return ",".join(f"127.0.0.1:{node.ports.direct}" for node in self.nodes)

    @property
    def proxied(self) -> str:
        return ",".join(f"127.0.0.1:{node.ports.proxy}" for node in self.nodes)

    def node(self, number: int) -> Node:
        """By its `node.id`."""
        return self.nodes[number - 1]

    async def create_topic(
        self, name: str, partitions: int | Mapping[int, list[int]], configs: Mapping[str, str] | None = None
    ) -> None:
        kept = {"retention.ms": "-1", **(configs or {})}
        await make_topic(self.direct, name, partitions, kept, replicas=len(self.nodes))

    async def leader_of(self, topic: str, partition: int) -> Node:
        async with AIOKafkaConsumer(bootstrap_servers=self.direct) as consumer:
            await consumer._client._wait_on_metadata(topic)
            leader: int = consumer._client.cluster.leader_for_partition(TopicPartition(topic, partition))
        return self.node(leader)


async def configure_topic(bootstrap_servers: str, name: str, configs: Mapping[str, str]) -> None:
    """``configs`` is all that the topic does not have from the defaults."""
    async with admin_of(bootstrap_servers) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=dict(configs))])


@asynccontextmanager
async def running_cluster(
    size: int = 1, release: Release = NEWEST, properties: Mapping[str, str] | None = None
) -> AsyncIterator[Cluster]:
    """Brokers that have found each other; gone in the end, with all they had."""
    ports, shared = _free_ports(size), dict(properties or {})
    async with AsyncExitStack() as stack:
        if isinstance(release, WithZooKeeper):
            shared["zookeeper.connect"] = stack.enter_context(running_zookeeper(release))
        brokers = await asyncio.gather(
            *(_started(release, _properties(number, ports) | shared) for number in range(size))
        )
        for broker in brokers:
            stack.push_async_callback(asyncio.to_thread, broker.stop)
        proxies = [await stack.enter_async_context(Proxy(each.proxy, each.behind_proxy)) for each in ports]
        for each in ports:
            await _knows_the_others(f"127.0.0.1:{each.direct}", size)
        yield Cluster([Node(*parts) for parts in zip(brokers, proxies, ports, strict=True)])


async def _knows_the_others(broker: str, size: int) -> None:
    """With ZooKeeper one says that it has started before it has heard of a controller."""
    async with admin_of(broker) as admin, asyncio.timeout(HANG):
        found: Mapping[str, Any] = {"brokers": (), "controller_id": -1}
        while len(found["brokers"]) < size or found["controller_id"] == -1:
            found = await admin.describe_cluster()


async def _started(release: Release, properties: Mapping[str, str]) -> LocalKafka:
    return await asyncio.to_thread(PatientKafka.start, properties=properties, release=release)


def _properties(number: int, ports: Sequence[Ports]) -> dict[str, str]:
    own, copies = ports[number], str(len(ports))
    at = "127.0.0.1"
    return {
        "node.id": str(number + 1),
        "listeners": f"DIRECT://{at}:{own.direct},PROXIED://{at}:{own.behind_proxy},CONTROLLER://{at}:{own.controller}",
        "advertised.listeners": f"DIRECT://{at}:{own.direct},PROXIED://{at}:{own.proxy}",
        "listener.security.protocol.map": "DIRECT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "DIRECT",
        "controller.quorum.voters": ",".join(f"{n}@{at}:{each.controller}" for n, each in enumerate(ports, 1)),
        "controller.quorum.election.timeout.ms": "500",
        "controller.quorum.fetch.timeout.ms": "1000",
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": str(max(1, len(ports) - 1)),
        "share.coordinator.state.topic.replication.factor": copies,
        # Leaders that have moved go back as soon as their broker is there again.
        "leader.imbalance.check.interval.seconds": "5",
        "leader.imbalance.per.broker.percentage": "0",
        "min.insync.replicas": str(max(1, len(ports) - 1)),
    }


def _free_ports(nodes: int) -> list[Ports]:
    numbers = free_ports(4 * nodes)
    return [Ports(*numbers[start : start + 4]) for start in range(0, 4 * nodes, 4)]
