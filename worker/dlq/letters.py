"""Decodes a dead letter: the original record, and the reason in its headers. Pure.

A record's own headers may have the worker's names: it may have been a dead letter before, or be hostile. The worker's
headers stand after its own, in one of four forms (``worker.dead_letters``), and are recognised by their order from the
end.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from upcasters.event import Event, Header, SourceRecord
from worker.dead_letters import (
    CONNECT,
    FINGERPRINT,
    LETTER_OFFSET,
    LETTER_PARTITION,
    MESSAGE,
    ORIGINAL_TIMESTAMP,
    OURS,
    RAW_HEADERS,
    REDRIVE_COUNT,
    REPLAY_ID,
    SCHEMA,
    TRACE,
)
from worker.kafka.raw_headers import decode_headers

_CONNECT = ("connector.name", "task.id", "stage", "class.name", "exception.class.name")
_DETAILS = ("timestamp", "event.type", "schema.from", "schema.to", "failed.step", "worker.version")
_SIGNS = {
    **dict(zip((CONNECT + "topic", CONNECT + "partition", CONNECT + "offset"), "tpo", strict=True)),
    **dict.fromkeys((CONNECT + name for name in _CONNECT), "c"),
    **dict.fromkeys((OURS + name for name in _DETAILS), "d"),
    MESSAGE: "m",
    TRACE: "s",
    FINGERPRINT: "F",
    REDRIVE_COUNT: "N",
    REPLAY_ID: "y",
    LETTER_PARTITION: "P",
    LETTER_OFFSET: "O",
    SCHEMA: "S",
    RAW_HEADERS: "R",
    ORIGINAL_TIMESTAMP: "T",
}
"""One character for each header that the worker may have written; the forms are patterns of them."""
_FORMS = re.compile(
    f"(?:tpoc{{{len(_CONNECT)}}}m?s?FNy?(?:PO)?d{{{len(_DETAILS)}}}S?R?T?"  # all, or without trace and message
    "|tpocFNy?(?:PO)?R?T?"  # fingerprint, origin and stage
    "|Fy?R?T?)$"  # the fingerprint
)
_LONGEST = 30
"""More headers than the longest form has."""


@dataclass(frozen=True)
class Letter:
    """A dead letter of the worker. ``record`` is as it stands in the dead-letter topic, ``headers`` are those of the
    original record, ``reason`` those of the worker, by name. Where there was no room for its origin, ``topic``,
    ``partition`` and ``offset`` are None.
    """

    record: SourceRecord
    headers: Sequence[Header]
    reason: Mapping[str, bytes | None]

    def text(self, name: str) -> str:
        """One of the worker's headers as text, empty where it is absent."""
        return (self.reason.get(name) or b"").decode("utf-8", "replace")

    @property
    def fingerprint(self) -> str:
        return self.text(FINGERPRINT)

    @property
    def rounds(self) -> int:
        """How often the record was redriven; 0 where there was no room to say so."""
        return self._number(REDRIVE_COUNT) or 0

    @cached_property
    def topic(self) -> str | None:
        return self.text(CONNECT + "topic") or None

    @cached_property
    def partition(self) -> int | None:
        return self._number(CONNECT + "partition")

    @cached_property
    def offset(self) -> int | None:
        return self._number(CONNECT + "offset")

    @property
    def buried(self) -> int:
        """When the record became a dead letter (ms); -1 where there was no room to say so."""
        found = self._number(OURS + "timestamp")
        return -1 if found is None else found

    @property
    def timestamp(self) -> int | None:
        """The original record's timestamp, also where the dead-letter topic refused it."""
        own = self.reason.get(ORIGINAL_TIMESTAMP)
        return self.record.timestamp if own is None else int(own)

    def restored(self) -> Event:
        """The original record, at its original offset where that is known."""
        offset = self.record.offset if self.offset is None else self.offset
        return Event(self.record.value, self.record.key, self.headers, self.timestamp, offset)

    def _number(self, name: str) -> int | None:
        text = self.text(name)
        return int(text) if text.isascii() and text.isdigit() else None


def read_letter(record: SourceRecord) -> Letter | None:
    """Decode a record of the dead-letter topic; None where it is no dead letter of this worker, or was changed."""
    headers = list(record.headers)
    tail = headers[-_LONGEST:]
    form = _FORMS.search("".join([_SIGNS.get(name, "?") for name, _ in tail]))
    if form is None:
        return None
    reason = dict(tail[form.start() :])
    try:
        own = _own(headers[: form.start() - len(tail)], reason.get(RAW_HEADERS))
        int(reason.get(ORIGINAL_TIMESTAMP) or b"0")
    except ValueError:
        return None
    return Letter(record, own, reason)


def _own(writable: Sequence[Header], raw: bytes | None) -> Sequence[Header]:
    """The original headers; ``raw`` has all of them where a client could not write some."""
    return writable if raw is None else decode_headers(base64.b64decode(raw, validate=True))
