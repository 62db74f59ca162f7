"""JSON as a format: it needs no schema to be read or written; a schema only says of which version a document is."""

from __future__ import annotations

from collections.abc import Iterable

from upcasters.document import Object, ValueType, as_json, read, write
from upcasters.formats.port import Reader, Writer
from upcasters.formats.schema import Schema
from upcasters.paths import Path


class JsonFormat:
    """Documents as JSON text."""

    def reader(self, schema: Schema | None = None, touched: Iterable[Path] | None = None) -> Reader:
        return read

    def writer(self, schema: Schema | None = None) -> Writer:
        return write_any

    def types_at(self, schema: Schema | None, path: Path) -> frozenset[ValueType] | None:
        return None


def write_any(root: Object) -> bytes:
    """A document of any format as JSON text. Raises EncodeError for what JSON does not have, and TooDeep."""
    return write(as_json(root))
