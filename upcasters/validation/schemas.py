"""Reads the core schema of a pydantic model, and stops where nobody has shown what the model does with an option.

Every option that is not known here to be harmless, and every kind of schema that is not in the table, is unproven.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")
CoreSchema = Mapping[str, Any]

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


class UnprovenError(Exception):
    """Nothing is known of this part of a schema."""


class SchemaReader(ABC, Generic[T]):
    """What each part of a schema is, for somebody who makes a ``T`` of each."""

    def __init__(self) -> None:
        self.defined: dict[str, CoreSchema] = {}
        self.config: Any = None
        """That of the innermost model that is read."""

    def read(self, schema: CoreSchema) -> T:
        """What is made of a schema. Raises UnprovenError."""
        known, reader = _KINDS.get(schema["type"], (frozenset(), None))
        if reader is None or _options(schema) - known - _HARMLESS:
            raise UnprovenError
        made: T = reader(self, schema)
        return made

    # What is made of what was read.

    @abstractmethod
    def scalar(self, kind: str) -> T:
        """Of ``any``, ``bool``, ``date``, ``datetime``, ``none`` or ``uuid``."""
        ...

    @abstractmethod
    def limited(self, kind: str, limits: Mapping[str, Any]) -> T:
        """Of ``int``, ``float`` or ``str`` with what limits it."""
        ...

    @abstractmethod
    def words(self, values: Sequence[str]) -> T:
        """Of one of some texts."""
        ...

    @abstractmethod
    def array(self, items: CoreSchema, limits: Mapping[str, Any]) -> T:
        """Of a list."""
        ...

    @abstractmethod
    def mapping(self, values: CoreSchema) -> T:
        """Of an object with any keys."""
        ...

    @abstractmethod
    def nullable(self, inner: CoreSchema) -> T:
        """Of something or null."""
        ...

    @abstractmethod
    def union(self, choices: Sequence[CoreSchema]) -> T:
        """Of one of some."""
        ...

    @abstractmethod
    def model(self, fields: Mapping[str, tuple[CoreSchema, bool]], *, forbid: bool, extras: CoreSchema | None) -> T:
        """Of a model: for each key what it holds and whether it has to be there."""
        ...

    @abstractmethod
    def reference(self, name: str) -> T:
        """Of what several places refer to."""
        ...

    # Reading.

    def read_definitions(self, schema: CoreSchema) -> T:
        """Of a schema and those that it refers to. Raises UnprovenError."""
        self.defined |= {part["ref"]: part for part in schema["definitions"]}
        return self.read(schema["schema"])

    def read_model(self, schema: CoreSchema) -> T:
        """Of a model without checks of its own. Raises UnprovenError."""
        config, fields = schema.get("config", {}), schema["schema"]
        plain = fields["type"] == "model-fields" and not _options(fields) - _MODEL_FIELDS
        if _options(config) - _HARMLESS_CONFIG or not plain:
            raise UnprovenError
        forbid = "forbid" in (fields.get("extra_behavior"), config.get("extra_fields_behavior"))
        named = dict(_field(*each) for each in fields["fields"].items())
        if len(named) != len(fields["fields"]):
            raise UnprovenError
        around, self.config = self.config, config
        try:
            return self.model(named, forbid=forbid, extras=fields.get("extras_schema"))
        finally:
            self.config = around

    def read_default(self, schema: CoreSchema) -> T:
        """Of what has a default, in a place where that does not count. Raises UnprovenError."""
        return self.read(_filled(schema))

    def read_enum(self, schema: CoreSchema) -> T:
        """Of an enum of texts. Raises UnprovenError."""
        return self.read_words([member.value for member in schema["members"]])

    def read_words(self, values: Sequence[Any]) -> T:
        """Of one of some values. Raises UnprovenError."""
        if not all(type(value) is str for value in values):
            raise UnprovenError
        return self.words(values)

    def read_mapping(self, schema: CoreSchema) -> T:
        """Of a dict. Raises UnprovenError."""
        keys = schema.get("keys_schema", {"type": "str"})
        if keys["type"] != "str" or _options(keys) - _HARMLESS:
            raise UnprovenError
        return self.mapping(schema.get("values_schema", _ANY))

    def read_moment(self, schema: CoreSchema) -> T:
        """Of a datetime. Raises UnprovenError."""
        if schema.get("microseconds_precision", "truncate") != "truncate":
            raise UnprovenError
        return self.scalar("datetime")


def _field(name: str, field: CoreSchema) -> tuple[str, tuple[CoreSchema, bool]]:
    alias, inner = field.get("validation_alias", name), field["schema"]
    if _options(field) - _FIELD or not isinstance(alias, str):
        raise UnprovenError
    return alias, (_filled(inner), False) if inner["type"] == "default" else (inner, True)


def _filled(schema: CoreSchema) -> CoreSchema:
    """The schema of what has a default, where the default is surely taken."""
    factory = schema.get("default_factory")
    if _options(schema) - _DEFAULT - _HARMLESS or (factory is not None and factory not in _PURE_FACTORIES):
        raise UnprovenError
    inner: CoreSchema = schema["schema"]
    return inner


def _options(schema: CoreSchema) -> set[str]:
    """The keys of a schema that are not switched off."""
    return {key for key, value in schema.items() if value is not None and value is not False}


def _limits(schema: CoreSchema, names: frozenset[str]) -> dict[str, Any]:
    return {name: schema[name] for name in sorted(names) if schema.get(name) is not None}


_ANY: CoreSchema = {"type": "any"}
_BOUNDS = frozenset({"ge", "gt", "le", "lt"})
_LENGTHS = frozenset({"min_length", "max_length"})
_DEFAULT = frozenset({"schema", "default", "default_factory"})

_Read = Callable[[SchemaReader[Any], CoreSchema], Any]


def _scalar(kind: str) -> tuple[frozenset[str], _Read]:
    return frozenset(), lambda reader, _: reader.scalar(kind)


def _limited(kind: str, limits: frozenset[str], more: frozenset[str] = frozenset()) -> tuple[frozenset[str], _Read]:
    return limits | more, lambda reader, schema: reader.limited(kind, _limits(schema, limits))


_KINDS: Mapping[str, tuple[frozenset[str], _Read]] = {
    "any": _scalar("any"),
    "bool": _scalar("bool"),
    "date": _scalar("date"),
    "datetime": (frozenset({"microseconds_precision"}), SchemaReader.read_moment),
    "default": (_DEFAULT, SchemaReader.read_default),
    "definition-ref": (frozenset({"schema_ref"}), lambda reader, schema: reader.reference(schema["schema_ref"])),
    "definitions": (frozenset({"schema", "definitions"}), SchemaReader.read_definitions),
    "dict": (frozenset({"keys_schema", "values_schema"}), SchemaReader.read_mapping),
    "enum": (frozenset({"cls", "members", "sub_type", "missing"}), SchemaReader.read_enum),
    "float": _limited("float", _BOUNDS, frozenset({"allow_inf_nan"})),
    "int": _limited("int", _BOUNDS),
    "list": (
        _LENGTHS | {"items_schema", "fail_fast"},
        lambda reader, schema: reader.array(schema.get("items_schema", _ANY), _limits(schema, _LENGTHS)),
    ),
    "literal": (frozenset({"expected"}), lambda reader, schema: reader.read_words(schema["expected"])),
    "model": (frozenset({"cls", "config", "schema", "generic_origin"}), SchemaReader.read_model),
    "none": _scalar("none"),
    "nullable": (frozenset({"schema"}), lambda reader, schema: reader.nullable(schema["schema"])),
    "str": _limited("str", _LENGTHS),
    "union": (frozenset({"choices", "mode"}), lambda reader, schema: reader.union(schema["choices"])),
    "uuid": _scalar("uuid"),
}
