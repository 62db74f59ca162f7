"""What an Avro schema says of the documents that are written with it, before one has come."""

from __future__ import annotations

from collections.abc import Iterable

from upcasters.document import ValueType
from upcasters.formats.avro.scalars import value_type
from upcasters.formats.avro.types import AvroType
from upcasters.paths import Path


def types_at(avro: AvroType, path: Path) -> frozenset[ValueType] | None:
    """What may stand at a path; nothing where there is no such field, None where it lies in a map or an array."""
    found = list(_branches([avro]))
    for key in path:
        if any(one.kind in ("map", "array") for one in found):
            return None
        inside = (field.type for one in found for field in one.fields if field.name == key)
        found = list(_branches(inside))
    return frozenset(map(value_type, found))


def _branches(types: Iterable[AvroType]) -> Iterable[AvroType]:
    for one in types:
        yield from one.branches or (one,)
