"""What can be known of a document before there is one: its shape.

All of it errs on the quiet side: what cannot be told is ``anything()``, and of that nothing is ever reported.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from upcasters.checks.limits import JsonSchemaLimits, types_of
from upcasters.document import ScalarKey, scalar_key

ALL_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
CONTAINERS = frozenset({"object", "array"})


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
    there are none, as far as is declared, unless ``open`` says that nothing is known of them; ``takes_more`` says
    that the model takes them all the same. ``items`` is what an array holds, None if that is not known. No types at
    all: there is no such value. ``told``: the types are known and not only what is left of a guess; of others nothing
    is reported. ``values`` are all single values that there are, as ``scalar_key`` writes them, and ``limits`` what
    JSON Schema says of single values; None if not known.
    """

    types: frozenset[str] = ALL_TYPES
    fields: dict[str, Field] = field(default_factory=dict)
    others: Shape | None = None
    items: Shape | None = None
    open: bool = False
    told: bool = True
    values: frozenset[ScalarKey] | None = None
    limits: Mapping[str, Any] | None = None
    takes_more: bool = False

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
            self.takes_more,
        )

    def become(self, other: Shape) -> None:
        """Be another shape from now on, wherever this one stands."""
        self.types, self.fields, self.others = other.types, other.fields, other.others
        self.items, self.open, self.told = other.items, other.open, other.told
        self.values, self.limits, self.takes_more = other.values, other.limits, other.takes_more

    def get(self, key: str) -> Field | None:
        """The field ``key``, to be changed in place; None where no such field is declared."""
        if key not in self.fields:
            if self.others is not None:
                self.fields[key] = Field(self.others.copy(), Presence.UNKNOWN)
            elif self.open:
                self.fields[key] = Field(any_value(), Presence.UNKNOWN)
        return self.fields.get(key)

    @property
    def impossible(self) -> bool:
        """True where there is no such value: behind a dropped event."""
        return not self.types


def any_value() -> Shape:
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
    return replace(scalar(type_of(value)), values=frozenset({scalar_key(value)}))


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
    joined.takes_more = any(shape.takes_more for shape in objects)
    joined.values = None if one.values is None or other.values is None else one.values | other.values
    joined.limits = _join_limits(one, other)
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


def members(shape: Shape) -> Iterator[Shape]:
    """The shapes that ``*`` means in a shape, to be changed in place."""
    yield from (inner.shape for inner in shape.fields.values())
    if shape.others is not None:
        yield shape.others
    if shape.items is not None:
        yield shape.items


def _join_limits(one: Shape, other: Shape) -> JsonSchemaLimits | None:
    """The limits of what is either of two shapes; None where they are not known of one."""
    if one.limits is None or other.limits is None:
        return None
    return {**_kept(one.limits, other), **_kept(other.limits, one)}


def _kept(limits: JsonSchemaLimits, other: Shape) -> JsonSchemaLimits:
    assert other.limits is not None
    return {
        name: value
        for name, value in limits.items()
        if not other.types & types_of(name) or other.limits.get(name) == value
    }
