"""An Avro schema as types: what stands in a value, in order. Each place of a schema has a type object of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "null",
    "boolean",
    "int",
    "long",
    "float",
    "double",
    "bytes",
    "string",
    "fixed",
    "enum",
    "array",
    "map",
    "record",
    "union",
]
Logical = Literal[
    "",
    "decimal",
    "uuid",
    "date",
    "time-millis",
    "time-micros",
    "timestamp-millis",
    "timestamp-micros",
    "timestamp-nanos",
    "local-timestamp-millis",
    "local-timestamp-micros",
    "local-timestamp-nanos",
    "duration",
]

NO_DEFAULT: Any = object()


@dataclass(eq=False, repr=False)
class AvroType:
    """One place of a schema. ``name`` is the full name of a fixed, an enum or a record, else empty.

    ``owner`` is the full name of the record whose field it is, directly or as a branch of a union.
    """

    kind: Kind
    logical: Logical = ""
    name: str = ""
    owner: str = ""
    size: int = 0
    """Of a fixed: its bytes."""
    precision: int = 0
    scale: int = 0
    symbols: tuple[str, ...] = ()
    default_symbol: str | None = None
    branches: tuple[AvroType, ...] = ()
    inner: AvroType | None = None
    """Of an array or a map: its items or values."""
    fields: tuple[Field, ...] = ()
    recursive: bool = False
    """True for a record that may stand inside of itself."""
    empty_values: int = 0
    """How many values stand in it that take no byte."""
    readers: Any = None
    """What opens such a value alone; made when it is first asked for."""

    @property
    def items(self) -> AvroType:
        assert self.inner is not None
        return self.inner

    @property
    def short_name(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def is_container(self) -> bool:
        return self.kind in ("record", "array", "map")

    def parts(self) -> Iterator[AvroType]:
        """The types directly inside."""
        yield from self.branches
        if self.inner is not None:
            yield self.inner
        for part in self.fields:
            yield part.type


@dataclass(eq=False)
class Field:
    """A field of a record; ``default`` is the schema's JSON, or NO_DEFAULT."""

    name: str
    type: AvroType
    default: Any = NO_DEFAULT
    aliases: tuple[str, ...] = ()
