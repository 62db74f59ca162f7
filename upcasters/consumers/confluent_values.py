"""confluent-kafka's ``DeserializingConsumer``: the chain as its value deserializer."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Final, Literal

from upcasters.consumers.letters import DeadLetter
from upcasters.event import Event, SourcePartition
from upcasters.outcome import DeadLettered
from upcasters.upcaster import Upcaster


class _Nothing(enum.Enum):
    NOTHING = "NOTHING"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = _Nothing.NOTHING
"""What a message holds of which nothing comes out: the chain drops it, or it is a dead letter. A tombstone is None."""


class ConfluentDeserializer:
    """``{"value.deserializer": ConfluentDeserializer(chain.upcaster(), bury, then=...)}``.

    ``then`` is the deserializer behind it, such as ``lambda value, context: json.loads(value)``; it is not called for a
    tombstone. ``dead_letter`` is called with each ``DeadLetter``, and the message's value is ``NOTHING``.

    A deserializer sees value, headers and topic, and answers with one value. So an event whose key the chain changes
    raises ValueError here, which the client raises as its ValueDeserializationError. An event whose step reads key,
    timestamp or offset, or splits it, is a dead letter, and headers of the message stay as they were.
    """

    def __init__(
        self,
        upcaster: Upcaster,
        dead_letter: Callable[[DeadLetter], object],
        then: Callable[[bytes, Any], object] | None = None,
    ) -> None:
        self._upcast = upcaster.upcast
        self._dead_letter = dead_letter
        self._then = then

    def __call__(self, value: bytes | None, context: Any) -> object | Literal[_Nothing.NOTHING]:
        """The current value. Raises ValueError where the chain gives the event another key."""
        event = Event(value, None, getattr(context, "headers", None))
        outcome = self._upcast(event)
        if type(outcome) is DeadLettered:
            self._dead_letter(DeadLetter(event, _place(context), outcome.fault))
        records = outcome.output(event)
        if not records:
            return NOTHING
        [record] = records  # a step that splits needs the offset, which a deserializer is not told
        if record.key is not None:
            raise ValueError("an event gets another key, which a deserializer cannot say: use ConfluentMessages")
        current = record.value
        return current if self._then is None or current is None else self._then(current, context)


def _place(context: Any) -> SourcePartition | None:
    """The topic; a deserializer is not told the partition."""
    topic = getattr(context, "topic", None)
    return None if topic is None else SourcePartition(topic, -1)
