"""What a Protobuf schema says of the documents that are written with it, before one has come."""

from __future__ import annotations

from typing import Final

from upcasters.document import ValueType
from upcasters.formats.protobuf.scalars import scalar_type
from upcasters.formats.protobuf.types import FieldType, MessageType
from upcasters.paths import EACH, Path

_OF_VALUE: Final[frozenset[ValueType]] = frozenset({"null", "number", "string", "boolean", "object", "array"})
_OF_MESSAGES: Final[dict[str, frozenset[ValueType]]] = {
    "": frozenset({"object"}),
    "timestamp": frozenset({"timestamp"}),
    "duration": frozenset({"duration"}),
    "struct": frozenset({"object"}),
    "list": frozenset({"array"}),
    "value": _OF_VALUE,
}


def types_at(message: MessageType, path: Path) -> frozenset[ValueType] | None:
    """What may stand at a path; nothing where there is no such field, None where it lies in a map, an array or a value
    of any type."""
    here: MessageType | None = message
    found: frozenset[ValueType] = frozenset({"object"})
    for position, key in enumerate(path, 1):
        if here is None:
            return frozenset()
        if here.well_known in ("struct", "list", "value"):
            return None
        one = None if key is EACH or here.well_known else here.by_name.get(str(key))
        if one is None:
            return frozenset()
        if (one.is_repeated or one.is_map) and position < len(path):
            return None
        found, here = field_types(one), one.message
    return found


def field_types(one: FieldType) -> frozenset[ValueType]:
    """What a field may be. An enum of which the schema does not know the number is a number."""
    if one.is_repeated:
        return frozenset({"array"})
    if one.is_map:
        return frozenset({"object"})
    if one.message is not None:
        if one.well_known == "wrapper":
            return field_types(one.message.fields[0])
        return _OF_MESSAGES[one.well_known]
    return frozenset({"string", "number"}) if one.enum is not None else frozenset({scalar_type(one)})
