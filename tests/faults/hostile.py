"""Records that nobody wants to meet, each with a name and, where the design says so, with its fate."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.kafka import NotUtf8, Record

HOUR_MS = 3_600_000
LIMIT = 1_048_588
"""Of a batch, in topics that are made with Kafka's defaults."""
CANARY = "c4n4ry-in-the-mine"
"""Stands where values stand that nobody outside of the topics may see."""
BATCH_OVERHEAD = 61 + 21
DEEP = "decode"
"""The fate of what is nested 100,000 levels deep, on every Python."""
GOOD = b'{"metadata":{"taskId":"1","projectId":"p"},"nodes":{"select":{"status":"completed"}}'
"""The beginning of an event of version 1.0; the brace that closes it is missing."""
CURRENT: dict[str, Any] = {
    "metadata": {"task_id": "1", "project_id": "p", "branch": "main", "repo_path": "/r"},
    "nodes": {"select": {"status": "completed"}, "prep": {"status": "running"}},
}


@dataclass(frozen=True)
class Hostile:
    """``fate`` is `upcast`, `passed`, the stage of its dead letter, or `trimmed` where that has no room to tell;
    empty where any of them will do."""

    name: str
    record: Record
    fate: str = ""
    contains: bytes = b""
    """What the output must still have in it, byte for byte."""


def everything() -> list[Hostile]:
    return [*_values(), *_wrong_types(), *_headers(), *_keys_and_timestamps(), *_sizes(), *_canaries()]


def _values() -> Iterator[Hostile]:
    for name, value, fate in (
        ("empty", b"", "decode"),
        ("white space", b" \n\t ", "decode"),
        ("invalid UTF-8", GOOD + b',"x":"\xff\xfe"}', "decode"),
        ("invalid UTF-8 in a key", GOOD + b',"\xc3(":1}', "decode"),
        ("overlong UTF-8", GOOD + b',"x":"\xc0\xaf"}', "decode"),
        ("truncated", GOOD, "decode"),
        ("truncated in an escape", GOOD + b',"x":"\\u00', "decode"),
        ("trailing comma", GOOD + b",}", "decode"),
        ("two documents", GOOD + b"}" + GOOD + b"}", "decode"),
        ("byte order mark", b"\xef\xbb\xbf" + GOOD + b"}", "decode"),
        ("UTF-16", (GOOD + b"}").decode().encode("utf-16"), "decode"),
        ("NaN", GOOD + b',"x":NaN}', "decode"),
        ("Infinity", GOOD + b',"x":-Infinity}', "decode"),
        ("raw NUL", GOOD + b',"x":"\x00"}', "decode"),
        ("lone surrogate", GOOD + b',"x":"\\ud800"}', "decode"),
        ("lone surrogate in a key", GOOD + b',"\\udc00":1}', "decode"),
        ("array", b"[" + GOOD + b"}]", "decode"),
        ("string", b'"hello"', "decode"),
        ("number", b"1", "decode"),
        ("null as text", b"null", "decode"),
        ("nested arrays", GOOD + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", DEEP),
        ("nested objects", GOOD + b',"x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001, DEEP),
        ("opened for ever", b"[" * 1_000_000, "decode"),
        ("not JSON at all", bytes(range(256)) * 100, "decode"),
        ("tombstone", None, "passed"),
    ):
        yield Hostile(name, Record(b"k", value), fate)
    for name, kept in (
        ("1e400", b'"x":1e400'),
        ("a number of 10,000 digits", b'"x":' + b"7" * 10_000),
        ("1.10", b'"x":1.10'),
        ("escaped NUL", b'"x":"\\u0000"'),
        ("surrogate pair", b'"x":"\\ud83d\\ude00"'),
        ("a string of 1 MB", b'"x":"' + b"y" * 1_000_000 + b'"'),
    ):
        yield Hostile(name, Record(b"k", GOOD + b"," + kept + b"}"), "upcast", kept)
    twice = b'{"metadata":{"taskId":"1","taskId":"2","projectId":"p"},"nodes":{}}'
    yield Hostile("duplicate keys", Record(b"k", twice), "decode")
    keys = b",".join(b'"k%d":%d' % (n, n) for n in range(50_000))
    yield Hostile("50,000 keys", Record(b"k", GOOD + b"," + keys + b"}"), "upcast", keys)


def _wrong_types() -> Iterator[Hostile]:
    """Each of these values at each path of an old event and of a current one."""
    for base in (json.loads(GOOD + b"}"), CURRENT):
        for path in _paths(base):
            for wrong in (None, True, 0, -1.5, "", "x", [], [1], {}, {"a": 1}):
                value = json.dumps(_replaced(base, path, wrong)).encode()
                yield Hostile(f"{wrong!r} at {'.'.join(path) or 'the top'}", Record(b"k", value))


def _paths(node: Any, here: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield here
    if isinstance(node, dict):
        for key, child in node.items():
            yield from _paths(child, (*here, key))


def _replaced(node: Any, path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return value
    return {**node, path[0]: _replaced(node[path[0]], path[1:], value)}


def _headers() -> Iterator[Hostile]:
    good, bad = GOOD + b"}", b"{"
    nameless: Any = [("", b"x"), ("a", None), ("a", b""), ("a", b"\xff")]
    ours = [("upcaster.source.topic", b"lies"), ("upcaster.source.offset", b"999999"), ("upcaster.chain", b"\xff")]
    connect = [
        ("__connect.errors.topic", b"lies"),
        ("__connect.errors.offset", b"\xff"),
        ("upcaster.dlq.fingerprint", b"x"),
    ]
    many = [(f"header-{n}", b"v" * (n % 50)) for n in range(5_000)]
    foreign: Any = [("good", b"1"), (NotUtf8("name"), b"2"), ("good", b"3")]
    yield Hostile("values that are not UTF-8", Record(b"k", good, [("a", b"\xff\x00\xfe")]), "upcast")
    yield Hostile("no names, no values", Record(b"k", good, nameless), "upcast")
    yield Hostile("headers that look like ours", Record(b"k", good, ours), "upcast")
    yield Hostile("a dead letter come back", Record(b"k", good, connect), "upcast")
    yield Hostile("a dead letter of a dead letter", Record(b"k", bad, [*ours, *connect]), "decode")
    yield Hostile("5,000 headers", Record(b"k", good, many), "upcast")
    yield Hostile("5,000 headers, dead", Record(b"k", bad, many), "decode")
    yield Hostile("a version that is not UTF-8", Record(b"k", good, [("schema-version", b"\xff")]), "detect")
    yield Hostile("a version from the future", Record(b"k", good, [("schema-version", b"99.0")]), "detect")
    yield Hostile("a name that is not UTF-8", Record(b"k", good, foreign), "decode")
    yield Hostile("a name that is not UTF-8, dead anyhow", Record(b"k", bad, foreign), "decode")
    yield Hostile("a name that is not UTF-8, tombstone", Record(b"k", None, foreign), "decode")


def _keys_and_timestamps() -> Iterator[Hostile]:
    good, now = GOOD + b"}", round(time.time() * 1000)
    yield Hostile("no key", Record(None, good), "upcast")
    yield Hostile("no key, no value", Record(None, None), "passed")
    yield Hostile("empty key", Record(b"", good), "upcast")
    yield Hostile("binary key", Record(bytes(range(256)), good), "upcast")
    yield Hostile("no timestamp", Record(b"k", good, (), -1), "upcast")
    yield Hostile("no timestamp, dead", Record(b"k", b"{", (), -1), "decode")
    yield Hostile("at the beginning of time", Record(b"k", good, (), 0), "upcast")
    yield Hostile("five hours ahead", Record(b"k", good, (), now + 5 * HOUR_MS), "produce")
    yield Hostile("five hours ahead, dead anyhow", Record(b"k", b"{", (), now + 5 * HOUR_MS), "decode")


def _canaries() -> Iterator[Hostile]:
    """Where a value could find its way into an error's text: none of them may be seen outside of the topics."""
    whole = CURRENT | {"metadata": CURRENT["metadata"] | {"branch": [CANARY]}}
    for name, value in (
        ("no JSON", CANARY.encode()),
        ("an unfinished string", GOOD + b',"x":"' + CANARY.encode()),
        ("not UTF-8", GOOD + b',"x":"\xff' + CANARY.encode() + b'"}'),
        ("a lone surrogate", GOOD + b',"x":"\\ud800' + CANARY.encode() + b'"}'),
        ("metadata", b'{"metadata":"' + CANARY.encode() + b'","nodes":{}}'),
        ("an id", b'{"metadata":{"taskId":["' + CANARY.encode() + b'"],"projectId":"p"},"nodes":{}}'),
        ("a node", b'{"metadata":{"taskId":"1","projectId":"p"},"nodes":{"select":"' + CANARY.encode() + b'"}}'),
        ("a status", GOOD.replace(b"completed", CANARY.encode()) + b"}"),
        ("a field of a current event", json.dumps(whole).encode()),
    ):
        yield Hostile(f"a canary in {name}", Record(CANARY.encode(), value, [("authorization", CANARY.encode())]))
    for header in ("event-type", "schema-version", "ce_type"):
        yield Hostile(f"a canary in {header}", Record(b"k", GOOD + b"}", [(header, CANARY.encode())]))


def _sizes() -> Iterator[Hostile]:
    """Near the limit of the source, which is that of the other topics too."""
    room = LIMIT - BATCH_OVERHEAD - len(b"k")
    current = json.dumps(CURRENT).encode()[:-1]
    # Lineage headers take some 250 bytes; a dead letter's fingerprint takes 50, with origin and stage 240, and all its
    # headers 800.
    yield Hostile("large, current", Record(b"k", _filled(current, room - 300)), "passed")
    yield Hostile("large, grows", Record(b"k", _filled(GOOD, room - 150)), "trimmed")
    yield Hostile("large, dead", Record(b"k", b"{" + b"x" * (room - 301)), "decode")
    yield Hostile("larger, dead", Record(b"k", b"{" + b"x" * (room - 101)), "trimmed")


def too_large_to_bury() -> Record:
    """Its dead letter has no room for a single header."""
    return Record(b"k", b"{" + b"x" * (LIMIT - BATCH_OVERHEAD - 2))


def _filled(start: bytes, size: int) -> bytes:
    middle, end = b',"filler":"', b'"}'
    return start + middle + b"x" * (size - len(start) - len(middle) - len(end)) + end
