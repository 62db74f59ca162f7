"""``make bench WHAT=archive``: what Arrow handling adds to a plain loop over the same events, in CPU time.

The plain loop has its events ready and keeps what comes out; the other begins with a record batch and ends with one.
Both are measured in turn in one process; what is told is the median of the rounds.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from statistics import median

import pyarrow as pa

from benchmarks.drain.events import Made, pool
from upcasters import Detection, Event, FromHeader, FromShape, Policy, Upcaster, load_chain
from upcasters.arrow import ArrowUpcaster

ROUNDS = 21
AT_MOST = {"version by shape": 4.0, "version in a header": 6.0}
"""Microseconds an event, on the docs' machine. A version in a header is written again in each event's headers."""
HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
VERSIONED = Detection(version=(FromHeader("schema-version"), FromShape()))


def batch(events: list[Made], *, headers: bool) -> pa.RecordBatch:
    """As Spark's Kafka source has it, and columns that the chain does not know."""
    count = len(events)
    pair = {"key": "traceparent", "value": b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    versions = [[{"key": "schema-version", "value": _version(event)}] if headers else [] for event in events]
    columns = {
        "key": pa.array([event.key for event in events]),
        "value": pa.array([event.value for event in events]),
        "headers": pa.array([[pair, *version] for version in versions], HEADERS),
        "topic": pa.array(["orders"] * count),
        "partition": pa.array([3] * count, pa.int32()),
        "offset": pa.array(range(count), pa.int64()),
        "timestamp": pa.array([1_700_000_000_000_000] * count, pa.timestamp("us", "UTC")),
        "file": pa.array(["part-0.parquet"] * count),
    }
    return pa.RecordBatch.from_pydict(columns)


def _version(event: Made) -> bytes:
    return b"2.0" if event.unchanged else b"1.1" if b'"repoPath"' in event.value else b"1.0"


def measured(upcaster: Upcaster, events: list[Made], given: pa.RecordBatch) -> tuple[float, float]:
    """Microseconds of CPU an event: the plain loop, and with Arrow around it."""
    ready = [
        Event(event.value, event.key, [(pair["key"], pair["value"]) for pair in pairs], 1_700_000_000_000, offset)
        for offset, (event, pairs) in enumerate(zip(events, given.column("headers").to_pylist(), strict=True))
    ]
    arrow = ArrowUpcaster(upcaster)

    def plain() -> list[object]:
        return [upcaster.upcast(event).output(event) for event in ready]

    rounds = [(_time(plain), _time(lambda: arrow.upcast(given))) for _ in range(ROUNDS)]
    return median(one for one, _ in rounds) / len(events), median(other for _, other in rounds) / len(events)


def _time(action: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    begin = time.process_time_ns()
    action()
    spent = (time.process_time_ns() - begin) / 1e3
    gc.enable()
    return spent


def main() -> int:
    chain, failed = load_chain("upcasters.devteam_runner:chain"), 0
    events = pool(350, "mix") * 5
    cases = {"version by shape": (Policy(), False), "version in a header": (Policy(detection=VERSIONED), True)}
    for name, (policy, headers) in cases.items():
        plain, arrow = measured(chain.upcaster(policy), events, batch(events, headers=headers))
        added = arrow - plain
        failed += added > AT_MOST[name]
        verdict = "" if added <= AT_MOST[name] else f"  TOO MUCH, at most {AT_MOST[name]}"
        print(
            f"{name:20} plain loop {plain:6.2f} us, Arrow {arrow:6.2f} us: "
            f"{added:+.2f} us, {arrow / plain:.2f} x{verdict}"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
