"""`python -m worker.local_kafka.pin 4.3.1` pins the jars of another version of Kafka: writes `jars.txt` again."""

from __future__ import annotations

import hashlib
import sys

from worker.local_kafka.jars import PINNED


def pin(version: str) -> None:
    import jgo

    kafka = jgo.resolve(f"org.apache.kafka:kafka_2.13:{version}")
    log4j = next(artifact.version for artifact in kafka if artifact.artifactId == "log4j-core")
    # Kafka logs to SLF4J 1; without this bridge it would log nothing. Resolved by itself: beside Kafka, its
    # parent's versions of Kafka's own jars would win.
    bridge = jgo.resolve(f"org.apache.logging.log4j:log4j-slf4j-impl:{log4j}")[:1]
    lines = [f"# Apache Kafka {version}; made by `python -m worker.local_kafka.pin {version}`."]
    for artifact in sorted(kafka + bridge, key=str):
        sha256 = hashlib.sha256(artifact.resolve().read_bytes()).hexdigest()
        lines.append(f"{artifact.groupId}:{artifact.artifactId}:{artifact.version} {sha256}")
    PINNED.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    pin(sys.argv[1])
