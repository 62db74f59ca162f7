"""Events that a JSON Schema describes, or a pydantic model: what `infer` works on where there are no events."""

from __future__ import annotations

import importlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from upcast_authoring.errors import CommandError

EVENTS = 6
DEEPEST = 6
"""Levels; a model that holds itself would have no end."""


def is_schema(document: Any) -> bool:
    """Whether a JSON document describes events, and is none itself."""
    return isinstance(document, dict) and ("$schema" in document or isinstance(document.get("properties"), dict))


def model_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a pydantic model, ``module:Class``. Raises CommandError."""
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise CommandError(f"infer: {name}: {error}: name a model as module:Class", code="UPC1003") from error
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        raise CommandError(f"infer: {name} is no pydantic model: name one as module:Class", code="UPC1003")
    return found.model_json_schema()


def read_schema(file: Path) -> dict[str, Any] | None:
    """The schema in a file; None where the file holds events."""
    try:
        document = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return document if is_schema(document) else None


def events_of(schema: Mapping[str, Any], *, with_defaults: bool, numeric: Collection[str] = ()) -> list[bytes]:
    """A few events that fit it, in which no two fields say the same; the last ones without what may be absent.

    ``with_defaults``: where a default is declared it stands in all of them. ``numeric``: fields whose texts are
    numbers. Raises CommandError where it describes no objects.
    """
    made = [_Maker(schema, number, with_defaults, numeric).event() for number in range(EVENTS)]
    if not made[0] or not isinstance(made[0], dict):
        raise CommandError(
            "infer: the schema describes no object with properties: give that of an event", code="UPC2105"
        )
    return [json.dumps(each).encode() for each in made]


class _Maker:
    """Makes one event. Values are counted, so that each field has others."""

    def __init__(self, schema: Mapping[str, Any], number: int, with_defaults: bool, numeric: Collection[str]) -> None:
        self._root = schema
        self._number = number
        self._with_defaults = with_defaults
        self._numeric = numeric
        self._fields = 0

    def event(self) -> Any:
        return self._value(self._root, "event", 0)

    def _value(self, schema: Any, name: str, depth: int) -> Any:
        schema = self._resolved(schema)
        if "const" in schema or depth > 2 * DEEPEST:
            return schema.get("const")
        if schema.get("enum"):
            return schema["enum"][self._number % len(schema["enum"])]
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next((each for each in kind if each != "null"), "null")
        self._fields += 1
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            items = schema.get("items")
            return [self._value(items, name, depth + 1)] if isinstance(items, dict) and depth < DEEPEST else []
        return self._scalar(kind, schema, name)

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = set(schema.get("required", ()))
        made = {}
        for key, inner in schema.get("properties", {}).items():
            value = self._value(inner, key, depth + 1)  # counted whether it is there or not
            absent = key not in required and (self._number >= EVENTS // 2 or depth >= DEEPEST)
            if self._with_defaults and isinstance(inner, dict) and inner.get("default") is not None:
                made[key] = inner["default"]
            elif not absent:
                made[key] = value
        return made

    def _scalar(self, kind: str, schema: Mapping[str, Any], name: str) -> Any:
        distinct = self._fields * 100 + self._number
        if kind == "integer":
            return distinct
        if kind == "number":
            return distinct + 0.5
        if kind == "boolean":
            return bool((self._number + 1) >> (self._fields % 3) & 1)
        if kind == "null":
            return None
        if name in self._numeric:
            return f"{distinct}.5"
        day, hour = self._number + 1, self._fields % 24
        texts = {"date-time": f"2026-01-{day:02}T{hour:02}:00:00Z", "date": f"2026-{hour % 12 + 1:02}-{day:02}"}
        return texts.get(schema.get("format", ""), f"{name}{self._fields}_{self._number + 1}")

    def _resolved(self, schema: Any) -> Mapping[str, Any]:
        """Without references and alternatives: the first that is no null."""
        seen = 0
        while isinstance(schema, dict) and seen < DEEPEST:
            seen += 1
            if str(schema.get("$ref", "")).startswith("#/"):
                schema = self._at(schema["$ref"])
            elif some := schema.get("anyOf") or schema.get("oneOf"):
                schema = next((each for each in some if each.get("type") != "null"), {"type": "null"})
            elif len(schema.get("allOf", ())) == 1:
                schema = schema["allOf"][0]
            else:
                return schema
        return {}

    def _at(self, reference: str) -> Any:
        found: Any = self._root
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
        return found
