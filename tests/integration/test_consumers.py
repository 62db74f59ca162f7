"""The programs of docs/consumers.md, each with its real client on a real broker: what a consumer sees, what it buries.

The clients are in a .venv of their own (`make tools`), but for aiokafka; without them their programs are skipped.
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.docs.snippets import ROOT, snippets
from tests.kafka import Record, Topics, produce, read_all
from upcasters import Event, Fault
from worker.dlq.letters import read_letter

PAGE = snippets((ROOT / "docs" / "consumers.md").read_text(encoding="utf-8"))
PROGRAMS = {snippet.file.removesuffix("_app.py"): snippet.text for snippet in PAGE if snippet.file.endswith("_app.py")}
CLIENTS = ROOT / ".venv-clients" / "bin" / "python"
TIME_LIMIT = 60

# More than the page's chain does: events end, or become several, and one gets another key.
CHAIN = """
from upcasters import *

chain = Chain(
    [
        Step(
            "order",
            "1",
            "2",
            [
                when(equals("kind", "heartbeat"), drop_event()),
                rename("custId", "customer_id"),
                default("currency", "EUR"),
            ],
            lossy="nobody waits for a heartbeat",
        ),
        Step("basket", "1", "2", [split_each("lines", into="line", item="line", id="id")], lossy="lines go alone"),
        Step("moved", "1", "2", [set_key("to")], lossy="the old key names nobody"),
    ],
    [Baseline("order", "1"), Baseline("basket", "1"), Baseline("line", "2"), Baseline("moved", "1")],
    detection=Detection((FromHeader("type"), Always("order")), (FromHeader("schema-version"),)),
)
"""
TRACE = ("trace", b"t-1")


def event(key: bytes, value: bytes | None, version: bytes = b"1", kind: bytes = b"order") -> Record:
    return Record(key, value, (TRACE, ("type", kind), ("schema-version", version)))


def headers(version: bytes = b"2", kind: bytes = b"order") -> dict[str, bytes]:
    return {"trace": b"t-1", "type": kind, "schema-version": version}


BROKEN = event(b"10", b'{"total": 1}')
GIVEN = [
    event(b"7", b'{"custId": 7, "total": 1.10}'),
    Record(b"8", None, (TRACE,)),
    event(b"9", b'{"customer_id": 9, "currency": "USD"}', b"2"),
    BROKEN,
    event(b"11", b'{"kind": "heartbeat"}'),
]
END = event(b"end", b'{"custId": 0}')
SEEN = [
    (0, b"7", b'{"customer_id":7,"total":1.10,"currency":"EUR"}', headers()),
    (1, b"8", None, {"trace": b"t-1"}),
    (2, b"9", b'{"customer_id": 9, "currency": "USD"}', headers()),
]
SPLIT = event(b"12", b'{"lines": ["a", "b"]}', kind=b"basket")
MOVED = event(b"13", b'{"to": "14"}', kind=b"moved")


def at_the_end(offset: int) -> tuple[int, bytes, bytes, dict[str, bytes]]:
    return offset, b"end", b'{"customer_id":0,"currency":"EUR"}', headers()


class Place:
    """Topics of one test, and the program of the page for them."""

    def __init__(self, bootstrap: str, topics: Topics, folder: Path, source: str) -> None:
        self.bootstrap, self.folder, self.source = bootstrap, folder, source
        self.letters, self.group = topics.name("dlt"), topics.name("billing")

    def write(self, program: str) -> None:
        (self.folder / "orders.py").write_text(CHAIN, encoding="utf-8")
        for ours, theirs in (
            ('"orders-dlt"', f'"{self.letters}"'),
            ('"orders"', f'"{self.source}"'),
            ("localhost:9092", self.bootstrap),
            ('"billing"', f'"{self.group}"'),
        ):
            assert ours in program, ours
            program = program.replace(ours, theirs)
        (self.folder / "app.py").write_text(program, encoding="utf-8")


@pytest.fixture
async def place(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> Place:
    source = await topics.create("orders")
    await topics.create("dlt")
    return Place(kafka_bootstrap, topics, tmp_path, source)


@asynccontextmanager
async def running(client: str, place: Place) -> AsyncIterator[asyncio.subprocess.Process]:
    python = sys.executable if client == "aiokafka" else str(CLIENTS)
    if not os.access(python, os.X_OK):
        pytest.skip("the clients are not installed: make tools")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}."}
    with (place.folder / "errors").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            python, "app.py", cwd=place.folder, env=environment, stdout=PIPE, stderr=errors
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def seen(client: str, place: Place, last: str = "b'end'") -> list[tuple[Any, ...]]:
    """What the program prints of each event, up to the last one."""
    found: list[tuple[Any, ...]] = []
    async with running(client, place) as process, asyncio.timeout(TIME_LIMIT):
        assert process.stdout is not None
        async for line in process.stdout:
            text = line.decode()
            if re.match(r"\d+ ", text):
                found.append(printed(text))
            if last in text:
                return found
    raise AssertionError((place.folder / "errors").read_text())


def printed(line: str) -> tuple[Any, ...]:
    """A line of a program, `7 b'key' b'value' {...}`, as a tuple."""
    offset, key, rest = line.split(" ", 2)
    whole = re.fullmatch(r"(b'.*?'|None|\{.*?\})(?: (\{.*\}))?\s*", rest)
    assert whole is not None, line
    parts = [ast.literal_eval(part) for part in whole.groups() if part is not None]
    return int(offset), ast.literal_eval(key), *parts


@pytest.mark.parametrize("client", ["aiokafka", "confluent", "faststream", "quix"])
async def test_current_events_come_out_in_order_and_dead_letters_are_kept(client: str, place: Place) -> None:
    place.write(PROGRAMS[client])
    await produce(place.bootstrap, place.source, [*GIVEN, SPLIT, MOVED, END])

    found = await seen(client, place)

    assert found[:3] == SEEN
    assert [(offset, json.loads(value)["line"]) for offset, _, value, _ in found[3:5]] == [(5, "a"), (5, "b")]
    assert found[5:] == [(6, b"14", b'{"to":"14"}', headers(kind=b"moved")), at_the_end(7)]
    await buried(place)


async def test_a_batch_of_faststream_holds_current_events_only(place: Place) -> None:
    batch = PROGRAMS["faststream"].replace('group_id="billing"', 'group_id="billing", batch=True')
    one, many = "record = message.raw_message\n    print", "for record in message.raw_message:\n        print"
    assert one in batch
    place.write(batch.replace(one, many))
    await produce(place.bootstrap, place.source, [*GIVEN, END])

    assert await seen("faststream", place) == [*SEEN, at_the_end(5)]
    await buried(place)


async def buried(place: Place) -> None:
    """The dead letter is one that the worker could have written."""
    [record] = await read_all(place.bootstrap, place.letters)
    assert (record.key, record.value) == (BROKEN.key, BROKEN.value)
    letter = read_letter(Event(record.value, record.key, record.headers, record.timestamp, record.offset))
    assert letter is not None
    assert (letter.topic, letter.partition, letter.offset, letter.rounds) == (place.source, 0, 3, 0)
    assert [header for header in letter.headers if header[0] in dict(BROKEN.headers)] == list(BROKEN.headers)
    assert letter.text("__connect.errors.exception.class.name") == "MissingField"
    fault = Fault("upcast", "MissingField", "", "order", "1", "2", "order:1->2", "custId")
    assert letter.fingerprint == fault.fingerprint


async def test_a_deserializer_gives_one_value(place: Place) -> None:
    place.write(PROGRAMS["deserializing"])
    await produce(place.bootstrap, place.source, [*GIVEN, END])

    assert await seen("deserializing", place) == [
        (0, b"7", {"customer_id": 7, "total": 1.1, "currency": "EUR"}),
        (1, b"8", None),
        (2, b"9", {"customer_id": 9, "currency": "USD"}),
        (5, b"end", {"customer_id": 0, "currency": "EUR"}),
    ]
    [record] = await read_all(place.bootstrap, place.letters)
    assert record.value == BROKEN.value


async def test_a_deserializer_is_not_told_the_offset(place: Place) -> None:
    place.write(PROGRAMS["deserializing"])
    await produce(place.bootstrap, place.source, [SPLIT, END])

    assert await seen("deserializing", place) == [(1, b"end", {"customer_id": 0, "currency": "EUR"})]
    [record] = await read_all(place.bootstrap, place.letters)
    assert dict(record.headers)["__connect.errors.exception.class.name"] == b"NoCoordinates"


async def test_a_deserializer_says_that_it_cannot_give_another_key(place: Place) -> None:
    place.write(PROGRAMS["deserializing"])
    await produce(place.bootstrap, place.source, [MOVED, END])

    with pytest.raises(AssertionError, match=r"ValueDeserializationError(?s:.)*another key"):
        await seen("deserializing", place)
