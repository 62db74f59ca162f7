"""`server.properties` of one node that starts fast, stays small and lets groups form without waiting."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

# All brokers of one cluster share it; a data folder remembers it.
CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"


DEFAULTS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A node that was killed is let in again when its old session is over.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
}


LOG4J = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1}: %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""
TOOLS_LOG4J = """\
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %-5p %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""
"""A tool's own output stays alone on stdout."""


def server_properties(data: Path, given: Mapping[str, str]) -> dict[str, str]:
    """For a broker with its data in ``data``, on ports that are free now; ``given`` are laid over it."""
    client, controller = free_ports(2)
    made = {
        **DEFAULTS,
        "listeners": f"PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "log.dirs": str(data),
        **given,
    }
    made.setdefault("advertised.listeners", _without_controller(made))
    return made


def free_ports(count: int) -> list[int]:
    """Ports that are free now; held together while choosing, so that no two are the same."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _without_controller(properties: Mapping[str, str]) -> str:
    controllers = properties["controller.listener.names"].split(",")
    listeners = properties["listeners"].split(",")
    return ",".join(each for each in listeners if each.partition("://")[0] not in controllers)
