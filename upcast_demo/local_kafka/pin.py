"""`python -m upcast_demo.local_kafka.pin 4.4.0` pins the jars of another version of Kafka: writes `jars.txt` and
`tools.txt` again.

`python -m upcast_demo.local_kafka.pin 3.4.1 tests/brokers/3.4.1.txt` pins those of a version that only tests run.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from upcast_demo.local_kafka.jars import PINNED
from upcast_demo.local_kafka.tools import PINNED as TOOLS

OF_TOOLS = ("jackson-dataformat-csv", "kafka-tools")
"""The rest of what kafka-tools names is for Connect, which no tool of ours touches."""


def pin(version: str, pinned: Path = PINNED) -> None:
    import jgo

    kafka = jgo.resolve(f"org.apache.kafka:kafka_2.13:{version}")
    # Kafka logs to SLF4J 1; without a backend it would log nothing. Resolved by itself: beside Kafka, its parent's
    # versions of Kafka's own jars would win.
    backend = jgo.resolve(_backend(kafka))[:1]
    made = f"made by `python -m upcast_demo.local_kafka.pin {' '.join(sys.argv[1:])}`."
    _write(pinned, f"# Apache Kafka {version}; {made}", kafka + backend)
    if pinned == PINNED:
        tools = jgo.resolve(f"org.apache.kafka:kafka-tools:{version}")
        beside = [artifact for artifact in tools if artifact.artifactId in OF_TOOLS]
        _write(TOOLS, f"# What Kafka's own tools need beside the jars of the broker; {made}", beside)


def _write(file: Path, title: str, artifacts: Sequence[Any]) -> None:
    lines = [title]
    for artifact in sorted(artifacts, key=str):
        sha256 = hashlib.sha256(artifact.resolve().read_bytes()).hexdigest()
        lines.append(f"{artifact.groupId}:{artifact.artifactId}:{artifact.version} {sha256}")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _backend(kafka: Sequence[Any]) -> str:
    """Where a release brings no Log4j 2, SLF4J's own: one jar that writes to the console."""
    versions = {artifact.artifactId: artifact.version for artifact in kafka}
    if "log4j-core" in versions:
        return f"org.apache.logging.log4j:log4j-slf4j-impl:{versions['log4j-core']}"
    return f"org.slf4j:slf4j-simple:{versions['slf4j-api']}"


if __name__ == "__main__":
    pin(sys.argv[1], *map(Path, sys.argv[2:]))
