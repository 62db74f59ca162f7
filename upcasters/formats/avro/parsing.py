"""A schema's text and what it refers to, as types. fastavro parses it and resolves names, namespaces and references."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, get_args

from upcasters.formats.avro.types import NO_DEFAULT, AvroType, Field, Logical
from upcasters.formats.schema import Schema, SchemaError

_PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")

# A schema may nest so many types in each other and hold so many; what is generated for it grows with both.
MOST_NESTED = 60
# What was parsed last: a schema is asked for its shape and then read, and it is the target's, too.
_KEPT = 64
MOST_TYPES = 20_000
MOST_FIXED_BYTES = 1_000_000
MOST_DIGITS = 4_000
MOST_EMPTY_VALUES = 1_000

_BASES: Mapping[str, tuple[str, ...]] = {
    "decimal": ("bytes", "fixed"),
    "uuid": ("string", "fixed"),
    "date": ("int",),
    "time-millis": ("int",),
    "duration": ("fixed",),
}
_SIZES = {"uuid": 16, "duration": 12}


@lru_cache(maxsize=_KEPT)
def avro_type(schema: Schema) -> AvroType:
    """The type that an Avro schema declares. Raises SchemaError, however hostile its text is."""
    parse = _parser()
    named: dict[str, Any] = {}
    try:
        for reference in _references(schema, set()):
            parse(_unwrapped(json.loads(reference.text)), named, _ignore_default_error=True)
        top = parse(_unwrapped(json.loads(schema.text)), named, _ignore_default_error=True)
        made = _Builder(named).build(top, 0)
    except SchemaError:
        raise
    except RecursionError:
        raise _too_deep() from None
    except Exception as error:  # noqa: BLE001  # fastavro and json raise whatever the text leads them to
        raise SchemaError(f"the Avro schema cannot be parsed ({_said(error)})", _MEND) from None
    _count_empty_values(made)
    return made


_MEND = "Mend the schema, or name the schemas that it refers to."


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def _too_deep() -> SchemaError:
    return SchemaError(f"the Avro schema nests types deeper than {MOST_NESTED} levels", "Give its records names.")


def _parser() -> Callable[..., Any]:
    try:
        from fastavro.schema import parse_schema
    except ImportError:
        raise SchemaError("Avro needs the extra `avro`", "pip install 'upcast-engine[avro]'") from None
    return parse_schema


def _references(schema: Schema, seen: set[str]) -> Iterator[Schema]:
    """What a schema refers to, each after what it refers to itself, and once."""
    for _, inner in schema.references:
        if inner.kind != "avro":
            raise SchemaError(f"an Avro schema refers to a schema of kind {inner.kind}", _MEND)
        if inner.fingerprint not in seen:
            seen.add(inner.fingerprint)
            yield from _references(inner, seen)
            yield inner


def _unwrapped(schema: Any) -> Any:
    """The schema with ``{"type": {…}}`` as what stands inside, which fastavro does not take apart."""
    if isinstance(schema, list):
        return [_unwrapped(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("type"), (dict, list)):
        return _unwrapped(schema["type"])
    made = {**schema, **{key: _unwrapped(schema[key]) for key in ("items", "values") if key in schema}}
    if made.get("logicalType") == "decimal" and not _is_decimal(made):
        del made["logicalType"]
    if isinstance(made.get("fields"), list):
        made["fields"] = [{**one, "type": _unwrapped(one["type"])} for one in made["fields"]]
    return made


def _is_decimal(schema: Mapping[str, Any]) -> bool:
    """Whether digits and size of a decimal fit each other. Where they do not it is what it stands on, as Avro says."""
    precision, scale = schema.get("precision"), schema.get("scale", 0)
    if type(precision) is not int or type(scale) is not int:
        return False
    if not 0 < precision <= MOST_DIGITS or not 0 <= scale <= precision:
        return False
    size = schema.get("size")
    if schema.get("type") != "fixed" or type(size) is not int or size > MOST_DIGITS:
        return True
    return bool(10**precision <= 1 << max(8 * size - 1, 0))


class _Builder:
    """Types out of what fastavro gives; a record is one object wherever its name stands."""

    def __init__(self, named: Mapping[str, Any]) -> None:
        self._named = named
        self._records: dict[str, AvroType] = {}
        self._open: set[str] = set()
        self._types = 0

    def build(self, schema: Any, depth: int, owner: str = "") -> AvroType:
        """The type of one place. Raises SchemaError where there are too many, or too deep ones."""
        self._types += 1
        if self._types > MOST_TYPES:
            raise SchemaError(f"the Avro schema has more than {MOST_TYPES} types", "Use a smaller schema.")
        if depth > MOST_NESTED:
            raise _too_deep()
        if isinstance(schema, list):
            return self._union(schema, depth, owner)
        if isinstance(schema, str):
            schema = {"type": schema} if schema in _PRIMITIVES else self._named[schema]
        return (
            self._record(schema, depth) if schema["type"] in ("record", "error") else self._other(schema, depth, owner)
        )

    def _other(self, schema: Any, depth: int, owner: str) -> AvroType:
        kind = schema["type"]
        made = AvroType(kind, owner=owner, name=schema["name"] if kind in ("enum", "fixed") else "")
        if kind in ("array", "map"):
            made.inner = self.build(schema["items" if kind == "array" else "values"], depth + 1)
        elif kind == "enum":
            made.symbols, made.default_symbol = tuple(map(str, schema["symbols"])), schema.get("default")
        elif kind == "fixed":
            made.size = _size(schema)
        _add_logical(made, schema)
        return made

    def _union(self, schema: list[Any], depth: int, owner: str) -> AvroType:
        branches = tuple(self.build(branch, depth + 1, owner) for branch in schema)
        told = [(branch.kind, branch.name) for branch in branches]
        if not branches or len(set(told)) != len(told) or any(branch.kind == "union" for branch in branches):
            raise SchemaError("a union is empty, holds a union, or has a branch twice", _MEND)
        return AvroType("union", owner=owner, branches=branches)

    def _record(self, schema: Any, depth: int) -> AvroType:
        name = schema["name"]
        made = self._records.get(name)
        if made is not None:
            made.recursive = made.recursive or name in self._open
            return made
        made = self._records[name] = AvroType("record", name=name)
        self._open.add(name)
        made.fields = tuple(self._field(one, depth, name) for one in schema["fields"])
        self._open.discard(name)
        names = [one.name for one in made.fields]
        if len(set(names)) != len(names):
            raise SchemaError(f"record {name} has a field twice", _MEND)
        _keep_clear_aliases(made.fields)
        return made

    def _field(self, schema: Any, depth: int, owner: str) -> Field:
        kind = self.build(schema["type"], depth + 1, owner)
        return Field(schema["name"], kind, schema.get("default", NO_DEFAULT), tuple(schema.get("aliases", ())))


def _keep_clear_aliases(fields: tuple[Field, ...]) -> None:
    """An alias that another field has, too, as its name or alias, says of no value whose it is."""
    claimed = Counter(name for one in fields for name in {one.name, *one.aliases})
    for one in fields:
        one.aliases = tuple(alias for alias in one.aliases if claimed[alias] == 1)


def _size(schema: Any) -> int:
    size = schema["size"]
    if type(size) is not int or not 0 <= size <= MOST_FIXED_BYTES:
        raise SchemaError(f"a fixed has {size!r} bytes", f"Use 0 to {MOST_FIXED_BYTES}.")
    return size


def _add_logical(made: AvroType, schema: Any) -> None:
    """The logical type, where it fits what it stands on; another one is ignored, as Avro says."""
    logical = schema.get("logicalType")
    if not isinstance(logical, str) or logical not in get_args(Logical):
        return
    if made.kind not in _BASES.get(logical, ("long",)):
        return
    if made.kind == "fixed" and made.size != _SIZES.get(logical, made.size):
        return
    if logical == "decimal":
        made.precision, made.scale = schema["precision"], schema.get("scale", 0)
    made.logical = logical  # type: ignore[assignment]  # one of them


def _count_empty_values(top: AvroType) -> None:
    """Work out for each type how many values in it take no byte: a record of a hundred nulls takes none."""
    seen: set[int] = set()

    def count(one: AvroType) -> int:
        if id(one) in seen:
            return one.empty_values
        seen.add(id(one))
        inside = [count(part) for part in one.parts()]
        if one.kind == "record":
            one.empty_values = 1 + sum(inside)
        elif one.kind == "null" or (one.kind == "fixed" and not one.size):
            one.empty_values = 1
        if one.empty_values > MOST_EMPTY_VALUES:
            raise SchemaError(f"an Avro record has more than {MOST_EMPTY_VALUES} values that take no byte", _MEND)
        return one.empty_values

    count(top)
