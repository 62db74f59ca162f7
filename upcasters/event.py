"""What goes into the pure middle and what comes out of it: one record's bytes, headers and coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

Header = tuple[str, bytes | None]


class SourcePartition(NamedTuple):
    """Where a record stands, less its offset. ``aiokafka.TopicPartition`` fits as well."""

    topic: str
    partition: int


class Partition(Protocol):
    """Anything with a topic and a partition number."""

    @property
    def topic(self) -> str: ...

    @property
    def partition(self) -> int: ...


class SourceRecord(Protocol):
    """The attributes of one record that the pure middle reads; client libraries' records have them all."""

    @property
    def value(self) -> bytes | None: ...

    @property
    def key(self) -> bytes | None: ...

    @property
    def headers(self) -> Sequence[Header]: ...

    @property
    def timestamp(self) -> int | None: ...

    @property
    def offset(self) -> int | None: ...


class Event(msgspec.Struct, frozen=True, gc=False):
    """One record: ``value`` and ``key`` as bytes or None, headers in order, timestamp in milliseconds.

    ``offset`` is None where there are no Kafka coordinates (a database row, an API call).
    """

    value: bytes | None
    key: bytes | None = None
    headers: Sequence[Header] = ()
    timestamp: int | None = None
    offset: int | None = None


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record to be produced. The timestamp is always the source record's own."""

    value: bytes | None
    key: bytes | None
    headers: Sequence[Header]
