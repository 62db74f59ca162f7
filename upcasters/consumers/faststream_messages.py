"""FastStream: a middleware, so that subscribers see current events only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Self

from upcasters.consumers.aiokafka_records import AiokafkaRecords
from upcasters.consumers.letters import DeadLetter
from upcasters.upcaster import Upcaster

Next = Callable[[Any], Awaitable[Any]]


class FastStreamMiddleware:
    """``KafkaBroker(middlewares=[FastStreamMiddleware(chain.upcaster(), bury)])``, or for one subscriber or router.

    A subscriber is called with the current event: once for each where an event becomes several, not at all where none
    comes out. A batch subscriber gets the current events of its batch. ``dead_letter`` is called with each
    ``DeadLetter``; what it returns is awaited where it can be, before the message is acknowledged.
    """

    def __init__(self, upcaster: Upcaster, dead_letter: Callable[[DeadLetter], object]) -> None:
        self._records = AiokafkaRecords(upcaster, dead_letter)

    def __call__(self, _message: Any, /, *, context: Any) -> _Scope:
        """FastStream asks for one of these a message."""
        return _Scope(self._records)


class _Scope:
    """What FastStream wants of a middleware; ``consume_scope`` is the one that does something."""

    __slots__ = ("_records",)

    def __init__(self, records: AiokafkaRecords) -> None:
        self._records = records

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> bool:
        return False

    async def publish_scope(self, call_next: Next, command: Any) -> Any:
        return await call_next(command)

    async def consume_scope(self, call_next: Next, message: Any) -> Any:
        raw = message.raw_message
        if isinstance(raw, tuple):
            return await self._batch(call_next, message, raw)
        answer = None
        current = await self._records.many((raw,))
        for record in current:
            answer = await call_next(_holding(message, record))
            if answer is not None and len(current) > 1:
                raise ValueError("an event became several, of which only one answer can be published: publish yourself")
        return answer

    async def _batch(self, call_next: Next, message: Any, raw: tuple[Any, ...]) -> Any:
        current = await self._records.many(raw)
        if not current:
            return None
        message.raw_message = tuple(current)
        message.body = [record.value or b"" for record in current]
        message.batch_headers = [_texts(record.headers) for record in current]
        message.headers = message.batch_headers[0]
        message.clear_cache()
        return await call_next(message)


def _holding(message: Any, record: Any) -> Any:
    """The same message, so that what a subscriber acknowledges is acknowledged; unchanged where the record is."""
    if record is not message.raw_message:
        message.raw_message = record
        message.body = record.value or b""
        message.headers = _texts(record.headers)
        message.clear_cache()
    return message


def _texts(headers: Any) -> dict[str, str]:
    """As FastStream reads them."""
    return {name: value.decode() for name, value in headers}
