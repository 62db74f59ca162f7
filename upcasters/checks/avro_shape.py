"""The shape that a version's schema declares: what its documents hold, and what they have to hold to be written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from upcasters.checks.schema import shape_of_json_schema
from upcasters.checks.shape import Shape
from upcasters.formats import Schema

if TYPE_CHECKING:
    from upcasters.formats.avro.types import AvroType

_SCALARS: Mapping[str, str] = {
    "null": "null",
    "boolean": "boolean",
    "int": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "string": "string",
}
"""What JSON Schema calls them. What JSON does not have is anything: nothing is claimed of it."""


_LIKELY_TEXTS = [{"pattern": r"\A[0-9]{1,4}\.[0-9]{2}\Z"}, {"format": "date-time"}]
"""What steps mostly want of a text, of which Avro's schema only says that it is one."""


def json_schema_of(schema: Schema) -> Mapping[str, Any]:
    """A JSON Schema by which documents of a version are made up. Raises SchemaError."""
    if schema.kind == "json":
        return _parsed(schema)
    names: dict[str, Any] = {}
    if schema.kind == "protobuf":
        from upcasters.checks.protobuf_shape import as_json_schema
        from upcasters.formats.protobuf.parsing import message_type

        found: Mapping[str, Any] = _closed(
            {**as_json_schema(message_type(schema), names, to_write=False), "$defs": names}
        )
        return found
    from upcasters.formats.avro.parsing import avro_type

    top = _as_json_schema(avro_type(schema), names, to_write=False)
    made: Mapping[str, Any] = _closed({**top, "$defs": names})
    return made


def _closed(schema: Any) -> Any:
    """Avro's records have no other fields than theirs."""
    if isinstance(schema, list):
        return list(map(_closed, schema))
    if not isinstance(schema, Mapping):
        return schema
    if schema.get("type") == "string" and schema.keys() == {"type"}:
        return {"anyOf": [schema, *({**schema, **likely} for likely in _LIKELY_TEXTS)]}
    made = {key: _closed(value) if key != "properties" else _each_closed(value) for key, value in schema.items()}
    return {**made, "additionalProperties": False} if "properties" in made else made


def _each_closed(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: _closed(inside) for name, inside in properties.items()}


def shape_of_schema(schema: Schema, *, to_write: bool = False) -> Shape:
    """The shape of a version's documents; ``to_write`` that of documents that can be written, where a field with a
    default may be missing. Raises SchemaError where the schema cannot be used."""
    if schema.kind == "json":
        return shape_of_json_schema(_parsed(schema))
    if schema.kind == "protobuf":
        return _of_protobuf(schema, to_write)
    from upcasters.formats.avro.parsing import avro_type

    names: dict[str, Any] = {}
    top = _as_json_schema(avro_type(schema), names, to_write)
    return shape_of_json_schema({**top, "$defs": names})


def _of_protobuf(schema: Schema, to_write: bool) -> Shape:
    from upcasters.checks.protobuf_shape import as_json_schema
    from upcasters.formats.protobuf.parsing import message_type

    names: dict[str, Any] = {}
    return shape_of_json_schema({**as_json_schema(message_type(schema), names, to_write=to_write), "$defs": names})


def _parsed(schema: Schema) -> Mapping[str, Any]:
    found = json.loads(schema.canonical)
    return found if isinstance(found, dict) else {}


def _as_json_schema(avro: AvroType, names: dict[str, Any], to_write: bool) -> dict[str, Any]:
    if avro.kind == "union":
        return {"anyOf": [_as_json_schema(one, names, to_write) for one in avro.branches]}
    if avro.kind == "array":
        return {"type": "array", "items": _as_json_schema(avro.items, names, to_write)}
    if avro.kind == "map":
        return {"type": "object", "additionalProperties": _as_json_schema(avro.items, names, to_write)}
    return _record(avro, names, to_write) if avro.kind == "record" else _scalar(avro)


def _scalar(avro: AvroType) -> dict[str, Any]:
    if avro.kind == "enum":
        return {"enum": list(avro.symbols)}
    if avro.logical == "decimal":
        return {"type": "number"}
    kind = _SCALARS.get(avro.kind)
    return {} if kind is None or avro.logical not in ("", "uuid") else {"type": kind}


def _record(avro: AvroType, names: dict[str, Any], to_write: bool) -> dict[str, Any]:
    from upcasters.formats.avro.types import NO_DEFAULT

    if avro.name not in names:
        names[avro.name] = {}
        fields = {field.name: _as_json_schema(field.type, names, to_write) for field in avro.fields}
        required = [field.name for field in avro.fields if not to_write or field.default is NO_DEFAULT]
        names[avro.name] = {"type": "object", "properties": fields, "required": required}
    return {"$ref": f"#/$defs/{avro.name}"}
