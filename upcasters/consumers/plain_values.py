"""Plain bytes: for a client that has no adapter of its own, a file, a queue."""

from __future__ import annotations

from collections.abc import Callable

from upcasters.consumers.letters import DeadLetter
from upcasters.event import Event, GivenHeaders
from upcasters.outcome import DeadLettered
from upcasters.upcaster import Upcaster


class PlainValues:
    """A function of bytes: ``current(value)`` is a tuple of the current value, empty where nothing comes out.

    None, a tombstone, stays None. ``dead_letter`` is called with each ``DeadLetter``, and nothing comes out for it. An
    event whose step splits it, or reads its offset or timestamp, is a dead letter: bytes alone have none.
    """

    def __init__(self, upcaster: Upcaster, dead_letter: Callable[[DeadLetter], object]) -> None:
        self._upcast = upcaster.upcast
        self._dead_letter = dead_letter

    def __call__(
        self, value: bytes | None, headers: GivenHeaders = (), key: bytes | None = None
    ) -> tuple[bytes | None, ...]:
        """One current value, or none where the chain drops the event or it is a dead letter."""
        event = Event(value, key, headers)
        outcome = self._upcast(event)
        if type(outcome) is DeadLettered:
            self._dead_letter(DeadLetter(event, None, outcome.fault))
        return tuple([record.value for record in outcome.output(event)])
