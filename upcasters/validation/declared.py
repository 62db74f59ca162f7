"""What a pydantic model declares of a document: to leave out the rest, and to name places without values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from upcasters.document import JsonNode, json_type, open_array, open_object
from upcasters.errors import EventError
from upcasters.paths import EACH, Item, Path, Place, Segment, of_any_item
from upcasters.traversal import container_at

CoreSchema = Mapping[str, Any]


@dataclass(frozen=True)
class _Part:
    """What one alternative of a schema declares: keys of its own, ``each`` item or other key, or neither."""

    names: Mapping[str, CoreSchema] = field(default_factory=dict)
    each: CoreSchema | None = None
    forbids: bool = False
    anything: bool = False
    opaque: bool = False

    def child(self, key: str | int) -> CoreSchema | None:
        """The schema of what stands under a key or index; None where that is not declared."""
        return self.names.get(key, self.each) if isinstance(key, str) else self.each


class Declared:
    """What ``model`` declares."""

    def __init__(self, model: type[BaseModel]) -> None:
        model.model_rebuild()
        top: CoreSchema = model.__pydantic_core_schema__
        self._definitions: dict[str, CoreSchema] = {part["ref"]: part for part in top.get("definitions", ())}
        self._top: tuple[CoreSchema, ...] = (top,)

    def only(self, root: JsonNode) -> JsonNode:
        """``root`` less what is not declared; what a model forbids stays, as null, and is refused still."""
        return self._only(root, self._top)

    def _only(self, node: JsonNode, schemas: tuple[CoreSchema, ...]) -> JsonNode:
        parts = list(self._parts(schemas))
        if any(part.anything for part in parts):
            return None
        kind = json_type(node)
        if any(part.opaque for part in parts) or kind not in ("object", "array"):
            return node
        if kind == "array":
            inside = tuple(part.each for part in parts if part.each is not None)
            return [self._only(item, inside) for item in open_array(node)] if inside else node
        return self._only_fields(node, parts)

    def _only_fields(self, node: JsonNode, parts: list[_Part]) -> JsonNode:
        forbidden = any(part.forbids for part in parts)
        kept = {}
        for key, child in open_object(node).items():
            inside = _children(parts, key)
            if inside:
                kept[key] = self._only(child, inside)
            elif forbidden:
                kept[key] = None
        return kept

    def names(self) -> frozenset[str]:
        """All names of fields, wherever they stand."""
        return frozenset(_names_in((self._top, self._definitions)))

    def path(self, location: Iterable[str | int]) -> Path:
        """pydantic's ``loc`` as a path; indexes and keys that only the event knows are ``EACH``."""
        return of_any_item(self.place(location))

    def place(self, location: Iterable[str | int], document: JsonNode = None) -> Place:
        """pydantic's ``loc`` as a place. Indexes, and keys that only the event knows, are positions in ``document``."""
        path: list[Segment | Item] = []
        schemas = self._top
        for part in location:
            choices = tuple(choice for schema in schemas for choice in self._choices(schema))
            if choices:  # the part is pydantic's label of a choice and no key
                schemas = choices
                continue
            parts = list(self._parts(schemas))
            schemas = _children(parts, part)
            if not schemas:
                return (*path, str(part)) if any(own.forbids for own in parts) else tuple(path)
            path.append(str(part) if any(part in own.names for own in parts) else _item(part, path, document))
        return tuple(path)

    def _choices(self, schema: CoreSchema) -> tuple[CoreSchema, ...]:
        kind = schema["type"]
        if kind == "union":
            return tuple(choice[0] if isinstance(choice, tuple) else choice for choice in schema["choices"])
        if kind == "tagged-union":
            return tuple(schema["choices"].values())
        inner = self._inner(schema)
        return () if inner is None else self._choices(inner)

    def _inner(self, schema: CoreSchema) -> CoreSchema | None:
        """The schema that one is only a wrapping of, or None."""
        kind = schema["type"]
        if kind == "definition-ref":
            return self._definitions[schema["schema_ref"]]
        inner: CoreSchema | None = None if kind == "json" else schema.get(_INNER.get(kind, "schema"))
        return inner

    def _parts(self, schemas: Iterable[CoreSchema], extra: str | None = None) -> Iterator[_Part]:
        for schema in schemas:
            choices = self._choices(schema)
            inner = self._inner(schema)
            if choices:
                yield from self._parts(choices, extra)
            elif inner is not None:
                own = schema.get("config", {}).get("extra_fields_behavior")
                yield from self._parts((inner,), own if schema["type"] == "model" else extra)
            else:
                yield _part(schema, extra)


def _item(part: str | int, at: Sequence[Segment | Item], document: JsonNode) -> Segment | Item:
    """The position of an index or key in what stands at ``at``."""
    if isinstance(part, int):
        return Item(part)
    try:
        return Item(list(container_at(open_object(document), tuple(at))).index(part))
    except (EventError, LookupError, ValueError):
        return EACH


_INNER = {"lax-or-strict": "strict_schema", "json-or-python": "json_schema"}
_EACH = {
    "dict": "values_schema",
    "list": "items_schema",
    "set": "items_schema",
    "frozenset": "items_schema",
    "generator": "items_schema",
}
_ANY: CoreSchema = {"type": "any"}
_SCALARS = frozenset(
    {
        *(
            "bool",
            "bytes",
            "complex",
            "date",
            "datetime",
            "decimal",
            "enum",
            "float",
            "int",
            "json",
            "literal",
        ),
        *("multi-host-url", "none", "str", "time", "timedelta", "url", "uuid"),
    }
)


def _part(schema: CoreSchema, extra: str | None) -> _Part:
    kind = schema["type"]
    if kind in ("model-fields", "typed-dict"):
        fields = schema["fields"].items()
        names = {key: inside for name, one in fields for key, inside in _spellings(name, one)}
        forbids = (schema.get("extra_behavior") or extra) == "forbid"
        return _Part(names, schema.get("extras_schema"), forbids)
    if kind in _EACH:
        return _Part(each=schema.get(_EACH[kind], _ANY))
    return _Part(anything=kind == "any", opaque=kind != "any" and kind not in _SCALARS)


def _names_in(schema: Any) -> Iterator[str]:
    if isinstance(schema, (list, tuple)):
        for part in schema:
            yield from _names_in(part)
    elif isinstance(schema, Mapping):
        if schema.get("type") in ("model-fields", "typed-dict"):
            yield from _part(schema, None).names
        for part in schema.values():
            yield from _names_in(part)


def _spellings(name: str, one: CoreSchema) -> Iterator[tuple[str, CoreSchema]]:
    """Every key under which a field may stand, with what it holds there."""
    yield name, one["schema"]
    alias = one.get("validation_alias")
    if isinstance(alias, str):
        yield alias, one["schema"]
    elif alias:
        for path in [alias] if isinstance(alias[0], str) else alias:
            yield path[0], one["schema"] if len(path) == 1 else {"type": "function-plain"}


def _children(parts: Iterable[_Part], key: str | int) -> tuple[CoreSchema, ...]:
    return tuple(inside for part in parts if (inside := part.child(key)) is not None)
