"""Avro: values are read and written by their schemas. fastavro parses schemas (the extra `avro`); it sees no event."""

from __future__ import annotations

from collections.abc import Iterable

from upcasters.document import Object, ValueType
from upcasters.errors import DecodeError
from upcasters.formats.avro.asking import types_at
from upcasters.formats.avro.fast_writing import FastWriting
from upcasters.formats.avro.parsing import avro_type
from upcasters.formats.avro.reading import AvroSpan, reader_of
from upcasters.formats.implied import begin
from upcasters.formats.port import Reader, Writer
from upcasters.formats.schema import Schema
from upcasters.formats.touching import NOTHING, Touched
from upcasters.paths import Path

__all__ = ["AvroFormat", "AvroSpan"]


class AvroFormat:
    """Documents as Avro's binary encoding, without any container file or frame around them."""

    def reader(self, schema: Schema, touched: Iterable[Path] | None = None) -> Reader:
        avro = avro_type(schema)
        read = reader_of(avro, NOTHING if touched is None else Touched.of(touched))

        def document(value: bytes) -> Object:
            begin()
            made = read(value)
            if type(made) is not dict:
                raise DecodeError("the value is Avro but not a record")
            return made

        return document

    def writer(self, schema: Schema) -> Writer:
        return FastWriting(avro_type(schema))

    def types_at(self, schema: Schema, path: Path) -> frozenset[ValueType] | None:
        return types_at(avro_type(schema), path)
