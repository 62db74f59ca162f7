"""What a sidecar costs: `make bench WHAT=sidecar` measures memory and CPU of the real worker, idle and in a full drain.

Memory is PSS of the worker's whole process tree, CPU is user and system time. One route, six partitions, the shipped
chain, default settings, a real broker. Exit code 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from upcast_demo.history import make_history
from upcast_demo.kafka import create_topics, write
from upcast_demo.local_kafka import LocalKafka
from upcast_demo.worker_process import WorkerProcess, running

PARTITIONS = 6
TOPICS = ("legacy", "current", "dlt")
MEGABYTE = 1_000_000
TICK = os.sysconf("SC_CLK_TCK")

# Idle MB, idle % of a core, highest MB in a drain, and where from. "here": once with this file's own functions, on two
# cores in one run after the other: 250,000 records of version 1.0, two fields renamed; FastStream committed at least
# once, Kafka Streams exactly once. "targets": from the drains by which the targets of docs/performance.md were set:
# other records on another machine; nobody looked at them idle.
PEERS = (
    ("FastStream 0.7.8 (CPython 3.11)", "35", "0.30", "38", "here"),
    ("FastStream, in batches", "-", "-", "121", "targets"),
    ("Kafka Streams 4.3.1 (-Xmx256m, OpenJDK 17)", "115", "2.99", "261", "here"),
    ("Kafka Streams 4.3", "-", "-", "260-274", "targets"),
    ("Redpanda Connect", "-", "-", "449-916", "targets"),
)
IDLE_MB, IDLE_CPU, DRAIN_MB = 90.0, 0.5, 150.0


def tree(pid: int) -> list[int]:
    """The process and all that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in tree(int(child)))]


def pss(pid: int) -> float:
    """Megabytes."""
    return sum(_rollup(each) for each in tree(pid)) * 1024 / MEGABYTE


def _rollup(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Pss:", "SwapPss:")))


def cpu(pid: int) -> float:
    """Seconds of user and system time."""
    fields = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in tree(pid)]
    return sum(int(each[11]) + int(each[12]) for each in fields) / TICK


def wait(done: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "the worker takes too long"
        time.sleep(0.1)  # each look costs the worker an answer


def caught_up(worker: WorkerProcess) -> bool:
    at = worker.committed()
    return at is not None and at[0] == at[1]


def idle(config: dict[str, Any], folder: Path, seconds: float) -> tuple[float, float]:
    """Megabytes, and per cent of a core."""
    with running(config, folder) as worker:
        wait(lambda: caught_up(worker), 60)
        time.sleep(10)  # what belongs to the start is over
        before, started = cpu(worker.process.pid), time.monotonic()
        time.sleep(seconds)  # what is measured
        share = (cpu(worker.process.pid) - before) / (time.monotonic() - started)
        memory = pss(worker.process.pid)
        worker.stop()
    return memory, share * 100


def drain(config: dict[str, Any], folder: Path) -> tuple[list[float], float]:
    """Megabytes over time, and seconds of CPU."""
    seen = []
    with running(config, folder) as worker:
        wait(lambda: worker.committed() is not None, 60)
        while not caught_up(worker):
            seen.append(pss(worker.process.pid))
            time.sleep(0.1)  # between two samples
        seen.append(pss(worker.process.pid))
        used = cpu(worker.process.pid)
        worker.stop()
    return seen, used


def route(bootstrap_servers: str) -> dict[str, Any]:
    return {
        "kafka": {"bootstrap_servers": bootstrap_servers, "group_id": "sidecar"},
        "routes": [dict(zip(("source", "destination", "dead_letter"), TOPICS, strict=True))],
    }


def report(name: str, measured: float, target: float, unit: str) -> bool:
    print(f"{name:<42}{measured:8.2f} {unit:<12} (at most {target:g})")
    return measured <= target


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long to watch it idle")
    parser.add_argument("--records", type=int, default=300_000, help="how many records to drain")
    given = parser.parse_args()
    with LocalKafka.start_or_exit() as broker, tempfile.TemporaryDirectory() as temporary:
        config, folder = route(broker.bootstrap_servers), Path(temporary)
        asyncio.run(create_topics(broker.bootstrap_servers, dict.fromkeys(TOPICS, PARTITIONS)))
        memory, share = idle(config, folder, given.seconds)
        history = make_history(given.records, PARTITIONS)
        asyncio.run(write(broker.bootstrap_servers, TOPICS[0], history, lambda _: None))
        over_time, used = drain(config, folder)
    thirds = len(over_time) // 3
    print(f"{PARTITIONS} partitions, no traffic for {given.seconds:g} s, then {given.records:,} records at once")
    good = [
        report("idle, memory", memory, IDLE_MB, "MB PSS"),
        report("idle, CPU", share, IDLE_CPU, "% of a core"),
        report("drain, memory at its highest", max(over_time), DRAIN_MB, "MB PSS"),
    ]
    print(
        f"{'drain, highest in each third':<42}"
        + ", ".join(f"{max(over_time[i * thirds :][:thirds]):.0f}" for i in range(3))
    )
    print(f"{'drain, CPU':<42}{used / given.records * 1e6:8.2f} us a record (start included)")
    print(f"{'for comparison, measured earlier':<44}{'idle MB':>8}{'idle %':>8}{'drain MB':>10}  where")
    for name, *figures, origin in PEERS:
        print("  {:<42}{:>8}{:>8}{:>10}".format(name, *figures) + f"  {origin}")
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
