"""What JSON Schema says of single values beside their type: lengths, bounds, patterns, formats; and what breaks it."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from pydantic import TypeAdapter, ValidationError

from upcasters.patterns import compiled

JsonSchemaLimits = Mapping[str, Any]

_FORMATS: Mapping[str, TypeAdapter[Any]] = {
    "date": TypeAdapter(dt.date),
    "date-time": TypeAdapter(dt.datetime),
    "duration": TypeAdapter(dt.timedelta),
    "time": TypeAdapter(dt.time),
    "uuid": TypeAdapter(uuid.UUID),
}
_BREAKS: Mapping[str, Callable[[Any, Any], bool]] = {
    "minLength": lambda value, least: len(value) < least,
    "maxLength": lambda value, most: len(value) > most,
    "minimum": lambda value, least: value < least,
    "exclusiveMinimum": lambda value, least: value <= least,
    "maximum": lambda value, most: value > most,
    "exclusiveMaximum": lambda value, most: value >= most,
    "pattern": lambda value, pattern: not _matches(pattern, value),
    "format": lambda value, name: not _has_format(name, value),
}
_OF_TEXT = frozenset({"minLength", "maxLength", "pattern", "format"})


def limits_of(schema: Mapping[str, Any]) -> JsonSchemaLimits:
    """The limits that a schema of a single value sets, as far as they are known here."""
    found = {name: schema[name] for name in _BREAKS if name in schema}
    if found.get("format") not in _FORMATS:
        found.pop("format", None)
    return found


def types_of(name: str) -> frozenset[str]:
    """The JSON types that a limit is about."""
    return frozenset({"string"}) if name in _OF_TEXT else frozenset({"number", "integer"})


def breaks(name: str, limit: Any, value: Any) -> bool:
    """True where a plain single value, of a type that the limit is about, does not keep it."""
    return _BREAKS[name](value, limit)


def _matches(pattern: str, value: str) -> bool:
    try:
        return compiled(pattern).search(value) is not None
    except re.error:  # a pattern of another dialect
        return True


def _has_format(name: str, value: str) -> bool:
    try:
        _FORMATS[name].validate_json(msgspec.json.encode(value), strict=True)
    except ValidationError:
        return False
    return True
