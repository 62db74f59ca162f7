"""Numbered events, and what must become of each: written out here, without the chain and without the worker.

An event is made from its number and kind alone, so the checker can make it again. Number ``n`` goes to partition
``n % partitions``; its offset there is what the brokers say, since records of others may be in between.
"""

from __future__ import annotations

import json
import random
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any

from tests.kafka import Record

FIRST_MS = 1_600_000_000_000
NUMBER = "number"
MAX_MESSAGE_BYTES = 1_048_588
"""Kafka's default limit of a batch."""
OVERHEAD = 61 + 21
"""Of a batch, and of the record in it, at most."""


class Kind(IntEnum):
    V1_0 = 0
    V1_1 = 1
    V2_0 = 2
    TOMBSTONE = 3
    BROKEN = 4
    FUTURE = 5
    NO_TASK = 6
    FOREIGN = 7
    LARGE = 8
    """As large as the topics take, and current."""
    GROWING = 9
    """As large as the topics take, and larger when it has been upcast."""


FATES = {
    Kind.V1_0: "upcast",
    Kind.V1_1: "upcast",
    Kind.V2_0: "passed",
    Kind.TOMBSTONE: "passed",
    Kind.BROKEN: "dead-lettered",
    Kind.FUTURE: "dead-lettered",
    Kind.NO_TASK: "dead-lettered",
    Kind.FOREIGN: "skipped",
    Kind.LARGE: "passed",
    Kind.GROWING: "dead-lettered",
}
STAGES = {Kind.BROKEN: b"decode", Kind.GROWING: b"produce"}
SHARES = {
    Kind.V1_0: 50,
    Kind.V1_1: 20,
    Kind.V2_0: 13,
    Kind.TOMBSTONE: 4,
    Kind.BROKEN: 3,
    Kind.FUTURE: 2,
    Kind.NO_TASK: 2,
    Kind.FOREIGN: 6,
}


class Ledger:
    """Which numbers there are, and of which kind."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.kinds = bytearray()
        self.offsets = array("q")
        """Of each number; -1 until it is acknowledged."""

    def __len__(self) -> int:
        return len(self.kinds)

    def add(self, kinds: Iterable[Kind]) -> range:
        """New numbers for these kinds."""
        first = len(self.kinds)
        self.kinds.extend(kinds)
        self.offsets.extend([-1] * (len(self.kinds) - first))
        return range(first, len(self.kinds))

    def kind(self, number: int) -> Kind:
        return Kind(self.kinds[number])

    def fate(self, number: int) -> str:
        return FATES[self.kind(number)]

    def record(self, number: int) -> Record:
        return make_record(number, self.kind(number), number % self.partitions, self.offsets[number])

    def numbers_before(self, partition: int, offset: int, written: int) -> int:
        """How many of the first ``written`` numbers this partition has before the offset."""
        its_own = range(partition, written, self.partitions)
        return bisect_left(its_own, offset, key=self.offsets.__getitem__)

    def count(self, fate: str) -> int:
        return sum(self.kinds.count(kind) for kind in Kind if FATES[kind] == fate)


def mixture(chance: random.Random, count: int) -> list[Kind]:
    return chance.choices(list(SHARES), list(SHARES.values()), k=count)


def number_of(headers: Sequence[tuple[str, bytes]]) -> int:
    """The number that a record's header tells; -1 where there is none."""
    return next((int(value) for name, value in headers if name == NUMBER), -1)


def make_record(number: int, kind: Kind, partition: int, offset: int) -> Record:
    key = None if number % 50 == 7 else b"task-%d" % (number % 1000)
    headers = _headers(number, kind)
    value = _value(number, kind, len(key or b"") + sum(len(name) + len(text) + 4 for name, text in headers))
    return Record(key, value, headers, FIRST_MS + number, partition, offset)


def expected_value(number: int, kind: Kind) -> Any:
    """What the upcast value says, as ``parse`` reads it."""
    document = parse(json.dumps(_document(number, kind)).encode())
    metadata, project = document["metadata"], document["metadata"]["projectId"]
    document["metadata"] = {
        "task_id": metadata["taskId"],
        "project_id": project,
        "branch": metadata.get("branch", "main"),
        "repo_path": metadata.get("repoPath", "/workspace/repos/" + project),
    }
    select = document["nodes"]["select"]["status"]
    document["nodes"]["prep"] = {"status": "running" if select == "completed" else "pending"}
    return document


def parse(value: bytes) -> Any:
    """JSON with its numbers as they were written."""
    return json.loads(value, parse_float=str, parse_int=str)


def _headers(number: int, kind: Kind) -> tuple[tuple[str, bytes], ...]:
    own = ((NUMBER, b"%d" % number), ("trace", b"\xff\x00%d" % (number % 10)))
    if kind is Kind.FOREIGN:
        return (*own, ("event-type", b"invoice"), ("schema-version", b"1.0"))
    if kind is Kind.FUTURE:
        return (*own, ("event-type", b"task_context"), ("schema-version", b"9.0"))
    return own


def _value(number: int, kind: Kind, beside: int) -> bytes | None:
    if kind is Kind.TOMBSTONE:
        return None
    document = _document(number, kind)
    text = json.dumps(document, separators=(",", ":"))
    if kind is Kind.BROKEN:
        return text[: len(text) // 2].encode()
    if kind in {Kind.LARGE, Kind.GROWING}:
        room = MAX_MESSAGE_BYTES - OVERHEAD - beside - len(text) + len(document["filler"])
        document["filler"] = "x" * room
        text = json.dumps(document, separators=(",", ":"))
    return text.encode()


def _document(number: int, kind: Kind) -> dict[str, Any]:
    return {
        "metadata": _metadata(number, kind),
        "nodes": _nodes(number, kind),
        "attempt": number % 7,
        "cost": number / 8,
        "filler": "x" * (number * 37 % 400),
    }


def _metadata(number: int, kind: Kind) -> dict[str, str]:
    project = f"customer-{number % 211}/project-{number % 17}"
    if kind in {Kind.V2_0, Kind.LARGE}:
        return {"task_id": f"t-{number}", "project_id": project, "branch": "dev", "repo_path": "/srv/a"}
    metadata = {"taskId": f"t-{number}", "projectId": project}
    if kind is Kind.V1_1:
        metadata |= {"branch": f"feature/{number % 97}", "repoPath": f"/srv/{number}"}
    if kind is Kind.NO_TASK:
        del metadata["taskId"]
    return metadata


def _nodes(number: int, kind: Kind) -> dict[str, Any]:
    select = {"status": ("completed", "pending", "running")[number % 3]}
    return {"select": select, "prep": {"status": "done"}} if kind in {Kind.V2_0, Kind.LARGE} else {"select": select}
