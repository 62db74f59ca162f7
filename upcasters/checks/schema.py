"""The shape that a model's JSON Schema declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from upcasters.checks.limits import limits_of
from upcasters.checks.shape import Field, Presence, Shape, any_value, join, scalar, shape_of_value, type_of
from upcasters.document import scalar_key


def shape_of(model: type[BaseModel]) -> Shape:
    """The shape of the documents that a model takes."""
    return shape_of_json_schema(model.model_json_schema(schema_generator=_Generator))


def shape_of_json_schema(schema: Mapping[str, Any]) -> Shape:
    """The shape of the documents that a JSON Schema describes."""
    return _read(schema, _Definitions(schema.get("$defs", {})), ())


# Models that hold each other are followed twice around. Many of them hold each other in so many ways that reading all
# would never end; so many are read, and of what is then left nothing is known.
_TIMES_AROUND = 2


_MOST_READ = 1_000


@dataclass
class _Definitions:
    """The schemas that others name, and how many more of them may be read."""

    named: Mapping[str, Any]
    left: int = _MOST_READ

    def read(self, name: str, inside: tuple[str, ...]) -> Shape:
        """The shape of a named schema, inside of others."""
        if self.left == 0 or inside.count(name) == _TIMES_AROUND:
            return any_value()
        self.left -= 1
        return _read(self.named[name], self, (*inside, name))


_SPELLINGS = "x-spellings"


class _Generator(GenerateJsonSchema):
    """JSON Schema that claims nothing where a validator of the user's own may turn anything into what fits."""

    def function_before_schema(self, schema: Any) -> JsonSchemaValue:
        return self._input(schema)

    def function_wrap_schema(self, schema: Any) -> JsonSchemaValue:
        return self._input(schema)

    def _input(self, schema: Any) -> JsonSchemaValue:
        given = schema.get("json_schema_input_schema")
        return {} if given is None else self.generate_inner(given)

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        return {}

    def emit_warning(self, kind: Any, detail: str) -> None:
        """Defaults without a JSON form are nobody's concern here."""

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        written = super().model_schema(schema)
        fields = schema["schema"].get("fields")
        if isinstance(fields, dict):
            by_name = schema.get("config", {}).get("validate_by_name", False)
            written[_SPELLINGS] = [
                names for name, one in fields.items() if len(names := _names(name, one, by_name=by_name)) > 1
            ]
        return written


def _names(name: str, one: Any, *, by_name: bool) -> list[str]:
    """Every key under which a field may stand, where there are several."""
    alias = one.get("validation_alias", name)
    if isinstance(alias, str):
        return [alias, name] if by_name and alias != name else [alias]
    paths = [alias] if isinstance(alias[0], str) else alias
    return [*(path[0] for path in paths), name]


def _read(schema: Any, definitions: _Definitions, inside: tuple[str, ...]) -> Shape:
    if not isinstance(schema, dict):
        return any_value()
    if "$ref" in schema:
        return definitions.read(schema["$ref"].rpartition("/")[2], inside)
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return reduce(join, (_read(choice, definitions, inside) for choice in choices))
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return replace(scalar(*map(type_of, values)), values=frozenset(map(scalar_key, values)), limits={})
    return _read_type(schema, definitions, inside)


def _read_type(schema: Mapping[str, Any], definitions: _Definitions, inside: tuple[str, ...]) -> Shape:
    kind = schema.get("type")
    if kind == "number":
        return replace(scalar("number", "integer"), limits=limits_of(schema))
    if kind == "array":
        items = schema.get("items")
        known = items is not None and "prefixItems" not in schema
        return Shape(frozenset({kind}), items=_read(items, definitions, inside) if known else None)
    if kind == "object":
        return _read_object(schema, definitions, inside)
    if kind == "null":
        return replace(shape_of_value(None), limits={})
    return replace(scalar(kind), limits=limits_of(schema)) if isinstance(kind, str) else any_value()


def _read_object(schema: Mapping[str, Any], definitions: _Definitions, inside: tuple[str, ...]) -> Shape:
    required = frozenset(schema.get("required", ()))
    fields = {
        key: Field(_read(one, definitions, inside), Presence.ALWAYS if key in required else Presence.MAYBE)
        for key, one in schema.get("properties", {}).items()
    }
    for names in schema.get(_SPELLINGS, ()):
        known = next((fields[name].shape for name in names if name in fields), any_value())
        fields.update({name: Field(known.copy(), Presence.UNKNOWN) for name in names})
    others = schema.get("additionalProperties")
    typed = isinstance(others, dict)
    return Shape(
        frozenset({"object"}),
        fields,
        others=_read(others, definitions, inside) if typed else None,
        open="properties" not in schema and not typed,
        takes_more=others is True,
    )
