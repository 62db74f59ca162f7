"""The shape that a message of Protobuf declares, as JSON Schema: what its documents hold, and have to hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from upcasters.formats.protobuf.types import FieldType, MessageType

_SCALARS: Final[Mapping[str, str]] = {"bool": "boolean", "string": "string", "float": "number", "double": "number"}
_ANYTHING: Final = "bytes"
"""JSON does not have them: nothing is claimed of them."""


def as_json_schema(message: MessageType, names: dict[str, Any], *, to_write: bool) -> dict[str, Any]:
    """A reference to the message among ``names``, which gets it and all that it holds.

    ``to_write`` is that of documents that can be written, where only what proto2 requires has to be there.
    """
    if message.name not in names:
        names[message.name] = {}
        fields = {one.name: _field(one, names, to_write) for one in message.fields}
        always = () if to_write else message.always
        required = [one.name for one in message.fields if one.is_required or one.name in always]
        names[message.name] = {"type": "object", "properties": fields, "required": required}
    return {"$ref": f"#/$defs/{message.name}"}


def _field(one: FieldType, names: dict[str, Any], to_write: bool) -> dict[str, Any]:
    if one.is_repeated:
        return {"type": "array", "items": _field(one.of_item, names, to_write)}
    if one.is_map:
        return {"type": "object", "additionalProperties": _field(one.of_item, names, to_write)}
    made = _single(one, names, to_write)
    # A null is taken for a field that is not set.
    is_nullable = to_write and one.has_presence and not one.is_required and made
    return {"anyOf": [made, {"type": "null"}]} if is_nullable else made


def _single(one: FieldType, names: dict[str, Any], to_write: bool) -> dict[str, Any]:
    if one.message is not None:
        if one.well_known == "wrapper":
            return _single(one.message.fields[0], names, to_write)
        known = {"struct": {"type": "object"}, "list": {"type": "array"}}
        return (
            known.get(one.well_known, {}) if one.well_known else as_json_schema(one.message, names, to_write=to_write)
        )
    if one.enum is not None:
        return {"anyOf": [{"enum": list(one.enum.names.values())}, {"type": "integer"}]}
    return {} if one.kind == _ANYTHING else {"type": _SCALARS.get(one.kind, "integer")}
