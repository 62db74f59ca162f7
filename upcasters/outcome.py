"""What became of one event. Every event ends in exactly one of these four (invariant I1)."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from upcasters.event import Record, SourceRecord

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
    """The chain changed the event (upwards or downwards).

    ``records`` is None where one record comes out with the key and headers of the source and ``value`` as its
    value: by far the most common case. Otherwise it lists the 1..N records to produce, in order.
    """

    passage: Passage
    value: bytes | None
    records: tuple[Record, ...] | None = None

    def output(self, source: SourceRecord) -> tuple[Record, ...]:
        """The records to produce for ``source``, in order."""
        if self.records is not None:
            return self.records
        return (Record(self.value, source.key, source.headers),)


class Passed(msgspec.Struct, frozen=True):
    """The same bytes go on. ``reason`` is ``current``, ``tombstone`` or ``policy``."""

    passage: Passage
    reason: str


class Skipped(msgspec.Struct, frozen=True):
    """Nothing goes on, on purpose. ``reason`` is ``dropped``, ``policy`` or ``filtered``."""

    passage: Passage
    reason: str


class Fault(msgspec.Struct, frozen=True):
    """Why an event could not be upcast. Carries no value of the event unless the policy says so.

    ``step`` is the id of the failing step and ``path`` the place in the document; both empty where unknown.
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
    def fingerprint(self) -> str:
        """Same fault, same string of 16 hex digits: type, versions, step, error class and path, never a value."""
        parts = (
            self.stage,
            self.error_type,
            self.event_type,
            self.from_version,
            self.to_version,
            self.step,
            self.path,
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


Outcome = Upcast | Passed | Skipped | DeadLettered
