"""aiokafka: its records go in and come out."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from inspect import isawaitable
from typing import Any, TypeVar

from upcasters.consumers.letters import DeadLetter
from upcasters.event import Record
from upcasters.outcome import DeadLettered, Passed, Upcast
from upcasters.upcaster import Upcaster

R = TypeVar("R")


class AiokafkaRecords:
    """``async for record in current(consumer)``, or ``await current.many(records)`` for what ``getmany`` hands out.

    What comes out are ``ConsumerRecord``s: changed ones are copies with another value, and another key or other headers
    where the chain changes these. The consumer must have no deserializers. ``dead_letter`` is called with each
    ``DeadLetter``; what it returns is awaited where it can be, before the next record is taken.
    """

    def __init__(self, upcaster: Upcaster, dead_letter: Callable[[DeadLetter], object]) -> None:
        self._upcast = upcaster.upcast
        self._dead_letter = dead_letter

    async def __call__(self, consumer: AsyncIterable[R]) -> AsyncIterator[R]:
        """The current records of a consumer, for ever."""
        async for record in consumer:
            for current in await self.many((record,)):
                yield current

    async def many(self, records: Iterable[R]) -> list[R]:
        """The current records, in order."""
        upcast, current = self._upcast, []
        for record in records:
            given: Any = record
            outcome = upcast(given, given)
            if type(outcome) is Passed:
                current.append(record)
            elif type(outcome) is Upcast:
                current += changed_records(given, outcome)
            elif type(outcome) is DeadLettered:
                answer = self._dead_letter(DeadLetter(given, given, outcome.fault))
                if isawaitable(answer):
                    await answer
        return current


def changed_records(record: Any, outcome: Upcast) -> list[Any]:
    """Copies of the client's record that hold what comes out."""
    if outcome.new_records is None:
        return [_copy(record, value=outcome.new_value, serialized_value_size=len(outcome.new_value or b""))]
    return [_with(record, made) for made in outcome.new_records]


def _with(record: Any, made: Record) -> Any:
    return _copy(
        record,
        value=made.value,
        key=made.key,
        headers=tuple(made.headers),
        serialized_value_size=_size(made.value),
        serialized_key_size=_size(made.key),
    )


def _copy(record: Any, **parts: Any) -> Any:
    """As ``dataclasses.replace``, at a tenth of its time; FastStream's subclass keeps its consumer."""
    made = object.__new__(type(record))
    made.__dict__.update(record.__dict__, **parts)
    return made


def _size(part: bytes | None) -> int:
    return -1 if part is None else len(part)
