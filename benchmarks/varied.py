"""Events of one type that are hardly ever alike: nodes of free names, fields that may be there or not, in any order."""

from __future__ import annotations

import random
from typing import Any

import orjson

WORDS = ("build", "test", "lint", "deploy", "scan", "pack", "sign", "notify", "bench", "docs", "audit", "merge")
OPTIONAL = tuple(f"field_{number}" for number in range(16))


def pool(number: int = 2_000, seed: int = 19) -> list[bytes]:
    """``task_context`` 1.0 and 1.1 of some 400 bytes."""
    chance = random.Random(seed)  # noqa: S311  # made up events, no secrets
    return [orjson.dumps(_document(chance)) for _ in range(number)]


def _document(chance: random.Random) -> dict[str, Any]:
    metadata: dict[str, Any] = {"taskId": f"1.{chance.randrange(9_999)}", "projectId": f"p/{chance.randrange(99)}"}
    if chance.random() < 0.4:
        metadata["branch"] = chance.choice(["main", f"feature/{chance.randrange(99)}", None])
    if chance.random() < 0.3:
        metadata["repoPath"] = chance.choice([f"/srv/{chance.randrange(99)}", None])
    names = [f"{chance.choice(WORDS)}-{chance.randrange(1_000)}" for _ in range(chance.randrange(1, 5))]
    nodes = {name: _node(chance) for name in ["select", *names][chance.random() < 0.2 :]}
    document: dict[str, Any] = {"metadata": metadata, "nodes": nodes}
    for name in OPTIONAL:
        if chance.random() < 0.5:
            document[name] = chance.choice([chance.randrange(1_000), "nightly", True, None, [1, 2], {"a": "b"}])
    return document


def _node(chance: random.Random) -> dict[str, Any]:
    node: dict[str, Any] = {"status": chance.choice(["pending", "running", "completed"])}
    if chance.random() < 0.7:
        node["startedAt"] = "2024-03-11T08:00:00Z"
    if chance.random() < 0.5:
        node["attempt"] = chance.randrange(5)
    if chance.random() < 0.3:
        node["durationMs"] = chance.randrange(100_000)
    return node
