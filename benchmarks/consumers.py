"""``make bench WHAT=consumers``: what an adapter of ``upcasters.consumers`` adds to the engine, as ratios of CPU time.

The engine alone makes an ``Event`` of what the client handed out, upcasts it and asks for the output. All are measured
in turn in one process; the ratio is the median of the rounds' own. No client and no network: the records are aiokafka's
own class, and messages of confluent-kafka, which only its client can make, have Python's methods, which cost more.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from statistics import median
from types import SimpleNamespace
from typing import Any

from aiokafka.structs import ConsumerRecord

from benchmarks.drain.events import pool
from upcasters import Event, Upcaster, load_chain
from upcasters.consumers import (
    AiokafkaRecords,
    ConfluentDeserializer,
    ConfluentMessages,
    DeadLetter,
    FastStreamMiddleware,
    PlainValues,
    QuixRecords,
    QuixValues,
)

EVENTS = 256
ROUNDS = 41
AT_MOST = 1.3
HEADERS = [("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
NAMES = (
    "aiokafka, async for",
    "aiokafka, getmany",
    "confluent messages",
    "confluent deserializer",
    "FastStream, a batch",
    "Quix records",
    "Quix values",
    "plain values",
)
Loop = Callable[[], object]


class Message:
    """A stand-in for confluent-kafka's own."""

    __slots__ = ("_headers", "_key", "_offset", "_value")

    def __init__(self, value: bytes | None, key: bytes, offset: int) -> None:
        self._value, self._key, self._offset = value, key, offset
        self._headers = HEADERS

    def error(self) -> None:
        return None

    def value(self) -> bytes | None:
        return self._value

    def key(self) -> bytes | None:
        return self._key

    def headers(self) -> Any:
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_700_000_000_000

    def offset(self) -> int:
        return self._offset

    def topic(self) -> str:
        return "orders"

    def partition(self) -> int:
        return 3

    def set_value(self, value: bytes | None) -> None:
        """Not kept: each round begins with the old event again."""


def refuse(letter: DeadLetter) -> None:
    raise AssertionError(letter.fault)


def ran(coroutine: Coroutine[Any, Any, object]) -> object:
    """A coroutine that waits for nothing, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")


def aiokafka_records(events: Sequence[tuple[bytes, bytes]]) -> list[ConsumerRecord[bytes, bytes]]:
    return [
        ConsumerRecord(
            "orders", 3, offset, 1_700_000_000_000, 0, key, value, None, len(key), len(value), tuple(HEADERS)
        )
        for offset, (key, value) in enumerate(events)
    ]


def loops(upcaster: Upcaster, events: Sequence[tuple[bytes, bytes]]) -> dict[str, tuple[Loop, Loop]]:
    """For each adapter a loop over the events, and the same with the engine alone."""
    records = aiokafka_records(events)
    messages = [Message(value, key, offset) for offset, (key, value) in enumerate(events)]

    def engine_alone() -> None:
        for record in records:
            event = Event(record.value, record.key, record.headers, record.timestamp, record.offset)
            upcaster.upcast(event).output(event)

    def engine_with_confluent() -> None:
        for message in messages:
            event = Event(message.value(), message.key(), message.headers(), message.timestamp()[1], message.offset())
            upcaster.upcast(event).output(event)

    return {
        name: (loop, engine_with_confluent if name == "confluent messages" else engine_alone)
        for name, loop in adapted(upcaster, records, messages).items()
    }


def adapted(upcaster: Upcaster, records: Sequence[Any], messages: Sequence[Any]) -> Mapping[str, Loop]:
    aiokafka, middleware = AiokafkaRecords(upcaster, refuse), FastStreamMiddleware(upcaster, refuse)
    confluent, deserializer = ConfluentMessages(upcaster, refuse), ConfluentDeserializer(upcaster, refuse)
    context = SimpleNamespace(topic="orders", partition=3, offset=17, headers=HEADERS)
    quix, values = QuixRecords(upcaster, refuse, lambda: context), QuixValues(upcaster, refuse, lambda: context)
    plain = PlainValues(upcaster, refuse)
    batch = SimpleNamespace(raw_message=tuple(records), body=[], headers={}, clear_cache=lambda: None)

    async def iterated() -> None:
        async for _ in aiokafka(stream(records)):
            pass

    async def handled(_message: Any) -> None:
        batch.raw_message = tuple(records)

    found: tuple[Loop, ...] = (
        lambda: ran(iterated()),
        lambda: ran(aiokafka.many(records)),
        lambda: [confluent(message) for message in messages],
        lambda: [deserializer(record.value, context) for record in records],
        lambda: ran(middleware(None, context=None).consume_scope(handled, batch)),
        lambda: [quix(each.value, each.key, each.timestamp, each.headers) for each in records],
        lambda: [values(each.value, each.key, each.timestamp, each.headers) for each in records],
        lambda: [plain(each.value, each.headers, each.key) for each in records],
    )
    return dict(zip(NAMES, found, strict=True))


async def stream(records: Sequence[Any]) -> AsyncIterator[Any]:
    for record in records:
        yield record


def measured(upcaster: Upcaster, events: Sequence[tuple[bytes, bytes]]) -> dict[str, tuple[float, float]]:
    """For each adapter the median ratio to the engine alone, and microseconds of CPU an event."""
    found: dict[str, tuple[float, float]] = {}
    gc.collect()
    gc.disable()
    try:
        for name, (loop, alone) in loops(upcaster, events).items():
            rounds = [(_time(loop), _time(alone)) for _ in range(ROUNDS)]
            ratio = median(with_it / without for with_it, without in rounds)
            found[name] = ratio, median(with_it for with_it, _ in rounds) / len(events)
    finally:
        gc.enable()
    return found


def _time(loop: Loop) -> float:
    begin = time.process_time_ns()
    loop()
    return (time.process_time_ns() - begin) / 1e3


def main() -> int:
    upcaster = load_chain("upcasters.devteam_runner:chain").upcaster()
    events = [(event.key, event.value) for event in pool(350, "mix")[:EVENTS]]
    failed = 0
    for name, (ratio, microseconds) in measured(upcaster, events).items():
        failed += ratio > AT_MOST
        verdict = "" if ratio <= AT_MOST else "  TOO MUCH"
        print(f"{name:24} {microseconds:6.2f} us  {ratio:5.2f} x the engine alone (at most {AT_MOST}){verdict}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
