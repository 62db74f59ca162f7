"""``make bench``: the drain benchmark. ``CASES=`` and ``PEERS=`` choose, ``REPEAT=`` says how often."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.drain.backlog import Broker
from benchmarks.drain.cases import CASES, Case
from benchmarks.drain.contenders import CONTENDERS, WORKER
from benchmarks.drain.process import OURS, on_core
from benchmarks.drain.report import RESULTS, drained, load, save, table
from benchmarks.drain.running import Arena
from benchmarks.drain.start import start
from benchmarks.drain.trickle import trickle
from upcast_demo.local_kafka import LocalKafka

TRICKLE, START = "trickle", "start"
# Logs go to a file system in memory, where there is one: what a contender writes to disk is counted.
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  (only the place of a private folder)
PROPERTIES = {"log.segment.bytes": "1073741824", "file.delete.delay.ms": "1000"}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--cases", default="", help="some of: " + " ".join([*CASES, TRICKLE, START]))
    parser.add_argument("--peers", default=None, help="some of: " + " ".join(CONTENDERS))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="of the trickle")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where results are put beside those of before")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of events")
    return parser.parse_args()


async def measure(bootstrap: str, given: argparse.Namespace, scratch: Path) -> None:
    broker = Broker(bootstrap)
    await broker.start()
    for name in given.cases.split() or [*CASES, TRICKLE, START]:
        if name == TRICKLE:
            found = await trickle(broker, WORKER, CASES["defaults"], scratch, given.seconds)
            save(TRICKLE, "worker", dataclasses.asdict(found), given.results)
            say(f"trickle: p50 {found.p50:.0f} ms, p99 {found.p99:.0f} ms, {found.core:.1%} of a core")
        elif name == START:
            begun = await start(broker, WORKER, CASES["defaults"], scratch, given.repeat)
            save(START, "worker", dataclasses.asdict(begun), given.results)
            say(f"start: first record after {begun.record:.2f} s, of which imports {begun.imports:.2f} s")
        else:
            await drain(broker, CASES[name], given, scratch)
    await broker.close()


async def drain(broker: Broker, case: Case, given: argparse.Namespace, scratch: Path) -> None:
    peers = case.contenders if given.peers is None else given.peers.split()
    contenders = [WORKER, *(CONTENDERS[peer] for peer in peers)]
    found = await Arena(broker, case, scratch, say, given.scale).measure(contenders, given.repeat)
    save("cases", case.name, drained(found), given.results)


def say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    given = options()
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(dir=IN_MEMORY) as scratch,
        on_core(OURS),
        LocalKafka.start_or_exit(properties=PROPERTIES) as kafka,
    ):
        asyncio.run(measure(kafka.bootstrap_servers, given, Path(scratch)))
    say(table(load(given.results), given.cases.split() or list(CASES)))
    say(f"{time.monotonic() - began:.0f} s in all; results in {given.results}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
