"""What a consumer's dead-letter callback gets: the event as it came, and why it cannot be upcast.

``headers`` are those of the worker's own dead letters in their longest form, so that ``upcast dlq`` lists, shows and
redrives what a consumer has written, too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from upcasters.event import Header, Partition, SourceRecord
from upcasters.outcome import Fault

_CONNECT = "__connect.errors."
_OURS = "upcaster.dlq."
_LONGEST_MESSAGE = 4 * 1024


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One event that cannot be upcast. ``source`` is its topic and partition, or None where the client has none.

    ``key``, ``value`` and ``headers`` are what to produce into a dead-letter topic.
    """

    event: SourceRecord
    source: Partition | None
    fault: Fault

    @property
    def value(self) -> bytes | None:
        """As it came."""
        return self.event.value

    @property
    def key(self) -> bytes | None:
        """As it came."""
        return self.event.key

    @property
    def headers(self) -> list[Header]:
        """The event's own headers, then the reason: pairs of str and bytes, as most clients take them."""
        return [*(self.event.headers or ()), *((name, _encoded(text)) for name, text in self._reason())]

    @property
    def text_headers(self) -> dict[str, str]:
        """The same as a dict of texts, as FastStream takes them. Of a name that is there twice the last one is left."""
        return {name: (value or b"").decode("utf-8", "replace") for name, value in self.headers}

    def _reason(self) -> Sequence[tuple[str, object]]:
        """In the order by which ``upcast dlq`` knows them."""
        fault, source = self.fault, self.source
        return (
            (_CONNECT + "topic", source.topic if source else ""),
            (_CONNECT + "partition", source.partition if source else ""),
            (_CONNECT + "offset", "" if self.event.offset is None else self.event.offset),
            (_CONNECT + "connector.name", "upcasters.consumers"),
            (_CONNECT + "task.id", ""),
            (_CONNECT + "stage", fault.stage),
            (_CONNECT + "class.name", fault.step or fault.stage),
            (_CONNECT + "exception.class.name", fault.error_type),
            (_CONNECT + "exception.message", fault.message),
            (_OURS + "fingerprint", fault.fingerprint),
            (_OURS + "redrive.count", 0),
            (_OURS + "timestamp", round(time.time() * 1000)),
            (_OURS + "event.type", fault.event_type),
            (_OURS + "schema.from", fault.from_version),
            (_OURS + "schema.to", fault.to_version),
            (_OURS + "failed.step", fault.step),
            (_OURS + "worker.version", ""),
        )


def _encoded(text: object) -> bytes:
    """UTF-8, cut between two characters."""
    return str(text).encode("utf-8", "replace")[:_LONGEST_MESSAGE].decode("utf-8", "ignore").encode()
