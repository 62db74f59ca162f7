"""Writes the figures into the documentation: ``python -m benchmarks.drain.pages``. A test sees to it that they stay."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.drain.cases import CASES, FIRST
from benchmarks.drain.contenders import WORKER
from benchmarks.drain.picture import PICTURE, draw
from benchmarks.drain.report import RESULTS, load, table

DOCS = Path(__file__).parent.parent.parent / "docs"
A_MILLION = 1_000_000
COPY = ("current-by-header", "aiokafka-copy")
Place = tuple[str, str]
"""A case and who took part in it."""
ASKED: tuple[tuple[str, float, Place, Place], ...] = (
    ("350 B against the best loop by hand", 1.10, ("350", "worker"), ("350", "aiokafka-tuned")),
    ("350 B against Kafka Streams, tuned", 0.75, ("350", "worker"), ("350", "streams-tuned")),
    ("350 B against confluent-kafka by hand", 1.0, ("350", "worker"), ("350", "confluent-hand")),
    ("target validation always against the loop", 1.6, ("validated", "worker"), ("validated", "aiokafka-tuned")),
    ("7 KB against the loop by hand", 0.4, ("7k", "worker"), ("7k", "aiokafka-tuned")),
    ("7 KB against Kafka Streams, tuned", 0.6, ("7k", "worker"), ("7k", "streams-tuned")),
    ("all current, by header, against the byte copy", 1.15, ("current-by-header", "worker"), COPY),
    ("ten hops against one", 1.25, ("ten-hops", "worker"), ("one-hop", "worker")),
    ("100 partitions against 4", 1.3, ("100", "worker"), ("350", "worker")),
    ("zstd against confluent-kafka by hand", 0.8, ("zstd", "worker"), ("zstd", "confluent-hand")),
    ("two processes against one", 1.15, ("processes", "worker-2"), ("processes", "worker")),
    ("exactly once against at least once", 1.2, ("350", "worker"), ("at-least-once", "worker")),
    ("a hundred types against one", 1.1, ("100-types", "worker"), ("1-type", "worker")),
    ("the last two of 100 steps against those of 10", 1.1, ("late-of-100", "worker"), ("late-of-10", "worker")),
    ("80 untouched fields against 8, as many bytes", 1.1, ("80-fields", "worker"), ("8-fields", "worker")),
    ("36 idle partitions beside the 4", 1.1, ("idle", "worker"), ("350", "worker")),
    ("five times as many events behind", 1.1, ("behind", "worker"), ("350", "worker")),
)
SPARE = 1.3
"""Cores are not planned to be full: rebalances, restarts and the catching up behind them need some."""


def blocks(results: Mapping[str, Any]) -> dict[str, str]:
    """What stands between the marks of a page, by the mark's name."""
    return {
        "drain": table(results, [name for name in CASES if name in results.get("cases", {})]),
        "machine": machines(results),
        "asked": asked(results),
        "trickle": trickled(results),
        "start": started(results),
        "sizing": sizing(results),
    }


def asked(results: Mapping[str, Any]) -> str:
    """What was asked for and what was measured, as ratios of CPU time an event."""
    lines = ["| | asked, at most | measured |", "|---|--:|--:|"]
    for title, most, ours, theirs in ASKED:
        one, other = _figure(results, ours), _figure(results, theirs)
        measured = "not measured" if one is None or other is None else f"{one / other:.2f}"
        lines.append(f"| {title} | {most:.2f} | {measured} |")
    for name, most in (("350", 150), ("100", 300)):
        found = results["cases"].get(name)
        if found:
            worker = found["contenders"][WORKER.name]
            memory = f"{worker['mb']} ({worker['mb_halfway']} halfway)"
            lines.append(f"| memory in a drain, {CASES[name].partitions} partitions, MB | {most} | {memory} |")
            lines.append(f"| bytes written to disk, {CASES[name].partitions} partitions | 0 | {worker['written']} |")
    return "\n".join(lines)


def _figure(results: Mapping[str, Any], place: Place) -> float | None:
    case, who = place
    found: float | None = results["cases"].get(case, {}).get("contenders", {}).get(who, {}).get("us")
    return found


def machines(results: Mapping[str, Any]) -> str:
    machine = results["cases"][FIRST.name]["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return (
        f"{machine['cores']} cores of {machine['processor']}, {machine['system']}, Python {machine['python']}, "
        f"{packages}; {machine['date']}, load average {machine['load']} while it ran."
    )


def trickled(results: Mapping[str, Any]) -> str:
    found = results.get("trickle", {}).get("worker")
    if found is None:
        return "not measured"
    return (
        "| p50, ms | p99, ms | of a core |\n|--:|--:|--:|\n"
        f"| {found['p50']:.0f} | {found['p99']:.0f} | {found['core']:.1%} |"
    )


def started(results: Mapping[str, Any]) -> str:
    found = results.get("start", {}).get("worker")
    if found is None:
        return "not measured"
    return (
        "| imports, s | asked, at most | `/livez`, s | first record, s | asked, at most | CPU until then, s |\n"
        "|--:|--:|--:|--:|--:|--:|\n"
        f"| {found['imports']:.2f} | 0.70 | {found['livez']:.2f} | {found['record']:.2f} | 1.50 | {found['cpu']:.2f} |"
    )


def sizing(results: Mapping[str, Any]) -> str:
    """Cores for a million events a second, case by case: microseconds an event are cores."""
    lines = ["| case | CPU, us an event | cores for a million a second | with a third in hand |", "|---|--:|--:|--:|"]
    for name, case in results["cases"].items():
        us = case["contenders"][WORKER.name].get("us")
        if us is not None:
            cores = us * A_MILLION / 1e6
            lines.append(f"| {CASES[name].title} | {us:.1f} | {cores:.1f} | {math.ceil(cores * SPARE)} |")
    return "\n".join(lines)


def filled(page: str, made: Mapping[str, str]) -> str:
    """The page with every block between its marks replaced."""
    for name, block in made.items():
        pattern = rf"(<!-- {name}: made by make bench -->\n).*?(\n<!-- end -->)"
        page = re.sub(pattern, lambda found, block=block: f"{found[1]}{block}{found[2]}", page, flags=re.DOTALL)
    return page


def main() -> int:
    results = load(RESULTS)
    made = blocks(results)
    for name in ("performance.md", "sizing.md"):
        page = DOCS / name
        page.write_text(filled(page.read_text(encoding="utf-8"), made), encoding="utf-8")
    PICTURE.write_text(draw(results["cases"][FIRST.name], FIRST.title), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
