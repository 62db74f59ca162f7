"""A schema as a registry knows it, less its id: the text, what it refers to, and what tells two of them apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from upcasters.errors import ChainError, Problem

SchemaKind = Literal["avro", "json", "protobuf"]


class SchemaError(ChainError):
    """A schema cannot be used; nothing is read or written by it. ``problems`` says why."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__([Problem("schema", message, remedy)])


class Reference(NamedTuple):
    """A schema that another one refers to, by the name that the other uses for it."""

    name: str
    schema: Schema


@dataclass(frozen=True, eq=False)
class Schema:
    """A schema: its ``kind``, its ``text``, and the schemas that it refers to.

    ``message`` is the full name of the message that is meant, where the text declares several (Protobuf only).
    It has no id: the same schema has other ids in other registries.
    """

    kind: SchemaKind
    text: str
    references: tuple[Reference, ...] = ()
    message: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    @cached_property
    def _content(self) -> str:
        """A digest of all that it says. Ways to the same reference may be more than can be counted: each is looked at
        once."""
        references = [[name, schema._content] for name, schema in self.references]  # noqa: SLF001  # of its own class
        return hashlib.sha256(repr([self.kind, self.text, self.message, references]).encode()).hexdigest()

    @cached_property
    def canonical(self) -> str:
        """The text less what makes no difference to data: spacing, the order of attributes, documentation.

        Raises SchemaError where the text is not even JSON and has to be.
        """
        return _CANONICAL[self.kind](self.text)

    @cached_property
    def fingerprint(self) -> str:
        """64 hex digits: the same for schemas of one canonical form that refer to such ones. Raises SchemaError.

        Schemas of Protobuf are compared by what they compile to, or by their texts where they cannot be compiled.
        """
        if self.kind == "protobuf" and (compiled := _compiled_protobuf(self)):
            return hashlib.sha256(compiled.encode()).hexdigest()
        references = [[name, schema.fingerprint] for name, schema in self.references]
        parts = json.dumps([self.kind, self.message, self.canonical, references])
        return hashlib.sha256(parts.encode()).hexdigest()


def _compiled_protobuf(schema: Schema) -> str:
    from upcasters.formats.protobuf.parsing import canonical  # it needs schemas itself

    try:
        return canonical(schema)
    except SchemaError:
        return ""


def _canonical_json(text: str, change: Callable[[Any], Any]) -> str:
    try:
        return json.dumps(change(json.loads(text)), sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        raise SchemaError("the schema is not JSON text", "Register or write the schema as JSON.") from None


def _of_json_schema(text: str) -> str:
    return _canonical_json(text, lambda schema: schema)


def _of_avro(text: str) -> str:
    return _canonical_json(text, _plain_avro)


def _plain_avro(schema: Any) -> Any:
    """The schema with no documentation, and ``{"type": "string"}`` as ``"string"``; a default stays as it is."""
    if isinstance(schema, list):
        return [_plain_avro(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: value for key, value in schema.items() if key != "doc"}
    for key in ("type", "items", "values"):
        if key in made:
            made[key] = _plain_avro(made[key])
    if isinstance(made.get("fields"), list):
        made["fields"] = [_plain_field(field) for field in made["fields"]]
    return made["type"] if made.keys() == {"type"} else made


def _plain_field(field: Any) -> Any:
    if not isinstance(field, dict):
        return field
    made = {key: value for key, value in field.items() if key != "doc"}
    return {**made, "type": _plain_avro(made["type"])} if "type" in made else made


def _of_protobuf(text: str) -> str:
    return "\n".join(filter(None, (" ".join(line.split()) for line in text.splitlines())))


_CANONICAL: Mapping[SchemaKind, Callable[[str], str]] = {
    "avro": _of_avro,
    "json": _of_json_schema,
    "protobuf": _of_protobuf,
}
