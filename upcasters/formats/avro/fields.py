"""What an Avro schema declares, field by field, for people."""

from __future__ import annotations

import json
from collections.abc import Iterator

from upcasters.formats.avro.parsing import avro_type
from upcasters.formats.avro.types import NO_DEFAULT, AvroType
from upcasters.formats.schema import Schema

_LONGEST_DEFAULT = 40


def fields_of(schema: Schema) -> dict[str, str]:
    """Every field by its path, with its type and default. Raises SchemaError."""
    return dict(_below(avro_type(schema), "", ()))


def _below(avro: AvroType, at: str, seen: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if avro.kind == "union":
        for branch in avro.branches:
            yield from _below(branch, at, seen)
    elif avro.inner is not None:
        path = f"{at}.*".lstrip(".")
        yield path, _told(avro.inner)
        yield from _below(avro.inner, path, seen)
    elif avro.kind == "record" and avro.name not in seen:
        for one in avro.fields:
            path = f"{at}.{one.name}".lstrip(".")
            yield path, _told(one.type) + _default(one.default)
            yield from _below(one.type, path, (*seen, avro.name))


def _told(avro: AvroType) -> str:
    if avro.kind == "union":
        return " | ".join(map(_told, avro.branches))
    if avro.logical == "decimal":
        return f"decimal({avro.precision}, {avro.scale})"
    if avro.logical:
        return avro.logical
    if avro.kind == "enum":
        return f"{avro.short_name}: {' | '.join(avro.symbols)}"
    return f"fixed({avro.size})" if avro.kind == "fixed" else avro.short_name or avro.kind


def _default(default: object) -> str:
    if default is NO_DEFAULT:
        return ""
    text = json.dumps(default)
    return f" = {text if len(text) <= _LONGEST_DEFAULT else text[:_LONGEST_DEFAULT] + '…'}"
