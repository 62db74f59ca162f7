"""The same quick yes by the native extension: what of a model is plain to see in JSON, and whom it asks for the rest.

Unlike a msgspec type it need not know all of a model. A field of which nothing is proven is asked of pydantic alone,
where its verdict depends on nothing else in the event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.json import Decoder
from pydantic import BaseModel
from pydantic_core import SchemaError

from upcasters.document import encode
from upcasters.native.extension import EXTENSION
from upcasters.validation.accept import SCALARS, are_proven
from upcasters.validation.bounded import bounded
from upcasters.validation.schemas import CoreSchema, SchemaReader, UnprovenError

MOST_SHAPES = 4_096
MOST_FIELDS = 128
_LEAST, _MOST = -(2**63), 2**63 - 1
Ask = Callable[[bytes], object]


def shape_of(model: type[BaseModel]) -> Any:
    """The extension's shape of a model. None where it would know nothing, where there is no extension, and where
    pydantic is of a release that nobody has tried.
    """
    if EXTENSION is None or not are_proven():
        return None
    model.model_rebuild()
    reader = _Shapes()
    try:
        root = reader.read(model.__pydantic_core_schema__)
    except UnprovenError:
        return None
    return None if reader.shapes[root][0] == "ask" else EXTENSION.Shape(reader.shapes, root)


class _Shapes(SchemaReader[int]):
    """Core schemas as the extension's shapes, by their numbers in ``shapes``."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[Any, ...]] = []
        self._references: dict[str, int] = {}

    def read(self, schema: CoreSchema) -> int:
        try:
            return super().read(schema)
        except UnprovenError:
            return self._add("ask", self._pydantic(schema))

    def _add(self, *shape: Any) -> int:
        if len(self.shapes) >= MOST_SHAPES:
            raise UnprovenError
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def _pydantic(self, schema: CoreSchema) -> Ask:
        """Asks pydantic of one value. Raises UnprovenError where its verdict depends on what is around it."""
        if any(_looks_around(part) for part in self._parts(schema, set())):
            raise UnprovenError
        whole: Any = {"type": "definitions", "schema": schema, "definitions": list(self.defined.values())}
        try:
            validator = bounded(whole if self.defined else schema, self.config)
        except SchemaError:
            raise UnprovenError from None
        return partial(validator.validate_json, strict=True)

    def _parts(self, schema: Any, seen: set[str]) -> Iterator[CoreSchema]:
        """The parts of a schema that see the same fields around them: what is inside of a model sees the model's."""
        if isinstance(schema, (list, tuple)):
            for part in schema:
                yield from self._parts(part, seen)
        elif isinstance(schema, dict):
            yield schema
            name = schema.get("schema_ref")
            if name is not None and name not in seen:
                seen.add(name)
                yield from self._parts(self.defined[name], seen)
            if schema.get("type") not in _HAVE_FIELDS:
                yield from self._parts(list(schema.values()), seen)

    def reference(self, name: str) -> int:
        if name not in self._references:
            # Until it is known nothing fits it.
            number = self._references[name] = self._add("words", [])
            around, self.config = self.config, None
            try:
                self.shapes[number] = self.shapes[self.read(self.defined[name])]
            finally:
                self.config = around
        return self._references[name]

    def model(self, fields: Mapping[str, tuple[CoreSchema, bool]], *, forbid: bool, extras: CoreSchema | None) -> int:
        if len(fields) > MOST_FIELDS:
            raise UnprovenError
        named = [(encode(key) + b":", self.read(inner), needed) for key, (inner, needed) in fields.items()]
        return self._add("object", named, None if extras is None else self.read(extras), forbid)

    def nullable(self, inner: CoreSchema) -> int:
        return self._add("either", [self.scalar("none"), self.read(inner)])

    def union(self, choices: Sequence[Any]) -> int:
        return self._add("either", [self.read(choice) for choice in choices])

    def words(self, values: Sequence[str]) -> int:
        return self._add("words", [encode(value) for value in values])

    def array(self, items: CoreSchema, limits: Mapping[str, Any]) -> int:
        return self._add("list", self.read(items), limits.get("min_length"), limits.get("max_length"))

    def mapping(self, values: CoreSchema) -> int:
        return self._add("map", self.read(values))

    def limited(self, kind: str, limits: Mapping[str, Any]) -> int:
        if kind == "str":
            return self._add("text", limits.get("min_length"), limits.get("max_length"))
        if kind == "float":
            if limits:
                raise UnprovenError
            return self._add("number")
        return self._add("whole", *_bounds(**limits))

    def scalar(self, kind: str) -> int:
        own = {"any": "any", "bool": "bool", "none": "null"}.get(kind)
        return self._add("ask", Decoder(SCALARS[kind]).decode) if own is None else self._add(own)


# What these hold is judged beside their own fields, not beside those around them.
_HAVE_FIELDS = frozenset({"model", "typed-dict", "dataclass"})


def _looks_around(schema: CoreSchema) -> bool:
    return schema.get("type") == "with-info" or bool(schema.get("default_factory_takes_data"))


def _bounds(ge: int = _LEAST, gt: int = _LEAST - 1, le: int = _MOST, lt: int = _MOST + 1) -> tuple[int, int]:
    """The least and the most that an integer may be."""
    least, most = max(ge, gt + 1), min(le, lt - 1)
    if not all(type(bound) is int and _LEAST <= bound <= _MOST for bound in (least, most)):
        raise UnprovenError
    return least, most
