"""Avro values are read and written as fastavro reads and writes them, whichever paths somebody looks at."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.upcasters.formats.generated_avro import avro_bytes, avro_value, paths_of, schemas_and_values
from upcasters.document import plain
from upcasters.formats import Schema
from upcasters.formats.avro import AvroFormat

AVRO = AvroFormat()


@settings(deadline=None)
@given(schemas_and_values(), st.data())
def test_what_is_read_is_what_fastavro_reads_and_is_written_as_it_came(case: tuple[Schema, Any], data: Any) -> None:
    schema, value = case
    written = avro_bytes(schema, value)
    touched = data.draw(st.lists(st.sampled_from(sorted(paths_of(value), key=repr)), max_size=3)) if value else []
    document = AVRO.reader(schema, touched)(written)
    assert plain(document) == avro_value(schema, written)
    assert AVRO.writer(schema)(document) == written


@settings(deadline=None)
@given(schemas_and_values())
def test_python_values_are_written_as_fastavro_writes_them(case: tuple[Schema, Any]) -> None:
    schema, value = case
    document = AVRO.reader(schema)(avro_bytes(schema, value))
    assert AVRO.writer(schema)(plain(document)) == avro_bytes(schema, value)


@settings(deadline=None)
@given(schemas_and_values(), st.data())
def test_bytes_that_end_too_early_are_refused(case: tuple[Schema, Any], data: Any) -> None:
    from upcasters.errors import EventError

    schema, value = case
    written = avro_bytes(schema, value)
    if not written:
        return
    end = data.draw(st.integers(0, len(written) - 1))
    try:
        AVRO.reader(schema)(written[:end])
    except EventError:
        return
    raise AssertionError("a value without its end was taken")
