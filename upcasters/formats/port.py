"""What a format is to the engine: bytes become a document by the schema that they were written with, and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from upcasters.document import Object, ValueType
from upcasters.event import Header
from upcasters.formats.schema import Schema, SchemaKind
from upcasters.paths import Path


class Reader(Protocol):
    """Reads values of one schema."""

    def __call__(self, value: bytes, /) -> Object:
        """The document of these bytes, without any frame. Raises EventError, however hostile they are."""


class Writer(Protocol):
    """Writes values of one schema."""

    def __call__(self, root: Object, /) -> bytes:
        """The document as bytes, without any frame. Raises EventError where the schema has no place for it."""


class Format(Protocol):
    """One way of writing documents. It keeps nothing of an event, reads no file and asks no registry."""

    def reader(self, schema: Schema, touched: Iterable[Path] | None = None) -> Reader:
        """What reads values that were written with ``schema``. Raises SchemaError.

        ``touched`` are the paths that somebody will look at: what lies elsewhere may stay unread. None: any path.
        """

    def writer(self, schema: Schema) -> Writer:
        """What writes documents by ``schema``. Raises SchemaError."""

    def types_at(self, schema: Schema, path: Path) -> frozenset[ValueType] | None:
        """What may stand at a path of a document of this schema; nothing where the schema has no such field.

        None where only the document tells whether there is such a field. Raises SchemaError.
        """


@dataclass(frozen=True, eq=False)
class Encoding:
    """How the value of a record is written: by ``schema``, behind the bytes of ``frame``, beside ``headers``.

    ``schema`` is None for bare JSON, and for JSON behind a frame whose schema nobody has to know. ``version`` is the
    type and version of such records, where a registry or a table tells it. Two are never equal: keep one for each
    schema that comes, since what is made for it is found again by it.
    """

    schema: Schema | None = None
    frame: bytes = b""
    headers: tuple[Header, ...] = ()
    version: tuple[str, str] | None = None

    @property
    def kind(self) -> SchemaKind:
        return "json" if self.schema is None else self.schema.kind

    def is_as(self, other: Encoding) -> bool:
        """True where what is written in one way is written in the other, to the last byte."""
        if (self.frame, self.headers, self.kind) != (other.frame, other.headers, other.kind):
            return False
        if self.schema is None or other.schema is None:
            return self.schema is other.schema
        return self.schema.fingerprint == other.schema.fingerprint


BARE_JSON = Encoding()
"""JSON as it is, with no frame around it."""
