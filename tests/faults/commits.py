"""The history of a group's commits, from the brokers' own topic: what no look at the present can show."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from tests.faults.coordinators import OFFSETS_TOPIC, partition_of
from tests.faults.reading import records_of


@dataclass(frozen=True)
class Commit:
    topic: str
    partition: int
    offset: int


async def commits_of(bootstrap_servers: str, group: str) -> dict[tuple[str, int], list[int]]:
    """The offsets that became valid, by topic and partition, in their order."""
    history: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    async for records in records_of(bootstrap_servers, OFFSETS_TOPIC, partition_of(group)):
        for record in records:
            commit = _parse(record.key, record.value, group.encode())
            if commit:
                history[commit.topic, commit.partition].append(commit.offset)
    return history


def _parse(key: bytes, value: bytes | None, group: bytes) -> Commit | None:
    """Version 0 and 1 of the key are offsets: group, topic, partition. Any value begins with version and offset."""
    version, rest = int.from_bytes(key[:2]), key[2:]
    if version > 1 or value is None:
        return None
    found, rest = _text(rest)
    topic, rest = _text(rest)
    if found != group:
        return None
    return Commit(topic.decode(), int.from_bytes(rest[:4]), int.from_bytes(value[2:10], signed=True))


def _text(encoded: bytes) -> tuple[bytes, bytes]:
    end = 2 + int.from_bytes(encoded[:2])
    return encoded[2:end], encoded[end:]
