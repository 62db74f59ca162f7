"""Makes the peers ready to run: Kafka Streams is compiled, with its jars beside it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.drain.contenders import PEERS, STREAMS
from upcast_demo.local_kafka.jars import JarsUnavailableError, fetch_jars, pinned_jars

CLIENT = Path(__file__).parents[2] / "tests" / "brokers" / "4.3.1.txt"
"""Streams goes with the client library of its own version."""


def main() -> int:
    if shutil.which("javac") is None:
        print("no javac (a JDK of 17 or newer): the benchmark leaves out Kafka Streams", file=sys.stderr)
        return 0
    STREAMS.mkdir(parents=True, exist_ok=True)
    try:
        jars = fetch_jars(jars=[*pinned_jars(CLIENT), *pinned_jars(PEERS / "kafka_streams_jars.txt")])
    except JarsUnavailableError as error:
        raise SystemExit(str(error)) from None
    for jar in jars:
        link = STREAMS / jar.name
        if not link.exists():
            link.symlink_to(jar)
    path = f"{STREAMS}/*"
    command = ["javac", "-d", str(STREAMS), "-cp", path, str(PEERS / "KafkaStreams.java")]
    subprocess.run(command, check=True)  # the first JDK on the path, as whoever repeats this has it
    return 0


if __name__ == "__main__":
    sys.exit(main())
