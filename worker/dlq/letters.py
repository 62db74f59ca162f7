"""A dead letter read: the record as it first came, and the reason that was written beside it. Pure.

The record's own headers may look like ours: it may have been a dead letter of somebody else's before, or be hostile.
Ours stand behind its own, in one of four forms (``worker.dead_letters``), and are known by their order from the end.
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
    RAW_HEADERS: "R",
    ORIGINAL_TIMESTAMP: "T",
}
"""One letter for each header that may be ours; the forms are patterns of them."""
_FORMS = re.compile(
    f"(?:tpoc{{{len(_CONNECT)}}}m?s?FNy?(?:PO)?d{{{len(_DETAILS)}}}R?T?"  # all, or without trace and message
    "|tpocFNy?(?:PO)?R?T?"  # fingerprint, origin and stage
    "|Fy?R?T?)$"  # the fingerprint
)
_LONGEST = 30
"""More headers than the longest form has."""


@dataclass(frozen=True)
class Letter:
    """``record`` as it stands in the dead-letter topic, ``headers`` its own ones from before, ``reason`` ours by name.

    Where there was no room for its origin, ``topic``, ``partition`` and ``offset`` are None.
    """

    record: SourceRecord
    headers: Sequence[Header]
    reason: Mapping[str, bytes | None]

    def text(self, name: str) -> str:
        """One of our headers as text, empty where it is not there."""
        return (self.reason.get(name) or b"").decode("utf-8", "replace")

    @property
    def fingerprint(self) -> str:
        return self.text(FINGERPRINT)

    @property
    def rounds(self) -> int:
        """How often it has been redriven; 0 where there was no room to say so."""
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
        """When it became a dead letter, in milliseconds; -1 where there was no room to say so."""
        found = self._number(OURS + "timestamp")
        return -1 if found is None else found

    @property
    def timestamp(self) -> int | None:
        """The record's own, also where the dead-letter topic did not take it."""
        own = self.reason.get(ORIGINAL_TIMESTAMP)
        return self.record.timestamp if own is None else int(own)

    def restored(self) -> Event:
        """The record as it first came, at its first offset where that is known."""
        offset = self.record.offset if self.offset is None else self.offset
        return Event(self.record.value, self.record.key, self.headers, self.timestamp, offset)

    def _number(self, name: str) -> int | None:
        text = self.text(name)
        return int(text) if text.isascii() and text.isdigit() else None


def read_letter(record: SourceRecord) -> Letter | None:
    """None where the record is not a dead letter of ours, or somebody has spoiled it."""
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
    """Headers that no client could write stand among all others in ``raw``."""
    return writable if raw is None else decode_headers(base64.b64decode(raw, validate=True))
