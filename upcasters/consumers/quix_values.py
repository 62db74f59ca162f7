"""Quix Streams: functions for ``apply``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from upcasters.consumers.letters import DeadLetter
from upcasters.event import Event, GivenHeaders, Record
from upcasters.outcome import DeadLettered
from upcasters.upcaster import Upcaster


class MessageContext(Protocol):
    """What ``quixstreams.message_context`` answers."""

    @property
    def topic(self) -> str: ...

    @property
    def partition(self) -> int: ...

    @property
    def offset(self) -> int: ...


class QuixRecords:
    """``dataframe.apply(QuixRecords(chain.upcaster(), bury, message_context), expand=True, metadata=True)``.

    The topic's value deserializer must be ``bytes``. What comes out are ``Record``s with ``value``, ``key`` and
    ``headers``, from which ``set_headers`` and a second ``apply`` take what they need. ``message_context`` is that of
    quixstreams: the ids of split events and a dead letter's origin come from it. ``dead_letter`` is called with each
    ``DeadLetter``.
    """

    def __init__(
        self,
        upcaster: Upcaster,
        dead_letter: Callable[[DeadLetter], object],
        message_context: Callable[[], MessageContext],
    ) -> None:
        self._upcast = upcaster.upcast
        self._dead_letter = dead_letter
        self._message_context = message_context

    def __call__(self, value: bytes | None, key: Any, timestamp: int, headers: GivenHeaders) -> Sequence[Record]:
        """The current records, in order."""
        place = self._message_context()
        event = Event(value, key, headers, timestamp, place.offset)
        outcome = self._upcast(event, place)
        if type(outcome) is DeadLettered:
            self._dead_letter(DeadLetter(event, place, outcome.fault))
        return outcome.output(event)


class QuixValues:
    """As ``QuixRecords``, with the values alone: all that is left to do where nothing is written to a topic again.

    A value has no place for another key: an event whose key the chain changes raises ValueError. Headers of the message
    stay as they were, also where the version stands in one.
    """

    def __init__(
        self,
        upcaster: Upcaster,
        dead_letter: Callable[[DeadLetter], object],
        message_context: Callable[[], MessageContext],
    ) -> None:
        self._records = QuixRecords(upcaster, dead_letter, message_context)

    def __call__(self, value: bytes | None, key: Any, timestamp: int, headers: GivenHeaders) -> list[bytes | None]:
        """The current values, in order. Raises ValueError where the chain gives an event another key."""
        values = []
        for record in self._records(value, key, timestamp, headers):
            if record.key != key:
                raise ValueError("an event gets another key, which a value cannot say: use QuixRecords")
            values.append(record.value)
        return values
