"""The official `apache/kafka` image under testcontainers, whose own container knows only Confluent's."""

from __future__ import annotations

import io
import os
import tarfile
from typing import Self

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.ports import free_ports

# Where Docker has no bridge network, the broker takes free ports of the host.
HOST_NETWORK = os.environ.get("KAFKA_TC_HOST_NET") == "1"

# The port that clients see is known only once the container runs, so its command waits for this file.
START_SCRIPT = "/tmp/start-kafka.sh"  # noqa: S108  a path inside the container
START_COMMAND = f'sh -c "while [ ! -f {START_SCRIPT} ]; do sleep 0.05; done; exec sh {START_SCRIPT}"'


class ApacheKafkaContainer(DockerContainer):
    def __init__(self, image: str = "apache/kafka:4.3.1") -> None:
        super().__init__(image)
        self.client, self.inner, self.controller = free_ports(3) if HOST_NETWORK else (9092, 9093, 9094)
        if HOST_NETWORK:
            self.with_kwargs(network_mode="host")
        else:
            self.with_exposed_ports(self.client)
        for name, value in self._settings().items():
            self.with_env(f"KAFKA_{name}", value)
        self.with_command(START_COMMAND)

    def bootstrap_servers(self) -> str:
        if HOST_NETWORK:
            return f"127.0.0.1:{self.client}"
        return f"{self.get_container_host_ip()}:{self.get_exposed_port(self.client)}"

    def start(self, timeout: int = 60) -> Self:
        super().start()
        advertised = f"PLAINTEXT://{self.bootstrap_servers()},BROKER://127.0.0.1:{self.inner}"
        script = f"KAFKA_ADVERTISED_LISTENERS={advertised} exec /etc/kafka/docker/run\n"
        self.get_wrapped_container().put_archive("/", _archive(START_SCRIPT, script.encode()))
        LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(timeout).wait_until_ready(self)
        return self

    def _settings(self) -> dict[str, str]:
        bind = "127.0.0.1" if HOST_NETWORK else "0.0.0.0"  # noqa: S104  inside the container
        controller = f"127.0.0.1:{self.controller}"
        return {
            "NODE_ID": "1",
            "PROCESS_ROLES": "broker,controller",
            "INTER_BROKER_LISTENER_NAME": "BROKER",
            "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "LISTENERS": f"PLAINTEXT://{bind}:{self.client},BROKER://127.0.0.1:{self.inner},CONTROLLER://{controller}",
            "LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "CONTROLLER_QUORUM_VOTERS": f"1@{controller}",
            "AUTO_CREATE_TOPICS_ENABLE": "false",
            "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
            "GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
        }


def _archive(path: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
