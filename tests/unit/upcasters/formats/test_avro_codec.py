"""Avro values are read and written as fastavro reads and writes them, whichever paths somebody looks at."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.upcasters.formats.generated_avro import avro_bytes, avro_value, paths_of, schemas_and_values
from upcasters.document import plain, same
from upcasters.errors import EventError
from upcasters.formats import Schema, Writer
from upcasters.formats.avro import AvroFormat, AvroSpan
from upcasters.formats.avro.fast_writing import FastWriting
from upcasters.formats.avro.parsing import avro_type
from upcasters.formats.avro.writing import Writing

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


def mixed(node: Any, data: Any) -> Any:
    """A document some of whose values have become Python's, and some of whose fields are gone."""
    if isinstance(node, AvroSpan):
        return plain(node) if data.draw(st.booleans()) else node
    if isinstance(node, list):
        return [mixed(child, data) for child in node]
    if isinstance(node, dict):
        return {key: mixed(child, data) for key, child in node.items() if data.draw(st.integers(0, 19))}
    return node


def result(write: Writer, document: Any) -> Any:
    """What is written, or the error and its place."""
    try:
        return write(document)
    except EventError as error:
        return type(error), str(error), error.place


@settings(deadline=None, max_examples=300)
@given(schemas_and_values(), st.data())
def test_generated_code_writes_what_the_plain_way_writes(case: tuple[Schema, Any], data: Any) -> None:
    schema, value = case
    touched = data.draw(st.lists(st.sampled_from(sorted(paths_of(value), key=repr)), max_size=3)) if value else []
    document = mixed(AVRO.reader(schema, touched)(avro_bytes(schema, value)), data)
    avro = avro_type(schema)
    assert result(FastWriting(avro), document) == result(Writing(avro), document)


@settings(deadline=None)
@given(schemas_and_values(), schemas_and_values())
def test_a_value_that_another_schema_takes_is_the_same_value(
    one: tuple[Schema, Any], other: tuple[Schema, Any]
) -> None:
    """Or it is refused, by generated code as by the plain way."""
    document = AVRO.reader(one[0])(avro_bytes(*one))
    avro = avro_type(other[0])
    found = result(FastWriting(avro), document)
    assert found == result(Writing(avro), document)
    if isinstance(found, bytes):
        assert same(plain(AVRO.reader(other[0])(found)), plain(document))


@settings(deadline=None)
@given(schemas_and_values(), st.data())
def test_bytes_that_end_too_early_are_refused(case: tuple[Schema, Any], data: Any) -> None:
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


@pytest.mark.parametrize(
    "digits",
    [
        {"precision": 2, "scale": 5},
        {"precision": 0},
        {"precision": "9"},
        {"precision": True},
        {"precision": 4, "scale": -1},
        {"precision": 4, "scale": None},
        {"scale": 1},
        {"precision": 3, "type": "fixed", "name": "F", "size": 1},
        {"precision": 3, "type": "fixed", "name": "F", "size": 0},
    ],
)
def test_a_decimal_whose_digits_do_not_fit_is_what_it_stands_on(digits: dict[str, Any]) -> None:
    """fastavro refuses most of them; Avro's own library reads the bytes."""
    kind = {"type": "bytes", "logicalType": "decimal", **digits}
    schema = Schema("avro", json.dumps({"type": "record", "name": "R", "fields": [{"name": "a", "type": kind}]}))
    value = b"1" * digits.get("size", 2)
    data = value if "size" in digits else b"\x04" + value
    found = AVRO.reader(schema)(data)
    assert plain(found) == {"a": value}
    assert AVRO.writer(schema)({"a": value}) == data
