"""Keys of several parts or of one, written by a schema, and what in a schema no key fits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from upcasters.errors import InvalidEvent
from upcasters.formats.keys import key_writer, misfits
from upcasters.formats.schema import Schema, SchemaError


def avro(kind: Any) -> Schema:
    return Schema("avro", json.dumps(kind))


def record(*fields: dict[str, Any]) -> Schema:
    return avro({"type": "record", "name": "Key", "fields": list(fields)})


ID = {"name": "id", "type": "long"}
REGION = {"name": "region", "type": "string", "default": "eu"}
PARTS = (("id", 7), ("region", "us"))


@pytest.mark.parametrize(
    ("schema", "parts", "key"),
    [
        (record(ID, REGION), PARTS, b"\x0e\x04us"),
        (avro("bytes"), PARTS, b"\x087/us"),
        (avro("string"), PARTS, b"\x087/us"),
        (avro("long"), PARTS[:1], b"\x0e"),
        (Schema("json", '{"type":"object"}'), PARTS, b'{"id":7,"region":"us"}'),
        (Schema("json", '{"type":"integer"}'), PARTS[:1], b"7"),
        (Schema("json", '{"type":"string"}'), PARTS, b'"7/us"'),
    ],
    ids=["record", "bytes", "string", "one number", "object", "JSON number", "JSON text"],
)
def test_a_key_is_what_its_schema_wants(schema: Schema, parts: Any, key: bytes) -> None:
    assert key_writer(schema)(parts, b"7/us") == key


def test_a_key_that_does_not_fit_is_told_by_its_part() -> None:
    with pytest.raises(InvalidEvent, match=r"^the record key has no place in its schema: ") as caught:
        key_writer(record(ID))((("id", "seven"),), b"seven")
    assert caught.value.path == "id"


@pytest.mark.parametrize("text", ["[1]", "{", "true"])
def test_a_schema_of_keys_that_is_none(text: str) -> None:
    with pytest.raises(SchemaError, match="the schema of keys is no JSON Schema"):
        key_writer(Schema("json", text))


@pytest.mark.parametrize(
    ("schema", "names", "said"),
    [
        (record(ID, REGION), ["id"], []),
        (record(ID), ["id", "shop"], ["the schema has no field shop"]),
        (record(ID, REGION), ["region"], ["the schema requires id, which is no part of it"]),
        (record(ID), ["id", "id"], ["two of its parts are called id"]),
        (avro("string"), ["id", "region"], []),
        (avro("long"), ["id"], []),
        (avro("long"), ["id", "region"], ["the schema is that of one long, and the key has 2 parts"]),
        (Schema("json", '{"type":"integer"}'), ["id", "region"], []),
    ],
)
def test_what_of_a_key_does_not_fit_a_schema(schema: Schema, names: list[str], said: list[str]) -> None:
    assert list(misfits(schema, names)) == said
