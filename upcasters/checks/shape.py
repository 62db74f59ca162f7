"""What can be known of a document before there is one: its shape, read from a model's JSON Schema, and comparisons.

All of it errs on the quiet side: what cannot be told is ``anything()``, and of that nothing is ever reported.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from upcasters.checks.limits import join_limits, limits_of, narrowing
from upcasters.paths import EACH, Path, show

ALL = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
CONTAINERS = frozenset({"object", "array"})
Scalar = tuple[bool, Any]
# What a report is made of: a stable code, a message, a remedy.
Report = Callable[[str, str, str], None]


class Presence(enum.Enum):
    """Whether a field is there. ``UNKNOWN`` is never reported, ``MAYBE`` is: the model says that it is optional."""

    ALWAYS = enum.auto()
    MAYBE = enum.auto()
    UNKNOWN = enum.auto()


@dataclass
class Field:
    """One field of an object: its shape and whether it is there."""

    shape: Shape
    presence: Presence = Presence.ALWAYS

    def copy(self) -> Field:
        """A field that can be changed on its own."""
        return Field(self.shape.copy(), self.presence)


@dataclass
class Shape:
    """A set of possible JSON values; changed in place as operations are followed.

    ``number`` is one with a fraction or exponent. ``others`` is what keys beside ``fields`` hold; None means that
    there are none, as far as is declared, unless ``open`` says that nothing is known of them. ``items`` is what an
    array holds, None if that is not known. No types at all: there is no such value. ``told``: the types are known
    and not only what is left of a guess; of others nothing is reported. ``values`` are all single values that there
    are, as ``scalar_of`` writes them, and ``limits`` what JSON Schema says of single values; None if not known.
    """

    types: frozenset[str] = ALL
    fields: dict[str, Field] = field(default_factory=dict)
    others: Shape | None = None
    items: Shape | None = None
    open: bool = False
    told: bool = True
    values: frozenset[Scalar] | None = None
    limits: Mapping[str, Any] | None = None

    def copy(self) -> Shape:
        """A shape that can be changed on its own."""
        return Shape(
            self.types,
            {key: inner.copy() for key, inner in self.fields.items()},
            self.others and self.others.copy(),
            self.items and self.items.copy(),
            self.open,
            self.told,
            self.values,
            self.limits,
        )

    def become(self, other: Shape) -> None:
        """Be another shape from now on, wherever this one stands."""
        self.types, self.fields, self.others = other.types, other.fields, other.others
        self.items, self.open, self.told = other.items, other.open, other.told
        self.values, self.limits = other.values, other.limits

    def get(self, key: str) -> Field | None:
        """The field ``key``, to be changed in place; None where no such field is declared."""
        if key not in self.fields:
            if self.others is not None:
                self.fields[key] = Field(self.others.copy(), Presence.UNKNOWN)
            elif self.open:
                self.fields[key] = Field(anything(), Presence.UNKNOWN)
        return self.fields.get(key)

    @property
    def impossible(self) -> bool:
        """True where there is no such value: behind a dropped event."""
        return not self.types


def anything() -> Shape:
    """A shape of which nothing is known."""
    return Shape(open=True, told=False)


def nothing() -> Shape:
    """The shape that no value has: the items of an empty array, what is left behind a dropped event."""
    return Shape(frozenset())


def scalar(*types: str) -> Shape:
    """A shape of these types, of which no more is known."""
    return Shape(frozenset(types), open=True)


def shape_of_value(value: Any) -> Shape:
    """The shape of one plain JSON value."""
    if isinstance(value, dict):
        return Shape(frozenset({"object"}), {key: Field(shape_of_value(inner)) for key, inner in value.items()})
    if isinstance(value, list):
        items = nothing()
        for item in value:
            items = join(items, shape_of_value(item))
        return Shape(frozenset({"array"}), items=items)
    return replace(scalar(type_of(value)), values=frozenset({scalar_of(value)}))


def scalar_of(value: Any) -> Scalar:
    """A plain single value so that it equals what JSON calls equal: ``1`` is ``1.0`` and not ``true``."""
    return (type(value) is bool, value)


def type_of(value: Any) -> str:
    """The JSON type of a plain single value."""
    if value is None:
        return "null"
    names = ((bool, "boolean"), (str, "string"), (int, "integer"))
    return next((name for kind, name in names if isinstance(value, kind)), "number")


def join(one: Shape, other: Shape) -> Shape:
    """What is either of two shapes."""
    if one.impossible or other.impossible:
        return (other if one.impossible else one).copy()
    objects = [shape for shape in (one, other) if "object" in shape.types]
    arrays = [shape for shape in (one, other) if "array" in shape.types]
    joined = Shape(one.types | other.types, told=one.told and other.told)
    joined.open = any(shape.open for shape in objects or (one,))
    joined.values = None if one.values is None or other.values is None else one.values | other.values
    joined.limits = join_limits(one, other)
    if len(objects) == 2:
        _join_objects(joined, one, other)
    elif objects:
        lone = objects[0].copy()
        joined.fields, joined.others = lone.fields, lone.others
    if all(shape.items is not None for shape in arrays):
        for shape in arrays:
            assert shape.items is not None
            joined.items = join(joined.items or nothing(), shape.items)
    return joined


def _join_objects(joined: Shape, one: Shape, other: Shape) -> None:
    for key in dict.fromkeys((*one.fields, *other.fields)):
        first, second = one.get(key), other.get(key)
        if first is not None and second is not None:
            presence = first.presence if first.presence is second.presence else Presence.UNKNOWN
            joined.fields[key] = Field(join(first.shape, second.shape), presence)
        else:
            lone = first or second
            assert lone is not None
            joined.fields[key] = Field(lone.shape.copy(), Presence.UNKNOWN)
    if one.others is not None and other.others is not None:
        joined.others = join(one.others, other.others)
    elif one.others is not None or other.others is not None:
        joined.open = True


def shape_of(model: type[BaseModel]) -> Shape:
    """The shape of the documents that a model takes."""
    schema = model.model_json_schema(schema_generator=_Generator)
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
            return anything()
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
        return anything()
    if "$ref" in schema:
        return definitions.read(schema["$ref"].rpartition("/")[2], inside)
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return reduce(join, (_read(choice, definitions, inside) for choice in choices))
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return replace(scalar(*map(type_of, values)), values=frozenset(map(scalar_of, values)), limits={})
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
    return replace(scalar(kind), limits=limits_of(schema)) if isinstance(kind, str) else anything()


def _read_object(schema: Mapping[str, Any], definitions: _Definitions, inside: tuple[str, ...]) -> Shape:
    required = frozenset(schema.get("required", ()))
    fields = {
        key: Field(_read(one, definitions, inside), Presence.ALWAYS if key in required else Presence.MAYBE)
        for key, one in schema.get("properties", {}).items()
    }
    for names in schema.get(_SPELLINGS, ()):
        known = next((fields[name].shape for name in names if name in fields), anything())
        fields.update({name: Field(known.copy(), Presence.UNKNOWN) for name in names})
    others = schema.get("additionalProperties")
    typed = isinstance(others, dict)
    return Shape(
        frozenset({"object"}),
        fields,
        others=_read(others, definitions, inside) if typed else None,
        open="properties" not in schema and not typed,
    )


def differences(made: Shape, wanted: Shape, report: Report, at: Path = ()) -> None:
    """Report where what comes out of a step does not fit the model of its target version."""
    wrong = made.types - wanted.types
    if made.told and wrong:
        what = f"{_shown(at)} may be {_listed(wrong)} and the model takes {_listed(wanted.types)}"
        report("type", what, "Convert it, or mend the model.")
    if made.told and (narrower := narrowing(made, wanted)):
        report("value", f"{_shown(at)} {narrower}", "Map or convert it, or mend one of the two models.")
    if "object" in made.types and "object" in wanted.types:
        _missing(made, wanted, report, at)
        for key, inner in made.fields.items():
            _field(key, inner, wanted, report, at)
        if made.others is not None and wanted.others is not None:
            differences(made.others, wanted.others, report, (*at, EACH))
    if "array" in made.types and made.items is not None and wanted.items is not None:
        differences(made.items, wanted.items, report, (*at, EACH))


def _missing(made: Shape, wanted: Shape, report: Report, at: Path) -> None:
    for key, inner in wanted.fields.items():
        found = made.get(key)
        if inner.presence is not Presence.ALWAYS or (found and found.presence is not Presence.MAYBE):
            continue
        may = "may be missing" if found else "is missing"
        what = f"{_shown((*at, key))}, which the model requires, {may}: nothing in the step provides it"
        report("unprovided", what, "Add, default, derive or rename it, or make it optional in the model.")


def _field(key: str, made: Field, wanted: Shape, report: Report, at: Path) -> None:
    where = (*at, key)
    declared = wanted.fields.get(key)
    if declared is not None:
        differences(made.shape, declared.shape, report, where)
    elif wanted.others is not None:
        differences(made.shape, wanted.others, report, where)
    elif not wanted.open and made.presence is not Presence.UNKNOWN:
        what = f"{_shown(where)} comes out of the step and the model does not declare it"
        report("unaccounted", what, "Rename or drop it, or declare it in the model.")


def _shown(at: Path) -> str:
    return show(at) or "the document"


def _listed(types: frozenset[str]) -> str:
    return " or ".join(sorted(types))


def members(shape: Shape) -> Iterator[Shape]:
    """The shapes that ``*`` means in a shape, to be changed in place."""
    yield from (inner.shape for inner in shape.fields.values())
    if shape.others is not None:
        yield shape.others
    if shape.items is not None:
        yield shape.items
