"""Two spellings of one schema are one schema; two schemas are not."""

from __future__ import annotations

import json

import pytest

from upcasters.formats import Reference, Schema, SchemaError
from upcasters.formats.json import JsonFormat
from upcasters.formats.touching import EVERYTHING, Touched

ORDER = '{"type": "record", "name": "Order", "fields": [{"name": "id", "type": "string"}]}'
SPELLINGS = [
    '{"name":"Order","type":"record","fields":[{"type":"string","name":"id"}]}',
    '{"type": "record", "doc": "An order.", "name": "Order", "fields": [{"name": "id", "doc": "x", "type": "string"}]}',
    '{"type": "record", "name": "Order", "fields": [{"name": "id", "type": {"type": "string"}}]}',
]
OTHERS = [
    '{"type": "record", "name": "Order", "fields": [{"name": "id", "type": "string", "default": ""}]}',
    '{"type": "record", "name": "Order", "fields": [{"name": "id", "type": "string", "aliases": ["no"]}]}',
    '{"type": "record", "name": "Order", "fields": [{"name": "id", "type": {"type": "string", "logicalType": "x"}}]}',
    '{"type": "record", "name": "Order", "namespace": "a", "fields": [{"name": "id", "type": "string"}]}',
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_what_makes_no_difference_to_data_is_no_part_of_the_fingerprint(text: str) -> None:
    assert Schema("avro", text).fingerprint == Schema("avro", ORDER).fingerprint


@pytest.mark.parametrize("text", OTHERS)
def test_what_makes_a_difference_is(text: str) -> None:
    assert Schema("avro", text).fingerprint != Schema("avro", ORDER).fingerprint


def test_a_default_that_looks_like_documentation_counts() -> None:
    one, other = (
        f'{{"type": "record", "name": "R", "fields": [{{"name": "m", "type": {{"type": "map", "values": "string"}}, '
        f'"default": {{"doc": "{text}"}}}}]}}'
        for text in "ab"
    )
    assert Schema("avro", one).fingerprint != Schema("avro", other).fingerprint


def test_references_count_by_name_and_by_what_they_are() -> None:
    plain = Schema("avro", ORDER)
    found = {
        schema.fingerprint
        for schema in (
            plain,
            Schema("avro", ORDER, (Reference("a", plain),)),
            Schema("avro", ORDER, (Reference("b", plain),)),
            Schema("avro", ORDER, (Reference("a", Schema("avro", OTHERS[0])),)),
        )
    }
    assert len(found) == 4


def test_the_kind_and_the_message_count() -> None:
    found = {Schema("json", "{}"), Schema("protobuf", "{}"), Schema("protobuf", "{}", (), "a.Order")}
    assert len({schema.fingerprint for schema in found}) == 3


@pytest.mark.parametrize("kind", ["avro", "json"])
@pytest.mark.parametrize("text", ["", "record Order {}", "[" * 100_000, "[" * 5_000 + "]" * 5_000])
def test_a_text_that_is_no_json_is_refused_in_one_line(kind: str, text: str) -> None:
    with pytest.raises(SchemaError, match="the schema is not JSON text"):
        _ = Schema(kind, text).fingerprint  # type: ignore[arg-type]  # wrong on purpose


def test_spacing_makes_no_difference_to_protobuf() -> None:
    one, other = 'syntax = "proto3";\nmessage A {}\n', '\n  syntax = "proto3";\n\n\tmessage  A {}'
    assert Schema("protobuf", one).fingerprint == Schema("protobuf", other).fingerprint


def test_schemas_that_refer_to_each_other_in_many_ways_are_compared_at_once() -> None:
    """A hundred levels of two schemas that refer to the two below: as a tree that is more than can be counted."""

    def deep() -> Schema:
        made = [Schema("avro", ORDER)] * 2
        for level in range(100):
            below = tuple(Reference(f"l{level}.{side}", each) for side, each in zip("ab", made, strict=True))
            made = [Schema("avro", f'"{side}{level}"', below) for side in "ab"]
        return made[0]

    one, other = deep(), deep()
    assert one == other
    assert hash(one) == hash(other)
    assert one.fingerprint == other.fingerprint
    assert one != Schema("avro", one.text, one.references[:1])
    assert one != one.text


def test_a_field_that_is_none_counts_as_it_is() -> None:
    one, other = (Schema("avro", json.dumps({"type": "record", "name": "R", "fields": [name]})) for name in "ab")
    assert one.fingerprint != other.fingerprint


def test_json_says_nothing_of_types() -> None:
    assert JsonFormat().types_at(None, ("a",)) is None


def test_everything_that_is_touched_stays_everything() -> None:
    assert EVERYTHING.joined(Touched.of([("a",)])) is EVERYTHING
    assert Touched.of([("a",)]).joined(EVERYTHING) is EVERYTHING
