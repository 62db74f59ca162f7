"""The events of a backlog: a thousand different ones, over and over, with what has to become of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.peers.task_context import bring_up, is_current

POOL = 1000
FIRST_MS = 1_700_000_000_000
MIXES = {"mix": (70, 20, 10), "legacy": (70, 30, 0), "current": (0, 0, 100)}
"""Shares of 1.0, 1.1 and 2.0 in a hundred."""
STATUSES = ("pending", "running", "completed", "failed")


@dataclass(frozen=True)
class Made:
    """One event; ``expected`` is the document that has to come out."""

    key: bytes
    value: bytes
    expected: Any
    unchanged: bool


def pool(size: int, mix: str, change: Callable[[dict[str, Any]], None] = bring_up, fields: int = 0) -> list[Made]:
    """``POOL`` events of about ``size`` bytes; each has a key of its own, and the versions are well mixed.

    ``change`` is what has to become of an event that is not current; ``fields`` stand in an object no step touches.
    """
    return [_made(number, size, _version(number, mix), change, fields) for number in range(POOL)]


def _version(number: int, mix: str) -> str:
    oldest, old, _ = MIXES[mix]
    place = number * 37 % 100
    return "1.0" if place < oldest else "1.1" if place < oldest + old else "2.0"


def _made(number: int, size: int, version: str, change: Callable[[dict[str, Any]], None], fields: int) -> Made:
    document = _document(number, version)
    if fields:
        document["extra"] = {f"field_{place:02}": "." * (1300 // fields - 14) for place in range(fields)}
    _fill(document, size)
    value = json.dumps(document, separators=(",", ":")).encode()
    unchanged = is_current(document["metadata"], document["nodes"])
    assert unchanged == (version == "2.0")
    if not unchanged:
        change(document)
    return Made(b"task-%d" % number, value, document, unchanged)


def _document(number: int, version: str) -> dict[str, Any]:
    project = f"customer-{number % 211}/project-{number % 17}"
    metadata = {"taskId": f"1.{number}", "projectId": project}
    nodes = {
        "select": {"status": STATUSES[number % 4], "startedAt": "2024-03-11T08:00:00Z"},
        "plan": {"status": STATUSES[number // 4 % 4], "attempt": number % 5},
    }
    document: dict[str, Any] = {"metadata": metadata, "nodes": nodes, "priority": number % 9, "cost": 1.25}
    if version != "1.0":
        metadata["branch"] = f"feature/{number % 97}"
        metadata["repoPath"] = f"/srv/checkouts/{number}"
    if version == "2.0":
        bring_up(document)
    return document


def _fill(document: dict[str, Any], size: int) -> None:
    """Fields that no step touches, until the event is as large as it is to be."""
    history: list[Any] = []
    step = {"status": "completed", "attempt": 3, "duration_ms": 1234, "ok": True, "exit": {"code": 0}}
    document["note"] = "nightly run"
    while size - len(json.dumps(document, separators=(",", ":"))) > 200:
        history.append({**step, "number": len(history), "artifacts": ["log.txt", "report.json"]})
        document["history"] = history
    document["note"] += "." * max(0, size - len(json.dumps(document, separators=(",", ":"))))


def numbers(count: int, partition: int, partitions: int) -> Iterator[int]:
    """The places in the pool of the records of one partition, in order."""
    return (number % POOL for number in range(partition, count, partitions))
