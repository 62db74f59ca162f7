"""Protobuf: messages are read and written by their schemas. google's protobuf and its compiler parse schemas (the extra
`protobuf`); they see no event."""

from __future__ import annotations

from collections.abc import Iterable

from upcasters.document import Object, ValueType
from upcasters.formats.implied import begin
from upcasters.formats.port import Reader, Writer
from upcasters.formats.protobuf.asking import types_at
from upcasters.formats.protobuf.parsing import indexes_of, message_at, message_type, schema_of, schema_of_set
from upcasters.formats.protobuf.reading import ProtobufSpan, open_touched, opened
from upcasters.formats.protobuf.writing import Writing
from upcasters.formats.schema import Schema
from upcasters.formats.touching import NOTHING, Touched
from upcasters.paths import Path

__all__ = ["ProtobufFormat", "ProtobufSpan", "indexes_of", "message_at", "schema_of", "schema_of_set"]


class ProtobufFormat:
    """Documents as Protobuf's binary encoding, without any frame around them."""

    def reader(self, schema: Schema, touched: Iterable[Path] | None = None) -> Reader:
        message = message_type(schema)
        paths = NOTHING if touched is None else Touched.of(touched)

        def document(value: bytes) -> Object:
            begin()
            made = opened(message, value)
            if paths:
                open_touched(made, paths)
            return made

        return document

    def writer(self, schema: Schema) -> Writer:
        return Writing(message_type(schema))

    def types_at(self, schema: Schema, path: Path) -> frozenset[ValueType] | None:
        return types_at(message_type(schema), path)
