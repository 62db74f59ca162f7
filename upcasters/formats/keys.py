"""Record keys that a step sets, as a schema wants them: a record of its fields, the one value, or the text of all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from upcasters.document import JsonNode, as_json, encode
from upcasters.errors import EventError, InvalidEvent
from upcasters.formats.avro.fast_writing import FastWriting
from upcasters.formats.avro.parsing import avro_type
from upcasters.formats.avro.types import NO_DEFAULT, AvroType
from upcasters.formats.json import write_any
from upcasters.formats.schema import Schema, SchemaError

Parts = Sequence[tuple[str, JsonNode]]
WriteKey = Callable[[Parts, bytes], bytes]
"""Given what a key is made of, and the text that this makes, gives its bytes. Raises EventError."""

_TEXTS = {"string", "bytes"}
"""Types of Avro that take the text of any key."""


def key_writer(schema: Schema) -> WriteKey:
    """What writes keys by a schema. Raises SchemaError."""
    write = _avro_writer(avro_type(schema)) if schema.kind == "avro" else _json_writer(schema)

    def written(parts: Parts, text: bytes) -> bytes:
        try:
            return write(parts, text)
        except EventError as error:
            raise InvalidEvent(f"the record key has no place in its schema: {error}", error.place) from None

    return written


def misfits(schema: Schema, names: Sequence[str]) -> Iterator[str]:
    """Why keys out of fields of these names do not fit a schema, in words. Raises SchemaError."""
    if len(set(names)) != len(names):
        yield f"two of its parts are called {next(name for name in names if names.count(name) > 1)}"
    elif schema.kind != "avro":
        return
    elif (avro := avro_type(schema)).kind == "record":
        fields = {one.name: one for one in avro.fields}
        yield from (f"the schema has no field {name}" for name in names if name not in fields)
        required = [name for name, one in fields.items() if one.default is NO_DEFAULT]
        yield from (f"the schema requires {name}, which is no part of it" for name in required if name not in names)
    elif len(names) > 1 and avro.kind not in _TEXTS:
        yield f"the schema is that of one {avro.kind}, and the key has {len(names)} parts"


def _avro_writer(avro: AvroType) -> WriteKey:
    write: Callable[[Any], bytes] = FastWriting(avro)
    if avro.kind == "record":
        return lambda parts, _text: write(dict(parts))
    if avro.kind == "bytes" and not avro.logical:
        return lambda _parts, text: write(text)
    if avro.kind == "string":
        return lambda _parts, text: write(text.decode())
    return lambda parts, _text: write(parts[0][1])


def _json_writer(schema: Schema) -> WriteKey:
    try:
        is_object = json.loads(schema.text).get("type") == "object"
    except (AttributeError, ValueError, RecursionError):
        raise SchemaError("the schema of keys is no JSON Schema", "Register or write it as a JSON object.") from None
    if is_object:
        return lambda parts, _text: write_any(dict(parts))
    return lambda parts, text: encode(as_json(parts[0][1] if len(parts) == 1 else text.decode()))
