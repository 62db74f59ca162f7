"""Generates four years of DevTeam Runner events: three schema versions, tombstones, and a few that must fail."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

FIRST_DAY_MS = 1_672_531_200_000  # 2023-01-01
LAST_DAY_MS = 1_790_000_000_000  # 2026-09-21
SEED = 20


class HistoryKind(StrEnum):
    """What an event is; the value is what people read."""

    V1_0 = "version 1.0"
    V1_1 = "version 1.1"
    V2_0 = "version 2.0"
    TOMBSTONE = "tombstone"
    BROKEN = "broken JSON"
    UNKNOWN_TYPE = "unknown type"
    FUTURE = "version from the future"
    NO_TASK_ID = "without taskId"


EXPECTED = {
    HistoryKind.V1_0: "upcast",
    HistoryKind.V1_1: "upcast",
    HistoryKind.V2_0: "passed",
    HistoryKind.TOMBSTONE: "passed",
    HistoryKind.BROKEN: "dead-lettered",
    HistoryKind.UNKNOWN_TYPE: "dead-lettered",
    HistoryKind.FUTURE: "dead-lettered",
    HistoryKind.NO_TASK_ID: "dead-lettered",
}

# In a thousand. What must fail is a few in a hundred, so that the breaker stays shut.
SHARES = {
    HistoryKind.V1_0: 560,
    HistoryKind.V1_1: 240,
    HistoryKind.V2_0: 140,
    HistoryKind.TOMBSTONE: 30,
    HistoryKind.BROKEN: 8,
    HistoryKind.UNKNOWN_TYPE: 8,
    HistoryKind.FUTURE: 7,
    HistoryKind.NO_TASK_ID: 7,
}

STATUSES = ("pending", "running", "completed", "failed")


@dataclass(frozen=True)
class MadeEvent:
    """One event to be written, and what it is."""

    kind: HistoryKind
    partition: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp: int  # milliseconds


def make_history(count: int, partitions: int, seed: int = SEED) -> Iterator[MadeEvent]:
    """``count`` events in the order of their timestamps; the same seed gives the same history."""
    chance = random.Random(seed)  # noqa: S311  # a made-up history is no secret
    step = (LAST_DAY_MS - FIRST_DAY_MS) / count
    for number in range(count):
        kind = chance.choices(list(SHARES), list(SHARES.values()))[0]
        task = chance.randrange(count // 4 + 1)
        yield MadeEvent(
            kind=kind,
            partition=task % partitions,
            key=f"task-{task}".encode(),
            value=_value(kind, number, task, chance),
            headers=_headers(kind),
            timestamp=FIRST_DAY_MS + round(number * step),
        )


def _headers(kind: HistoryKind) -> tuple[tuple[str, bytes], ...]:
    if kind is HistoryKind.UNKNOWN_TYPE:
        return (("event-type", b"invoice"),)
    if kind is HistoryKind.FUTURE:
        return (("event-type", b"task_context"), ("schema-version", b"9.0"))
    return (("event-type", b"task_context"),)


def _value(kind: HistoryKind, number: int, task: int, chance: random.Random) -> bytes | None:
    if kind is HistoryKind.TOMBSTONE:
        return None
    current = kind in (HistoryKind.V2_0, HistoryKind.FUTURE)
    document = _document(number, task, chance, current=current)
    metadata = document["metadata"]
    if kind is HistoryKind.V1_1:
        metadata["branch"] = f"feature/{task % 97}"
        if chance.random() < 0.5:
            metadata["repoPath"] = f"/srv/checkouts/{task}"
    if kind is HistoryKind.NO_TASK_ID:
        del metadata["taskId"]
    text = json.dumps(document, separators=(",", ":") if chance.random() < 0.5 else (", ", ": "))
    return text[: len(text) * 2 // 3].encode() if kind is HistoryKind.BROKEN else text.encode()


def _document(number: int, task: int, chance: random.Random, *, current: bool) -> dict[str, Any]:
    project = f"customer-{task % 211}/project-{task % 17}"
    ids = (
        {"task_id": f"1.{task}", "project_id": project, "branch": "main", "repo_path": f"/workspace/repos/{project}"}
        if current
        else {"taskId": f"1.{task}", "projectId": project}
    )
    nodes = {"select": _node(chance, current=current)}
    if current or chance.random() < 0.3:
        nodes["prep"] = _node(chance, current=current)
    return {
        "metadata": ids,
        "nodes": nodes,
        "attempt": number % 5,
        "cost": f"{chance.randrange(10_000) / 100:.2f}",
        "note": "née Überlingen, 10 €" if chance.random() < 0.1 else "nightly run",
    }


def _node(chance: random.Random, *, current: bool) -> dict[str, Any]:
    node: dict[str, Any] = {"status": chance.choice(STATUSES)}
    if chance.random() < 0.5:
        node["started_at" if current else "startedAt"] = f"2024-0{chance.randrange(1, 10)}-11T08:00:00Z"
    return node
