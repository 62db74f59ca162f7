"""Adapters for consumers, on stand-ins for what clients hand out; the real ones are in tests/integration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord

from upcasters import (
    Always,
    Baseline,
    Chain,
    Detection,
    FromHeader,
    SourcePartition,
    Step,
    default,
    drop_event,
    equals,
    rename,
    set_key,
    split_each,
    when,
)
from upcasters.consumers import (
    NOTHING,
    AiokafkaRecords,
    ConfluentDeserializer,
    ConfluentMessages,
    DeadLetter,
    FastStreamMiddleware,
    PlainValues,
    QuixRecords,
    QuixValues,
)
from upcasters.event import Header
from worker.dlq.letters import read_letter

UPCASTER = Chain(
    [
        Step(
            "order",
            "1",
            "2",
            [when(equals("kind", "heartbeat"), drop_event()), rename("id", "order_id"), default("currency", "EUR")],
            lossy="nobody waits for a heartbeat",
        ),
        Step("basket", "1", "2", [split_each("lines", into="line", item="line")], lossy="lines go by themselves"),
        Step("moved", "1", "2", [set_key("to")], lossy="the old key names nobody"),
    ],
    [Baseline("order", "1"), Baseline("basket", "1"), Baseline("line", "2"), Baseline("moved", "1")],
    detection=Detection((FromHeader("type"), Always("order")), (FromHeader("version"), Always("1"))),
).upcaster()
OLD, NEW = b'{"id":1}', b'{"order_id":1,"currency":"EUR"}'
BROKEN, HEARTBEAT = b'{"no":1}', b'{"kind":"heartbeat"}'
VERSION: Header = ("version", b"1")
BASKET: list[Header] = [("type", b"basket"), VERSION]
MOVED: list[Header] = [("type", b"moved"), VERSION]


class Message:
    """As confluent-kafka's, which only its client can make."""

    def __init__(
        self, value: bytes | None, headers: list[Header] | None = None, error: object = None, kind: int = 1
    ) -> None:
        self.parts: dict[str, Any] = {"value": value, "key": b"k", "headers": headers, "error": error}
        self.parts |= {"timestamp": (kind, 5), "offset": 7, "topic": "orders", "partition": 3}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        verb, _, part = name.partition("_")
        return (lambda given: self.parts.update({part: given})) if verb == "set" else lambda: self.parts[name]


def record(value: bytes | None, headers: list[Header] | tuple[Header, ...] = ()) -> ConsumerRecord[bytes, bytes]:
    size = -1 if value is None else len(value)
    return ConsumerRecord("orders", 3, 7, 5, 0, b"k", value, None, 1, size, tuple(headers))


def keep(letters: list[DeadLetter]) -> Callable[[DeadLetter], object]:
    return letters.append


def never(letter: DeadLetter) -> None:
    raise AssertionError(letter.fault)


@pytest.mark.parametrize(
    ("value", "out"), [(OLD, (NEW,)), (None, (None,)), (HEARTBEAT, ()), (NEW.replace(b":1", b":2"), ())]
)
def test_plain_values(value: bytes | None, out: tuple[bytes | None, ...]) -> None:
    letters: list[DeadLetter] = []
    assert PlainValues(UPCASTER, keep(letters))(value) == out
    assert [letter.value for letter in letters] == ([value] if value and b"order_id" in value else [])


def test_what_a_callback_raises_is_raised() -> None:
    with pytest.raises(AssertionError, match="MissingField"):
        PlainValues(UPCASTER, never)(BROKEN)


def test_a_dead_letter_is_read_by_the_worker() -> None:
    letters: list[DeadLetter] = []
    ConfluentMessages(UPCASTER, keep(letters))(Message(BROKEN, [VERSION, ("a", None)]))
    [letter] = letters
    found = read_letter(SimpleNamespace(headers=letter.headers, timestamp=5))
    assert found is not None
    assert (found.topic, found.partition, found.offset) == ("orders", 3, 7)
    assert (found.fingerprint, found.headers) == (letter.fault.fingerprint, [VERSION, ("a", None)])
    assert (letter.key, letter.value, letter.text_headers["a"]) == (b"k", BROKEN, "")
    assert found.buried > 1_700_000_000_000


def test_a_dead_letter_without_an_origin_says_so() -> None:
    letters: list[DeadLetter] = []
    PlainValues(UPCASTER, keep(letters))(BROKEN)
    found = read_letter(SimpleNamespace(headers=letters[0].headers, timestamp=5))
    assert found is not None
    assert (found.topic, found.partition, found.offset) == (None, None, None)


async def stream(*records: Any) -> AsyncIterator[Any]:
    for each in records:
        yield each


async def test_records_of_aiokafka_stay_its_records() -> None:
    letters: list[DeadLetter] = []

    async def later(letter: DeadLetter) -> None:
        await asyncio.sleep(0)
        letters.append(letter)

    current = AiokafkaRecords(UPCASTER, later)
    tombstone, old = record(None), record(OLD, [VERSION])
    given = stream(old, tombstone, record(BROKEN), record(HEARTBEAT), record(b'{"to":"z"}', MOVED))
    first, second, third = [each async for each in current(given)]
    assert first == record(NEW, [("version", b"2")])
    assert old == record(OLD, [VERSION]), "the client's own record is left as it was"
    assert second is tombstone
    assert (third.key, third.serialized_key_size, third.offset) == (b"z", 1, 7)
    assert [letter.value for letter in letters] == [BROKEN]


async def test_a_record_becomes_several() -> None:
    made = await AiokafkaRecords(UPCASTER, never).many([record(b'{"lines":[1,2]}', BASKET), record(OLD)])
    assert [(each.value, each.offset) for each in made] == [(b'{"line":1}', 7), (b'{"line":2}', 7), (NEW, 7)]


def test_messages_of_confluent_stay_its_messages() -> None:
    current = ConfluentMessages(UPCASTER, never)
    message, tombstone, failed = Message(OLD), Message(None), Message(b"", error="lost")
    assert current(message) == (message,)
    assert message.parts["value"] == NEW
    assert current(tombstone) == (tombstone,)
    assert current(failed) == (failed,)
    assert current(None) == current(Message(HEARTBEAT)) == ()
    [moved] = current(Message(b'{"to":"z"}', MOVED, kind=0))
    assert (moved.key(), moved.headers()) == (b"z", [("type", b"moved"), ("version", b"2")])


def test_each_of_several_is_read_like_a_message() -> None:
    first, second = ConfluentMessages(UPCASTER, never)(Message(b'{"lines":[1,2]}', BASKET))
    assert [(each.value(), each.key(), each.error(), len(each)) for each in (first, second)] == [
        (b'{"line":1}', b"k", None, 10),
        (b'{"line":2}', b"k", None, 10),
    ]
    assert (first.topic(), first.partition(), first.offset(), first.timestamp()) == ("orders", 3, 7, (1, 5))
    assert dict(first.headers())["type"] == b"line"


def test_a_deserializer_answers_with_one_value() -> None:
    letters: list[DeadLetter] = []
    context = SimpleNamespace(topic="orders", headers=[VERSION])
    deserializer = ConfluentDeserializer(UPCASTER, keep(letters), then=lambda value, _: value.decode())
    assert deserializer(OLD, context) == NEW.decode()
    assert deserializer(None, context) is None
    assert deserializer(HEARTBEAT, context) is deserializer(BROKEN, context) is NOTHING
    assert not NOTHING
    assert repr(NOTHING) == "NOTHING"
    assert letters[0].source == SourcePartition("orders", -1)
    assert ConfluentDeserializer(UPCASTER, keep(letters))(OLD, None) == NEW
    ConfluentDeserializer(UPCASTER, keep(letters))(BROKEN, None)
    assert letters[1].source is None


def test_a_deserializer_refuses_what_it_cannot_say() -> None:
    with pytest.raises(ValueError, match="another key"):
        ConfluentDeserializer(UPCASTER, never)(b'{"to":"z"}', SimpleNamespace(topic="t", headers=MOVED))


class StreamMessage(SimpleNamespace):
    """As FastStream's."""

    cleared = 0

    def clear_cache(self) -> None:
        self.cleared += 1


async def seen(
    raw: Any, answer: object = None, bury: Callable[[DeadLetter], object] = never
) -> tuple[list[Any], object, StreamMessage]:
    """What a subscriber gets behind the middleware, and what comes back."""
    calls: list[Any] = []
    message = StreamMessage(raw_message=raw, body=b"old", headers={})

    async def subscriber(given: Any) -> object:
        calls.append((given.raw_message, given.body, given.headers))
        return answer

    async with FastStreamMiddleware(UPCASTER, bury)(raw, context=None) as scope:
        back = await scope.consume_scope(subscriber, message)
        assert await scope.publish_scope(_told, "command") == "command"
    return calls, back, message


async def _told(command: object) -> object:
    return command


async def test_a_subscriber_of_faststream_gets_the_current_event() -> None:
    calls, back, message = await seen(record(OLD, [VERSION]), answer="done")
    assert calls == [(record(NEW, [("version", b"2")]), NEW, {"version": "2"})]
    assert (back, message.cleared) == ("done", 1)
    calls, _, message = await seen(record(None))
    assert (calls, message.cleared) == ([(record(None), b"old", {})], 0)
    assert (await seen(record(HEARTBEAT)))[:2] == ([], None)


async def test_a_subscriber_is_called_for_each_of_several() -> None:
    basket = record(b'{"lines":[1,2]}', BASKET)
    calls, _, _ = await seen(basket)
    assert [body for _, body, _ in calls] == [b'{"line":1}', b'{"line":2}']
    with pytest.raises(ValueError, match="only one answer"):
        await seen(basket, answer="one")


async def test_a_batch_of_faststream_holds_current_events() -> None:
    letters: list[DeadLetter] = []
    [call], _, message = await seen((record(BROKEN), record(OLD, [VERSION]), record(None)), bury=keep(letters))
    assert call[0] == (record(NEW, [("version", b"2")]), record(None))
    assert (call[1], message.batch_headers, message.headers) == ([NEW, b""], [{"version": "2"}, {}], {"version": "2"})
    assert len(letters) == 1
    assert (await seen((record(HEARTBEAT),)))[0] == []


def place() -> Any:
    return SimpleNamespace(topic="orders", partition=3, offset=7)


def test_a_function_of_quix_gives_records_or_values() -> None:
    letters: list[DeadLetter] = []
    records, values = QuixRecords(UPCASTER, keep(letters), place), QuixValues(UPCASTER, keep(letters), place)
    [made] = records(OLD, b"k", 5, [VERSION])
    assert (made.value, made.key, list(made.headers)) == (NEW, b"k", [("version", b"2")])
    assert values(OLD, b"k", 5, None) == [NEW]
    assert values(None, b"k", 5, None) == [None]
    assert values(BROKEN, b"k", 5, None) == []
    assert (letters[0].source, letters[0].event.offset) == (place(), 7)
    with pytest.raises(ValueError, match="another key"):
        values(b'{"to":"z"}', b"k", 5, MOVED)
