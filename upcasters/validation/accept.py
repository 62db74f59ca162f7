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

CoreSchema = Mapping[str, Any]
_Field = tuple[str, Any, bool]  # the key, its type, whether it must be there

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
_MODEL_FIELDS = frozenset({"type", "fields", "model_name", "computed_fields", "extra_behavior", "extras_schema"})
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
    schema, reader = model.__pydantic_core_schema__, _Reader()
    try:
        accept = msgspec.json.Decoder(reader.read(schema)).decode
        extras = _extras(reader, schema)
        return accept if extras is None else _both(accept, msgspec.json.Decoder(extras).decode)
    except (_UnprovenError, TypeError, ValueError, OverflowError):
        return None


def _both(one: Callable[[bytes], object], other: Callable[[bytes], object]) -> Callable[[bytes], object]:
    def accept(data: bytes) -> object:
        one(data)
        return other(data)

    return accept


class _Reader:
    """Core schemas as msgspec types; models that several places refer to become one."""

    def __init__(self) -> None:
        self.defined: dict[str, CoreSchema] = {}
        self._known: dict[str, Any] = {}

    def read(self, schema: CoreSchema) -> Any:
        """The msgspec type for a schema. Raises _UnprovenError."""
        known, reader = _KINDS.get(schema["type"], (frozenset(), None))
        if reader is None or _options(schema) - known - _HARMLESS:
            raise _UnprovenError
        return reader(self, schema)

    def definitions(self, schema: CoreSchema) -> Any:
        self.defined = {part["ref"]: part for part in schema["definitions"]}
        return self.read(schema["schema"])

    def reference(self, schema: CoreSchema) -> Any:
        name = schema["schema_ref"]
        if name not in self._known:
            self._known[name] = None
            self._known[name] = self.read(self.defined[name])
        if self._known[name] is None:  # a model that holds itself
            raise _UnprovenError
        return self._known[name]

    def model(self, schema: CoreSchema) -> Any:
        config, fields = schema.get("config", {}), schema["schema"]
        plain = fields["type"] == "model-fields" and not _options(fields) - _MODEL_FIELDS
        if _options(config) - _HARMLESS_CONFIG or not plain:
            raise _UnprovenError
        forbid = "forbid" in (fields.get("extra_behavior"), config.get("extra_fields_behavior"))
        return _struct([self._field(*named) for named in fields["fields"].items()], forbid=forbid)

    def _field(self, name: str, field: CoreSchema) -> _Field:
        alias = field.get("validation_alias", name)
        if _options(field) - _FIELD or not isinstance(alias, str):
            raise _UnprovenError
        return alias, self.read(field["schema"]), field["schema"]["type"] != "default"

    def default(self, schema: CoreSchema) -> Any:
        factory = schema.get("default_factory")
        if factory is not None and factory not in _PURE_FACTORIES:
            raise _UnprovenError
        return self.read(schema["schema"])

    def nullable(self, schema: CoreSchema) -> Any:
        kind = self.read(schema["schema"])
        return kind if kind is msgspec.Raw else Optional[kind]  # noqa: UP045  # a type made at run time

    def union(self, schema: CoreSchema) -> Any:
        kinds = tuple(self.read(choice) for choice in schema["choices"])
        return msgspec.Raw if msgspec.Raw in kinds else Union[kinds]  # noqa: UP007  # as above

    def literal(self, schema: CoreSchema) -> Any:
        return _literal(schema["expected"])

    def enum(self, schema: CoreSchema) -> Any:
        return _literal([member.value for member in schema["members"]])

    def array(self, schema: CoreSchema) -> Any:
        items = self.read(schema.get("items_schema", {"type": "any"}))
        return _limited(list[items], schema, "min_length", "max_length")  # type: ignore[valid-type]

    def mapping(self, schema: CoreSchema) -> Any:
        if self.read(schema.get("keys_schema", {"type": "str"})) is not str:
            raise _UnprovenError
        values = self.read(schema.get("values_schema", {"type": "any"}))
        return dict[str, values]  # type: ignore[valid-type]

    def text(self, schema: CoreSchema) -> Any:
        return _limited(str, schema, "min_length", "max_length")

    def whole_number(self, schema: CoreSchema) -> Any:
        return _limited(int, schema, "ge", "gt", "le", "lt")

    def number(self, schema: CoreSchema) -> Any:
        return _limited(float, schema, "ge", "gt", "le", "lt")

    def moment(self, schema: CoreSchema) -> Any:
        if schema.get("microseconds_precision", "truncate") != "truncate":
            raise _UnprovenError
        return dt.datetime


def _struct(fields: list[_Field], *, forbid: bool = False) -> Any:
    names = {f"field_{index}": name for index, (name, _, _) in enumerate(fields)}
    listed = [
        (attribute, kind) if required else (attribute, kind, msgspec.UNSET)
        for attribute, (_, kind, required) in zip(names, fields, strict=True)
    ]
    return msgspec.defstruct("Accepted", listed, rename=names, forbid_unknown_fields=forbid, kw_only=True, gc=False)


def _options(schema: CoreSchema) -> set[str]:
    """The keys of a schema that are not switched off."""
    return {key for key, value in schema.items() if value is not None and value is not False}


def _extras(reader: _Reader, schema: CoreSchema) -> Any:
    """A type that checks the typed extras of models which ``reader`` has read; None where there are none."""
    kind = schema["type"]
    if kind == "definition-ref":
        return _extras(reader, reader.defined[schema["schema_ref"]])
    if kind == "model":
        return _extras_of_model(reader, schema["schema"])
    if kind == "union" and any(_extras(reader, choice) is not None for choice in schema["choices"]):
        raise _UnprovenError
    inner = schema.get(_INNER.get(kind, ""))
    inside = None if inner is None else _extras(reader, inner)
    if inside is None:
        return None
    wrapped = {"list": list[inside], "dict": dict[str, inside], "nullable": Optional[inside]}  # type: ignore[valid-type]  # noqa: UP045
    return wrapped.get(kind, inside)


def _extras_of_model(reader: _Reader, fields: CoreSchema) -> Any:
    inside = {
        field.get("validation_alias", name): _extras(reader, field["schema"])
        for name, field in fields["fields"].items()
    }
    checked: list[_Field] = [(name, kind, False) for name, kind in inside.items() if kind is not None]
    typed = fields.get("extras_schema")
    if typed is None:
        return _struct(checked) if checked else None
    extra = reader.read(typed)
    # One type for all keys: what it says must hold for the declared fields as well.
    same = all(reader.read(field["schema"]) == extra for field in fields["fields"].values())
    if checked or not same or _extras(reader, typed) is not None:
        raise _UnprovenError
    return dict[str, extra]  # type: ignore[valid-type]


_INNER = {
    "default": "schema",
    "definitions": "schema",
    "dict": "values_schema",
    "list": "items_schema",
    "nullable": "schema",
}


def _literal(values: list[Any]) -> Any:
    if not all(type(value) is str for value in values):
        raise _UnprovenError
    return Literal[tuple(values)]


def _limited(kind: Any, schema: CoreSchema, *names: str) -> Any:
    limits = {name: schema[name] for name in names if schema.get(name) is not None}
    return Annotated[kind, msgspec.Meta(**limits)] if limits else kind


def _fixed(kind: Any) -> Callable[[_Reader, CoreSchema], Any]:
    return lambda _reader, _schema: kind


_BOUNDS = frozenset({"ge", "gt", "le", "lt"})
_LENGTHS = frozenset({"min_length", "max_length"})

_KINDS: Mapping[str, tuple[frozenset[str], Callable[[_Reader, CoreSchema], Any]]] = {
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
