"""What JSON Schema says of single values beside their type: lengths, bounds, patterns, formats; and what breaks it."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import TypeAdapter, ValidationError

if TYPE_CHECKING:
    from upcasters.checks.shape import Shape

Limits = Mapping[str, Any]

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


def limits_of(schema: Mapping[str, Any]) -> Limits:
    """The limits that a schema of a single value sets, as far as they are known here."""
    found = {name: schema[name] for name in _BREAKS if name in schema}
    if found.get("format") not in _FORMATS:
        found.pop("format", None)
    return found


def join_limits(one: Shape, other: Shape) -> Limits | None:
    """The limits of what is either of two shapes; None where they are not known of one."""
    if one.limits is None or other.limits is None:
        return None
    return {**_kept(one.limits, other), **_kept(other.limits, one)}


def _kept(limits: Limits, other: Shape) -> Limits:
    assert other.limits is not None
    return {
        name: value
        for name, value in limits.items()
        if not other.types & _types(name) or other.limits.get(name) == value
    }


def _types(name: str) -> frozenset[str]:
    return frozenset({"string"}) if name in _OF_TEXT else frozenset({"number", "integer"})


def narrowing(made: Shape, wanted: Shape) -> str:
    """What single values come out that the model does not take, in words; empty where there are none."""
    if made.values is not None:
        wrong = sorted(repr(value) for bool_, value in made.values if _refused(bool_, value, made, wanted))
        return f"may be {' or '.join(wrong)}, which the model does not take" if wrong else ""
    names = [name for name in made.limits or () if _is_tighter(name, made, wanted)]
    return f"may be outside of what the model takes ({', '.join(names)})" if names else ""


def _refused(bool_: bool, value: Any, made: Shape, wanted: Shape) -> bool:  # a part of a scalar
    from upcasters.checks.shape import type_of

    kind = type_of(value)
    if kind not in made.types & wanted.types:
        return False
    if wanted.values is not None:
        return (bool_, value) not in wanted.values
    return any(kind in _types(name) and _BREAKS[name](value, limit) for name, limit in (wanted.limits or {}).items())


def _is_tighter(name: str, made: Shape, wanted: Shape) -> bool:
    """True where both models set a limit and the newer one's is tighter. A loose model may well have been only that."""
    own, limit = (made.limits or {}).get(name), (wanted.limits or {}).get(name)
    if limit is None or name == "pattern" or not made.types & wanted.types & _types(name):
        return False
    if name == "format":
        return bool(own != limit)
    return bool(own < limit if name.lower().removeprefix("exclusive").startswith("min") else own > limit)


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:  # a pattern of another dialect
        return True


def _has_format(name: str, value: str) -> bool:
    try:
        _FORMATS[name].validate_json(msgspec.json.encode(value), strict=True)
    except ValidationError:
        return False
    return True
