"""A quick yes for events that a pydantic model takes: the model as a msgspec type, where that is sound.

Sound means: what msgspec accepts, pydantic accepts as well (strict, from JSON). The other way round need not
hold: a no is only a reason to ask pydantic. Every option of the core schema that is not known here to be
harmless, and every kind of schema that is not in the table, makes the whole model unproven.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Optional, Union

import msgspec
from pydantic import BaseModel

Schema = Mapping[str, Any]

_HARMLESS_CONFIG = frozenset(
    {
        "allow_inf_nan",
        "cache_strings",
        "coerce_numbers_to_str",
        "extra_fields_behavior",
        "from_attributes",
        "hide_input_in_errors",
        "loc_by_alias",
        "regex_engine",
        "revalidate_instances",
        "ser_json_bytes",
        "ser_json_inf_nan",
        "ser_json_timedelta",
        "serialize_by_alias",
        "strict",
        "title",
        "validate_by_alias",
        "validation_error_cause",
    }
)
_HARMLESS = frozenset({"type", "metadata", "serialization", "ref", "strict"})
_MODEL_FIELDS = frozenset({"type", "fields", "model_name", "computed_fields", "extra_behavior"})
_FIELD = frozenset(
    {
        "frozen",
        "metadata",
        "schema",
        "serialization_alias",
        "serialization_exclude",
        "type",
        "validation_alias",
    }
)
_PURE_FACTORIES = (dict, list, set, frozenset, tuple)


class _UnprovenError(Exception):
    """Nothing is known of this part of a schema."""


def fast_accept(model: type[BaseModel]) -> Callable[[bytes], object] | None:
    """A function that returns for events that ``model`` surely takes and raises for all others.

    It raises msgspec.DecodeError, UnicodeDecodeError or RecursionError, and passes over what the model does
    not declare. None where nothing is proven.
    """
    model.model_rebuild()
    try:
        kind = _Reader().read(model.__pydantic_core_schema__)
        return msgspec.json.Decoder(kind).decode
    except (_UnprovenError, TypeError, ValueError, OverflowError):
        return None


class _Reader:
    """Core schemas as msgspec types; models that several places refer to become one."""

    def __init__(self) -> None:
        self._definitions: dict[str, Schema] = {}
        self._known: dict[str, Any] = {}

    def read(self, schema: Schema) -> Any:
        """The msgspec type for a schema. Raises _UnprovenError."""
        known, reader = _KINDS.get(schema["type"], (frozenset(), None))
        if reader is None or _options(schema) - known - _HARMLESS:
            raise _UnprovenError
        return reader(self, schema)

    def definitions(self, schema: Schema) -> Any:
        self._definitions = {part["ref"]: part for part in schema["definitions"]}
        return self.read(schema["schema"])

    def reference(self, schema: Schema) -> Any:
        name = schema["schema_ref"]
        if name not in self._known:
            self._known[name] = None
            self._known[name] = self.read(self._definitions[name])
        if self._known[name] is None:  # a model that holds itself
            raise _UnprovenError
        return self._known[name]

    def model(self, schema: Schema) -> Any:
        config, fields = schema.get("config", {}), schema["schema"]
        if _options(config) - _HARMLESS_CONFIG or fields["type"] != "model-fields":
            raise _UnprovenError
        if _options(fields) - _MODEL_FIELDS:
            raise _UnprovenError
        names, listed = {}, []
        for index, (name, field) in enumerate(fields["fields"].items()):
            names[f"field_{index}"] = field.get("validation_alias", name)
            listed.append(self._field(f"field_{index}", field))
        forbid = "forbid" in (fields.get("extra_behavior"), config.get("extra_fields_behavior"))
        name = schema["cls"].__name__
        return msgspec.defstruct(name, listed, rename=names, forbid_unknown_fields=forbid, kw_only=True, gc=False)

    def _field(self, name: str, field: Schema) -> tuple[str, Any] | tuple[str, Any, Any]:
        if _options(field) - _FIELD or not isinstance(field.get("validation_alias", ""), str):
            raise _UnprovenError
        kind = self.read(field["schema"])
        return (name, kind, msgspec.UNSET) if field["schema"]["type"] == "default" else (name, kind)

    def default(self, schema: Schema) -> Any:
        factory = schema.get("default_factory")
        if factory is not None and factory not in _PURE_FACTORIES:
            raise _UnprovenError
        return self.read(schema["schema"])

    def nullable(self, schema: Schema) -> Any:
        kind = self.read(schema["schema"])
        return kind if kind is msgspec.Raw else Optional[kind]  # noqa: UP045  # a type made at run time

    def union(self, schema: Schema) -> Any:
        kinds = tuple(self.read(choice) for choice in schema["choices"])
        return msgspec.Raw if msgspec.Raw in kinds else Union[kinds]  # noqa: UP007  # as above

    def literal(self, schema: Schema) -> Any:
        return _literal(schema["expected"])

    def enum(self, schema: Schema) -> Any:
        return _literal([member.value for member in schema["members"]])

    def array(self, schema: Schema) -> Any:
        items = self.read(schema.get("items_schema", {"type": "any"}))
        return _limited(list[items], schema, "min_length", "max_length")  # type: ignore[valid-type]

    def mapping(self, schema: Schema) -> Any:
        if self.read(schema.get("keys_schema", {"type": "str"})) is not str:
            raise _UnprovenError
        values = self.read(schema.get("values_schema", {"type": "any"}))
        return dict[str, values]  # type: ignore[valid-type]

    def text(self, schema: Schema) -> Any:
        return _limited(str, schema, "min_length", "max_length")

    def whole_number(self, schema: Schema) -> Any:
        return _limited(int, schema, "ge", "gt", "le", "lt")

    def number(self, schema: Schema) -> Any:
        return _limited(float, schema, "ge", "gt", "le", "lt")

    def moment(self, schema: Schema) -> Any:
        if schema.get("microseconds_precision", "truncate") != "truncate":
            raise _UnprovenError
        return dt.datetime


def _options(schema: Schema) -> set[str]:
    """The keys of a schema that are not switched off."""
    return {key for key, value in schema.items() if value is not None and value is not False}


def _literal(values: list[Any]) -> Any:
    if not all(type(value) is str for value in values):
        raise _UnprovenError
    return Literal[tuple(values)]


def _limited(kind: Any, schema: Schema, *names: str) -> Any:
    limits = {name: schema[name] for name in names if schema.get(name) is not None}
    return Annotated[kind, msgspec.Meta(**limits)] if limits else kind


def _fixed(kind: Any) -> Callable[[_Reader, Schema], Any]:
    return lambda _reader, _schema: kind


_BOUNDS = frozenset({"ge", "gt", "le", "lt"})
_LENGTHS = frozenset({"min_length", "max_length"})

_KINDS: Mapping[str, tuple[frozenset[str], Callable[[_Reader, Schema], Any]]] = {
    "any": (frozenset(), _fixed(msgspec.Raw)),
    "bool": (frozenset(), _fixed(bool)),
    "date": (frozenset(), _fixed(dt.date)),
    "datetime": (frozenset({"microseconds_precision"}), _Reader.moment),
    "default": (frozenset({"schema", "default", "default_factory"}), _Reader.default),
    "definition-ref": (frozenset({"schema_ref"}), _Reader.reference),
    "definitions": (frozenset({"schema", "definitions"}), _Reader.definitions),
    "dict": (frozenset({"keys_schema", "values_schema"}), _Reader.mapping),
    "enum": (frozenset({"cls", "members", "sub_type", "missing"}), _Reader.enum),
    "float": (_BOUNDS | {"allow_inf_nan"}, _Reader.number),
    "int": (_BOUNDS, _Reader.whole_number),
    "list": (_LENGTHS | {"items_schema", "fail_fast"}, _Reader.array),
    "literal": (frozenset({"expected"}), _Reader.literal),
    "model": (frozenset({"cls", "config", "schema", "generic_origin"}), _Reader.model),
    "none": (frozenset(), _fixed(None)),
    "nullable": (frozenset({"schema"}), _Reader.nullable),
    "str": (_LENGTHS, _Reader.text),
    "union": (frozenset({"choices", "mode"}), _Reader.union),
    "uuid": (frozenset(), _fixed(uuid.UUID)),
}
