"""``make bench``: the drain benchmark. ``CASES=`` and ``PEERS=`` choose, ``REPEAT=`` says how often."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.drain.backlog import Broker
from benchmarks.drain.cases import CASES
from benchmarks.drain.contenders import CONTENDERS, WORKER
from benchmarks.drain.process import OURS, on_core
from benchmarks.drain.running import Arena
from worker.local_kafka import LocalKafka

PROPERTIES = {"log.segment.bytes": "1073741824", "file.delete.delay.ms": "1000"}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--cases", default="", help="some of: " + " ".join(CASES))
    parser.add_argument("--peers", default=None, help="some of: " + " ".join(CONTENDERS))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of events")
    return parser.parse_args()


async def measure(bootstrap: str, given: argparse.Namespace, scratch: Path) -> None:
    broker = Broker(bootstrap)
    await broker.start()
    for name in given.cases.split() or CASES:
        case = CASES[name]
        peers = case.contenders if given.peers is None else given.peers.split()
        contenders = [WORKER, *(CONTENDERS[peer] for peer in peers if peer in CONTENDERS)]
        found = await Arena(broker, case, scratch, lambda line: print(line, flush=True)).measure(
            contenders, given.repeat
        )
        ours = found[WORKER.name].microseconds
        for peer, measured in found.items():
            ratio, peak = ours / measured.microseconds, max(measured.peaks, default=0) / 1e6
            print(
                f"{name:14} {peer:16} {measured.microseconds:8.2f} us  worker/peer {ratio:5.2f}"
                f"  {max(measured.rates):9,.0f}/s  {peak:6.0f} MB  {measured.written} B written"
            )
    await broker.close()


def main() -> int:
    given = options()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, on_core(OURS), LocalKafka.start(properties=PROPERTIES) as kafka:
        asyncio.run(measure(kafka.bootstrap_servers, given, Path(scratch)))
    print(f"{time.monotonic() - began:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
