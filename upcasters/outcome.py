"""What became of one event. Every event ends in exactly one of these four (invariant I1).

``outcome.output(event)`` gives the records to produce for it, whichever it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec

from upcasters.event import Header, Record, SourceRecord
from upcasters.paths import shown_of_any_item

Stage = Literal["fetch", "decode", "detect", "upcast", "validate", "encode", "produce", "commit"]


class Passage(msgspec.Struct, frozen=True):
    """The way of an event through the chain: its type and version before and after.

    One object per way, made when the upcaster is built, so that a caller may count by identity.
    Unknown parts are the empty string.
    """

    event_type: str
    from_version: str
    to_version: str
    hops: int = 0


class Upcast(msgspec.Struct, frozen=True, gc=False):
    """The chain changed the event (upwards or downwards). ``output`` gives the 1..N records that come out.

    ``new_value`` and ``new_records`` are for callers that count every allocation. Either is None: by far most often one
    record comes out with the key and headers of the source, and ``new_value`` is its value.
    """

    passage: Passage
    new_value: bytes | None
    new_records: tuple[Record, ...] | None = None

    def output(self, source: SourceRecord) -> tuple[Record, ...]:
        """The records to produce for ``source``, the event that was given, in order."""
        if self.new_records is not None:
            return self.new_records
        return (_as_it_is(source, self.new_value),)

    def __repr__(self) -> str:
        made = f"value={self.new_value!r}" if self.new_records is None else f"records={self.new_records!r}"
        return f"Upcast(passage={self.passage!r}, {made})"

    @property
    def value(self) -> bytes:
        """The value of the one record that comes out. Raises ValueError for several, and for a tombstone."""
        if self.new_records is None:
            return self.new_value or b""
        if len(self.new_records) > 1:
            raise ValueError(f"the event became {len(self.new_records)} records: ask for output(event)")
        value = self.new_records[0].value
        if value is None:
            raise ValueError("the event became a tombstone, which has no value: ask for output(event)")
        return value

    @property
    def records(self) -> tuple[Record, ...]:
        """The records, where they are known without the event. Raises ValueError where ``output`` has to be asked."""
        if self.new_records is None:
            raise ValueError("the record has the key and headers of its event: ask for output(event)")
        return self.new_records


class Passed(msgspec.Struct, frozen=True):
    """The same bytes go on. ``reason`` is ``current``, ``tombstone`` or ``policy``."""

    passage: Passage
    reason: str

    def output(self, source: SourceRecord) -> tuple[Record, ...]:
        """``source`` itself, as the one record to produce."""
        return (_as_it_is(source, source.value),)


class Skipped(msgspec.Struct, frozen=True):
    """Nothing goes on, on purpose. ``reason`` is ``dropped``, ``policy`` or ``filtered``."""

    passage: Passage
    reason: str

    def output(self, _source: SourceRecord) -> tuple[Record, ...]:
        """No record."""
        return ()


def _as_it_is(source: SourceRecord, value: bytes | None) -> Record:
    """One record with the key and headers of the source; some clients' records have None for no headers."""
    headers: Sequence[Header] | None = source.headers
    return Record(value, source.key, () if headers is None else headers)


class Fault(msgspec.Struct, frozen=True):
    """Why an event could not be upcast. Carries no value of the event unless the policy says so.

    ``step`` is the id of the failing step and ``path`` the place in the document; both empty where unknown. An item of
    an array, or a value of an object that may have any keys, is named by its position: ``items[3].price``.
    """

    stage: Stage
    error_type: str
    message: str
    event_type: str = ""
    from_version: str = ""
    to_version: str = ""
    step: str = ""
    path: str = ""

    @property
    def pattern(self) -> str:
        """The place with ``*`` for an item, as all that fail so have it: ``items[3].price`` is ``items.*.price``."""
        return shown_of_any_item(self.path)

    @property
    def fingerprint(self) -> str:
        """Same fault, same string of 16 hex digits: type, versions, step, error class and path, never a value."""
        parts = (
            self.stage,
            self.error_type,
            self.event_type,
            self.from_version,
            self.to_version,
            self.step,
            self.pattern,
        )
        return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Violation(msgspec.Struct, frozen=True):
    """An event that goes on although it does not fit the model of ``version``: its own, or the one it was brought to.

    Told where a policy only observes; ``fault`` says what does not fit, and where.
    """

    event_type: str
    version: str
    fault: Fault


class DeadLettered(msgspec.Struct, frozen=True):
    """The event could not be upcast; it is kept byte for byte beside its ``fault``."""

    fault: Fault

    def output(self, _source: SourceRecord) -> tuple[Record, ...]:
        """No record: the event goes to where dead letters are kept, as it came."""
        return ()


Outcome = Upcast | Passed | Skipped | DeadLettered
