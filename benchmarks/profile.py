"""``make bench WHAT=profile``: a flame graph of a drain, and a table of where each microsecond goes.

py-spy looks at the stack some hundred times a second while the worker drains a backlog, without stopping it. Each
stack belongs to the stage whose place it is in, found from its innermost call outwards. What only the event loop is
in, in C, is called sockets.
"""

from __future__ import annotations

import argparse
import asyncio
import linecache
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.drain.backlog import Broker
from benchmarks.drain.cases import CASES
from benchmarks.drain.contenders import PEERS_PYTHON, WORKER
from benchmarks.drain.process import OURS, on_core
from benchmarks.drain.running import Arena
from upcast_demo.local_kafka import LocalKafka

ROOT = Path(__file__).parent.parent
OUT = ROOT / "build" / "profile"
RATE = 200
STAGES: tuple[tuple[str, str], ...] = (
    (
        "commit",
        r"aiokafka/producer/transaction_manager|Sender\._(do|send)_|send_offsets|commit_transaction|delivery\.py",
    ),
    ("produce", r"aiokafka/producer/|Outbox\.(send|close)|outbox\.py|protocol/produce"),
    ("fetch", r"aiokafka/consumer/|protocol/fetch|lanes/fetching|asyncio/streams|aiokafka/conn\.py|protocol/types"),
    ("parse", r"worker/kafka/(aiokafka_internals/reader|fetched|unpacking)\.py|lanes/fetch_buffer"),
    ("metrics", r"worker/metrics|lanes/counters|prometheus_client|lanes/watch|lanes/breaker"),
    ("detect", r"shape \(<upcasters|_by_shape|_stamped|upcasters/detect"),
    ("upcast", r"\(<upcasters"),
    ("validate", r"pydantic|upcasters/validation/|check_target|check_source"),
    ("lane", r"lanes/"),
    ("sockets", r"Runner\.run|asyncio/|uvloop"),
)
LINES: tuple[tuple[str, str], ...] = (
    ("decode", r"decode_object\(|isascii\(\)|value\.decode\(\)"),
    ("encode", r"\bencode\("),
    ("append", r"\bappend\(place"),
    ("parse", r"record\.(timestamp|key|headers)|list\(batch\)"),
    ("upcast", r"upcast\(record|lane\.function"),
)
"""By the source line of the innermost call, where the function alone does not tell."""
RUNNING = "Runner.run"
HERE = re.compile(r"^(?P<function>.*) \((?P<file>.*):(?P<line>\d+)\)$")


def stage(frames: list[str]) -> str:
    """The stage of a stack, its outermost call first."""
    match = HERE.match(frames[-1])
    if match:
        path = Path(match["file"])
        line = linecache.getline(str(path if path.is_absolute() else ROOT / path), int(match["line"]))
        for name, pattern in LINES:
            if re.search(pattern, line):
                return name
    for frame in reversed(frames):
        for name, pattern in STAGES:
            if re.search(pattern, frame):
                return name
    return "rest"


def count(stacks: Iterable[str]) -> Counter[str]:
    """Samples by stage, without those of the start."""
    found: Counter[str] = Counter()
    for stack in stacks:
        frames, _, samples = stack.rpartition(" ")
        if "importlib" not in frames and RUNNING in frames:
            found[stage(frames.split(";"))] += int(samples)
    return found


async def profile(bootstrap: str, case: str, events: int) -> tuple[float, Path]:
    """Drain; CPU microseconds an event, start and stop included, and the file of stacks."""
    broker = Broker(bootstrap)
    await broker.start()
    stacks = OUT / "stacks.txt"
    with tempfile.TemporaryDirectory() as scratch:
        arena = Arena(broker, CASES[case], Path(scratch), print)
        spies: list[subprocess.Popen[bytes]] = []

        def spy(pid: int) -> None:
            for how, file in (("raw", stacks), ("flamegraph", OUT / "flame.svg")):
                command = [PEERS_PYTHON.with_name("py-spy"), "record", "--nonblocking", "--rate", str(RATE)]
                spies.append(subprocess.Popen([*command, "--format", how, "--output", str(file), "--pid", str(pid)]))

        usage = await arena.drain_once(WORKER, events, spy)
        for each in spies:
            await asyncio.to_thread(each.wait, 60)
    await broker.close()
    return usage.cpu / events * 1e6, stacks


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench WHAT=profile", description=__doc__)
    parser.add_argument("--case", default="350", choices=list(CASES))
    parser.add_argument("--events", type=int, default=600_000)
    given = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    with on_core(OURS), LocalKafka.start_or_exit() as kafka:
        microseconds, stacks = asyncio.run(profile(kafka.bootstrap_servers, given.case, given.events))
    found = count(stacks.read_text(encoding="utf-8").splitlines())
    print(f"{microseconds:.2f} us an event, start and stop included; flame graph: {OUT / 'flame.svg'}")
    for name, samples in found.most_common():
        share = samples / found.total()
        print(f"{name:10} {share:6.1%}  {share * microseconds:6.2f} us")
    return 0


if __name__ == "__main__":
    sys.exit(main())
