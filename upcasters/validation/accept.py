"""A quick yes for events that a pydantic model takes: the model as a msgspec type, where that is sound.

Sound means: what msgspec accepts, pydantic accepts as well (strict, from JSON). The other way round need not
hold: a no is only a reason to ask pydantic.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, Optional, Union

import msgspec
from pydantic import VERSION, BaseModel

from upcasters.validation.schemas import CoreSchema, SchemaReader, UnprovenError

PROVEN = {"pydantic": frozenset({"2.12", "2.13", "2.14"}), "msgspec": frozenset({"0.20", "0.21", "0.22", "0.23"})}
"""The releases with which the tests have shown that it is sound. With another one pydantic itself is asked."""

_Field = tuple[str, Any, bool]  # the key, its type, whether it must be there


def fast_accept(model: type[BaseModel]) -> Callable[[bytes], object] | None:
    """A function that returns for events that ``model`` surely takes and raises for all others.

    It raises msgspec.DecodeError, UnicodeDecodeError or RecursionError, and passes over what the model does
    not declare. None where nothing is proven.
    """
    if not are_proven():
        return None
    model.model_rebuild()
    schema, reader = model.__pydantic_core_schema__, _Types()
    try:
        accept = msgspec.json.Decoder(reader.read(schema)).decode
        extras = _extras(reader, schema)
        return accept if extras is None else _both(accept, msgspec.json.Decoder(extras).decode)
    except (UnprovenError, TypeError, ValueError, OverflowError):
        return None


@cache
def are_proven() -> bool:
    """Whether pydantic and msgspec are installed in releases that the tests have seen."""
    installed = {"pydantic": VERSION, "msgspec": msgspec.__version__}
    return all(".".join(installed[name].split(".")[:2]) in proven for name, proven in PROVEN.items())


def _both(one: Callable[[bytes], object], other: Callable[[bytes], object]) -> Callable[[bytes], object]:
    def accept(data: bytes) -> object:
        one(data)
        return other(data)

    return accept


class _Types(SchemaReader[Any]):
    """Core schemas as msgspec types; models that several places refer to become one."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, Any] = {}

    def reference(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = None
            self._known[name] = self.read(self.defined[name])
        if self._known[name] is None:  # a model that holds itself
            raise UnprovenError
        return self._known[name]

    def model(self, fields: Mapping[str, tuple[CoreSchema, bool]], *, forbid: bool, extras: CoreSchema | None) -> Any:
        return _struct([(name, self.read(inner), needed) for name, (inner, needed) in fields.items()], forbid=forbid)

    def nullable(self, inner: CoreSchema) -> Any:
        kind = self.read(inner)
        return kind if kind is msgspec.Raw else Optional[kind]  # noqa: UP045  # a type made at run time

    def union(self, choices: Sequence[CoreSchema]) -> Any:
        kinds = tuple(self.read(choice) for choice in choices)
        return msgspec.Raw if msgspec.Raw in kinds else Union[kinds]  # noqa: UP007  # as above

    def words(self, values: Sequence[str]) -> Any:
        return Literal[tuple(values)]

    def array(self, items: CoreSchema, limits: Mapping[str, Any]) -> Any:
        return _with(list[self.read(items)], limits)  # type: ignore[misc]  # a type made while running

    def mapping(self, values: CoreSchema) -> Any:
        return dict[str, self.read(values)]  # type: ignore[misc]  # a type made while running

    def limited(self, kind: str, limits: Mapping[str, Any]) -> Any:
        return _with({"float": float, "int": int, "str": str}[kind], limits)

    def scalar(self, kind: str) -> Any:
        return SCALARS[kind]


def _struct(fields: list[_Field], *, forbid: bool = False) -> Any:
    names = {f"field_{index}": name for index, (name, _, _) in enumerate(fields)}
    listed = [
        (attribute, kind) if required else (attribute, kind, msgspec.UNSET)
        for attribute, (_, kind, required) in zip(names, fields, strict=True)
    ]
    return msgspec.defstruct("Accepted", listed, rename=names, forbid_unknown_fields=forbid, kw_only=True, gc=False)


def _extras(reader: _Types, schema: CoreSchema) -> Any:
    """A type that checks the typed extras of models which ``reader`` has read; None where there are none."""
    kind = schema["type"]
    if kind == "definition-ref":
        return _extras(reader, reader.defined[schema["schema_ref"]])
    if kind == "model":
        return _extras_of_model(reader, schema["schema"])
    if kind == "union" and any(_extras(reader, choice) is not None for choice in schema["choices"]):
        raise UnprovenError
    inner = schema.get(_INNER.get(kind, ""))
    inside = None if inner is None else _extras(reader, inner)
    if inside is None:
        return None
    wrapped = {"list": list[inside], "dict": dict[str, inside], "nullable": Optional[inside]}  # type: ignore[valid-type]  # noqa: UP045  # a type made while running
    return wrapped.get(kind, inside)


def _extras_of_model(reader: _Types, fields: CoreSchema) -> Any:
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
        raise UnprovenError
    return dict[str, extra]  # type: ignore[valid-type]  # a type made while running


_INNER = {
    "default": "schema",
    "definitions": "schema",
    "dict": "values_schema",
    "list": "items_schema",
    "nullable": "schema",
}
SCALARS: Mapping[str, Any] = {
    "any": msgspec.Raw,
    "bool": bool,
    "date": dt.date,
    "datetime": dt.datetime,
    "none": None,
    "uuid": uuid.UUID,
}


def _with(kind: Any, limits: Mapping[str, Any]) -> Any:
    return Annotated[kind, msgspec.Meta(**limits)] if limits else kind
