"""Results as JSON, with the machine they come from, and as tables: the documentation's figures are made here."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.drain.cases import CASES
from benchmarks.drain.contenders import CONTENDERS, WORKER
from benchmarks.drain.running import Measured

RESULTS = Path(__file__).parent.parent / "results.json"
PACKAGES = ("aiokafka", "msgspec", "pydantic", "uvloop")


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor()
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def load(file: Path = RESULTS) -> dict[str, Any]:
    """What was measured before; empty where nothing was."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def save(part: str, name: str, found: Mapping[str, Any], file: Path = RESULTS) -> None:
    """Put one result in its place; what was measured of the others stays, each with its machine."""
    results = load(file)
    results.setdefault(part, {})[name] = {"machine": machine(), **found}
    file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def drained(found: Mapping[str, Measured]) -> dict[str, Any]:
    """The figures of one case: microseconds of CPU an event, megabytes, events a second."""
    return {"contenders": {name: _figures(each) for name, each in found.items()}}


def _figures(each: Measured) -> dict[str, Any]:
    if each.failed:
        return {"failed": each.failed[:200]}
    return {
        "us": round(each.microseconds, 2),
        "runs": [round(slope, 2) for slope in each.slopes],
        "per_second": round(statistics.median(each.rates)),
        "mb": round(max(each.peaks, default=0) / 1e6),
        "mb_halfway": round(max(each.halves, default=0) / 1e6),
        "written": each.written,
    }


def table(results: Mapping[str, Any], names: Sequence[str]) -> str:
    """Markdown: a row a contender, the worker first; ``x`` is the worker's cost as a multiple of theirs."""
    lines = [
        "| case | who | CPU, us an event | worker / this | events a second | memory, MB |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for name in names:
        case = results.get("cases", {}).get(name)
        if case is None:
            continue
        ours = case["contenders"][WORKER.name].get("us")
        for number, (who, found) in enumerate(case["contenders"].items()):
            title = CASES[name].title if number == 0 else ""
            lines.append(_row(title, CONTENDERS[who].title, found, ours))
    return "\n".join(lines)


def _row(title: str, who: str, found: Mapping[str, Any], ours: float | None) -> str:
    if "failed" in found or ours is None:
        return f"| {title} | {who} | not measured | | | |"
    ratio = "" if who == WORKER.title else f"{ours / found['us']:.2f}"
    return f"| {title} | {who} | {found['us']:.1f} | {ratio} | {found['per_second']:,} | {found['mb']} |"
