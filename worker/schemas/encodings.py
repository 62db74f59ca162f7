"""Schemas of a registry as the engine takes them, and how the values of a source are written."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count, takewhile

from upcasters.formats import Encoding, Reference, Schema, SchemaKind
from upcasters.formats.protobuf import message_at
from upcasters.step import VersionKey
from worker.schemas.frames import Mark, NotFramedError
from worker.schemas.known import AVRO, JSON, PROTOBUF, KnownSchema
from worker.schemas.messages import Message, Which
from worker.settings.schemas import FormatName

KIND_OF: Mapping[FormatName, str] = {"avro": AVRO, "json": JSON, "protobuf": PROTOBUF}
"""The kind of schema that values of a format have."""
_ENGINES: Mapping[str, SchemaKind] = {AVRO: "avro", JSON: "json"}


def engine_schema(known: KnownSchema, message: str = "") -> Schema:
    """With all that it refers to; ``message`` is the one that is meant where it declares several (Protobuf). KeyError
    for a kind that the engine has no format for."""
    if known.kind == PROTOBUF:
        # Side by side, since names are those of files: each may be imported in many ways.
        files = tuple(Reference(name, Schema("protobuf", each.text)) for name, each in sorted(known.used.items()))
        return Schema("protobuf", known.text, files, message)
    return _schema(known, known.used, {})


def unregistered(schema: Schema) -> KnownSchema:
    """A schema of our own as if a registry knew it, with the files that it imports."""
    kind = KIND_OF[schema.kind]
    used = {name: KnownSchema(kind, inner.text, 0) for name, inner in schema.references}
    return KnownSchema(kind, schema.text, 0, used=used)


def message_named(known: KnownSchema, which: Which) -> str:
    """The full name of a message of a schema of Protobuf. Raises NotFramedError where there is none such, and
    SchemaError."""
    schema = engine_schema(known)
    if isinstance(which, str):
        outermost = takewhile(bool, (message_at(schema, (number,)) for number in count()))
        found = next((name for name in outermost if name and Message(name, ()).own_name == which), None)
    else:
        found = message_at(schema, which)
    if found is None:
        raise NotFramedError("the schema has no message at the place, or of the name, that stands behind its id")
    return found


def _schema(known: KnownSchema, used: Mapping[str, KnownSchema], made: dict[str, Schema | None]) -> Schema:
    """``made`` are those of references, each made once however many ways lead to it. A name that is not there, or leads
    back to itself, is left out: whoever parses the schema misses it."""
    inner = []
    for name in (each.name for each in known.references if each.name in used):
        if name not in made:
            made[name] = None  # as long as it is being made
            made[name] = _schema(used[name], used, made)
        if schema := made[name]:
            inner.append(Reference(name, schema))
    return Schema(_ENGINES[known.kind], known.text, tuple(inner))


def source_encoding(known: KnownSchema | None, mark: Mark, version: VersionKey | None, message: str = "") -> Encoding:
    """How values stand behind a mark. ``known`` is None where they are bare; ``version`` is theirs, if known."""
    schema = engine_schema(known, message) if known else None
    if isinstance(mark, bytes):
        return Encoding(schema, mark, (), version)
    return Encoding(schema, b"", (mark,), version)
