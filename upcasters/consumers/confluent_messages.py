"""confluent-kafka: its messages go in and come out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from upcasters.consumers.letters import DeadLetter
from upcasters.event import Event, Header, Record
from upcasters.outcome import DeadLettered, Passed, Upcast
from upcasters.upcaster import Upcaster

_NO_TIMESTAMP = 0  # confluent_kafka.TIMESTAMP_NOT_AVAILABLE


class Place:
    """Topic and partition of a message, asked for only by what needs them."""

    __slots__ = ("_message",)

    def __init__(self, message: Any) -> None:
        self._message = message

    @property
    def topic(self) -> str:
        return str(self._message.topic())

    @property
    def partition(self) -> int:
        return int(self._message.partition())


class ConfluentMessages:
    """``for message in current(polled)``: the current messages for one that ``poll`` or ``consume`` hands out.

    None gives none, and a message with an ``error()`` comes out as it is. A changed message is the same object with
    another value, and another key or other headers where the chain changes these. Where an event becomes several, each
    is a ``SplitMessage``. ``dead_letter`` is called with each ``DeadLetter``.
    """

    def __init__(self, upcaster: Upcaster, dead_letter: Callable[[DeadLetter], object]) -> None:
        self._upcast = upcaster.upcast
        self._dead_letter = dead_letter

    def __call__(self, message: Any) -> Sequence[Any]:
        """The current messages, in order."""
        if message is None:
            return ()
        if message.error() is not None:
            return (message,)
        event, place = event_of_message(message), Place(message)
        outcome = self._upcast(event, place)
        if type(outcome) is Passed:
            return (message,)
        if type(outcome) is Upcast:
            return _changed(message, outcome)
        if type(outcome) is DeadLettered:
            self._dead_letter(DeadLetter(event, place, outcome.fault))
        return ()


def event_of_message(message: Any) -> Event:
    """The event that a message of confluent-kafka holds."""
    kind, timestamp = message.timestamp()
    known = None if kind == _NO_TIMESTAMP else timestamp
    return Event(message.value(), message.key(), message.headers(), known, message.offset())


def _changed(message: Any, outcome: Upcast) -> Sequence[Any]:
    if outcome.new_records is None:
        message.set_value(outcome.new_value)
        return (message,)
    if len(outcome.new_records) > 1:
        return tuple([SplitMessage(message, made) for made in outcome.new_records])
    made = outcome.new_records[0]
    message.set_value(made.value)
    message.set_key(made.key)
    message.set_headers(list(made.headers))
    return (message,)


class SplitMessage:
    """One of several events that a message has become: it is read as the client's own messages are.

    The client makes messages itself, so that this cannot be one: to commit or store offsets, give the client the topic,
    partition and offset in place of the message.
    """

    __slots__ = ("_message", "_record")

    def __init__(self, message: Any, record: Record) -> None:
        self._message = message
        self._record = record

    def value(self) -> bytes | None:
        return self._record.value

    def key(self) -> bytes | None:
        return self._record.key

    def headers(self) -> list[Header] | None:
        return list(self._record.headers) or None

    def error(self) -> None:
        """None, as it always is where there is a value."""

    def __getattr__(self, name: str) -> Any:
        """All else is that of the message: its topic, partition, offset, timestamp."""
        return getattr(self._message, name)

    def __len__(self) -> int:
        return len(self._record.value or b"")
