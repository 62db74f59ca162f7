"""The schemas by which results are written: found or registered at the start, one for each version that a route's
events can end in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydantic import BaseModel

from upcasters import Chain
from upcasters.describe import fields_of_schema
from upcasters.errors import Irreversible
from upcasters.event import Header
from upcasters.formats import Schema
from upcasters.formats.avro.parsing import avro_type
from upcasters.formats.avro.types import NO_DEFAULT
from upcasters.formats.protobuf import indexes_of
from upcasters.loading import imports_of
from upcasters.step import VersionKey
from worker.errors import WorkerError
from worker.schemas.encodings import KIND_OF, engine_schema, message_named, unregistered
from worker.schemas.frames import Frame
from worker.schemas.known import AVRO, JSON, PROTOBUF, KnownSchema
from worker.schemas.messages import REF, Message
from worker.schemas.registry import Registry
from worker.schemas.subjects import Subjects, Wanted, asked, text_of, why_unread
from worker.settings import RouteSettings

log = structlog.get_logger(__name__)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""What pydantic writes. Some registries know JSON Schema by nothing else."""


@dataclass(frozen=True)
class Target:
    """How results of one version are written: the bytes before them, the headers beside them."""

    schema: KnownSchema
    prefix: bytes
    headers: tuple[Header, ...]
    message: str = ""
    """Which message of the schema they are, where it is one of Protobuf."""


NOTHING = Target(KnownSchema(JSON, "", 0), b"", ())
"""For a destination whose values are bare."""

Targets = Mapping[str, Mapping[str, Target]]
"""By the type that an event begins with, and the version that it ends in."""


class TargetSchemas:
    """For one route."""

    def __init__(self, route: RouteSettings, chain: Chain, registry: Registry, frame: Frame) -> None:
        self._route = route
        self._chain = chain
        self._registry = registry
        self._frame = frame
        self._subjects = Subjects(registry, register=route.writes.register_)

    def _wanted(self, subject: str, node: VersionKey) -> Wanted:
        of = f"version {node[1]}"
        return Wanted(subject, of, f"results of {of}", "writes", self._route.writes.format)

    async def find(self) -> Mapping[VersionKey, Target]:
        """One for each version that events end in. Raises WorkerError where one is not there, or the registry does not
        take it; RegistryError."""
        return {end: self._target(end, await self._schema(end)) for end in self._ends()}

    async def to_show(self) -> Mapping[VersionKey, Target]:
        """The same for whoever writes nothing: what a start would register has no id. Raises as ``find``."""
        found = {}
        for end in self._ends():
            own = await self._own(end)
            wanted = self._wanted(self._subject(end, None), end)
            found[end] = self._target(end, unregistered(own) if own else await self._subjects.newest(wanted))
        return found

    async def look(self) -> list[str]:
        """What a start would find, without registering anything: what may go wrong, in words. Raises as ``find``."""
        doubts = []
        for node in self._ends():
            own = await self._own(node)
            subject = self._subject(node, own)
            if own is None or not self._route.writes.register_:
                schema = await self._subjects.schema(self._wanted(subject, node), own)
            else:
                schema = unregistered(own)
                question = asked(self._kind, own.text)  # what it imports may have no version yet
                if not own.references and await self._registry.is_compatible(subject, question) is False:
                    doubts.append(f"{subject}: readers of the schema before may not take that of version {node[1]}")
            doubts += [f"{subject}: {line} (version {node[1]})" for line in self._disagreements(schema, node)]
        return doubts

    def _ends(self) -> dict[VersionKey, None]:
        return dict.fromkeys(end for _, end in ends_of(self._route, self._chain))

    def _target(self, node: VersionKey, schema: KnownSchema) -> Target:
        message = self._message(node, schema)
        frame, own = self._frame, schema.schema_id
        if message and frame.behind is REF and len(message.indexes) > 1:
            raise WorkerError(
                f"writes.frame: {self._route.writes.frame} has the name of a message alone, and {message.name} stands "
                "inside of another one: choose the frame confluent, or a message of its own",
                code="UPC2202",
            )
        try:
            name = message.name if message else ""
            return Target(schema, frame.prefix(own, message), frame.header(own, message), name)
        except OverflowError:
            raise WorkerError(
                f"writes.frame: {self._route.writes.frame} has no room for the id {schema.number}: "
                "choose another frame",
                code="UPC2202",
            ) from None

    def _message(self, node: VersionKey, schema: KnownSchema) -> Message | None:
        """The message that results of a version are: the one of the schema beside its step, else the first one; none
        but in Protobuf. Raises SchemaError where the schema has no such message."""
        if self._kind != PROTOBUF:
            return None
        beside = self._chain.versions[node].schema
        name = beside.message if beside is not None and beside.kind == "protobuf" else ""
        indexes = indexes_of(engine_schema(schema), name)
        return Message(message_named(schema, indexes), indexes)

    async def _schema(self, node: VersionKey) -> KnownSchema:
        own = await self._own(node)
        subject = self._subject(node, own)
        schema = await self._subjects.schema(self._wanted(subject, node), own)
        for line in self._disagreements(schema, node):
            log.warning("the schema and the model of a version differ", subject=subject, version=node[1], found=line)
        log.info("results are written by a schema", subject=subject, version=node[1], schema=str(schema))
        return schema

    async def _own(self, node: VersionKey) -> Schema | None:
        """The schema that the route brings along; None where that of the subject is taken as it is."""
        writes = self._route.writes
        path = writes.schemas.get(f"{node[0]}/{node[1]}") or writes.schemas.get(node[1])
        if path:
            return await asyncio.to_thread(self._of_file, path)
        beside = self._chain.versions[node].schema
        if beside is not None and beside.kind == writes.format and self._can_be_asked_for(beside):
            return beside
        if not writes.register_:
            return None
        model = self._chain.versions[node].model
        if self._kind != JSON:
            raise WorkerError(
                f"{self._route.source}: version {node[1]} has no schema to register: name a file in writes.schemas",
                code="UPC2206",
            )
        if model is None:
            raise WorkerError(
                f"{self._route.source}: version {node[1]} has no model to register a schema of: name a file in "
                "writes.schemas",
                code="UPC2206",
            )
        return Schema("json", schema_of(model))

    def _can_be_asked_for(self, beside: Schema) -> bool:
        """Where what it imports is registered only its user knows, unless that is done here."""
        return not beside.references or (self._route.writes.register_ and _has_texts(beside))

    def _of_file(self, path: Path) -> Schema:
        text = text_of(path, "writes.schemas", self._kind)
        kind = self._route.writes.format
        try:
            return Schema(kind, text, imports_of(path.parent, text) if kind == "protobuf" else ())
        except (OSError, UnicodeDecodeError) as error:
            raise WorkerError(
                f"writes.schemas: a file that {path} imports cannot be read: {why_unread(error)}", code="UPC2206"
            ) from None

    def _subject(self, node: VersionKey, own: Schema | None) -> str:
        writes, topic = self._route.writes, self._route.destination
        if writes.subject == "topic":
            return f"{topic}-value"
        name = (_record_name(own) if own else None) or node[0]
        return name if writes.subject == "record" else f"{topic}-{name}"

    @property
    def _kind(self) -> str:
        return KIND_OF[self._route.writes.format]

    def _disagreements(self, schema: KnownSchema, node: VersionKey) -> Iterator[str]:
        known = self._chain.versions[node]
        if known.model is not None:
            return _DISAGREEMENTS[schema.kind](schema, known.model)
        if known.schema is None or known.schema.kind != self._route.writes.format:
            return iter(())
        message = self._message(node, schema)
        return _of_schemas(engine_schema(schema, message.name if message else ""), known.schema)


def ends_of(route: RouteSettings, chain: Chain) -> Iterator[tuple[str, VersionKey]]:
    """Each type with the type and version that its events end in. Raises WorkerError where events decide that, and
    their values are written as they come."""
    chosen = route.policy().target
    for node in chain.versions:
        with suppress(Irreversible):
            hops = chain.path(node, chosen)
            if not any(hop.forks for hop in hops):
                yield node[0], hops[-1].target if hops else node
            elif not route.by_schema:
                raise WorkerError(
                    f"{route.source}: the chain splits events or lets them decide their type (step {hops[-1].id}), and "
                    "by which schema each part is written cannot be told: set writes.frame: none",
                    code="UPC2201",
                )


def by_start(ends: Iterable[tuple[str, VersionKey]], found: Mapping[VersionKey, Target]) -> Targets:
    """The same by the type that events begin with, and the version that they end in."""
    targets: dict[str, dict[str, Target]] = {}
    for start, end in ends:
        targets.setdefault(start, {})[end[1]] = found[end]
    return targets


def _has_texts(schema: Schema) -> bool:
    """Whether a schema of Protobuf and all that it imports are texts, whose imports can be told; not compiled files."""
    return schema.kind == "protobuf" and all("{" in each.text for each in (schema, *dict(schema.references).values()))


def _record_name(own: Schema) -> str | None:
    """As the serialisers have it for their subjects."""
    if own.kind == "protobuf":
        return own.message or message_named(unregistered(own), (0,))
    schema = json.loads(own.text)
    if not isinstance(schema, dict):
        return None
    if own.kind == "json":
        return schema.get("title")
    name, space = str(schema.get("name", "")), schema.get("namespace")
    return f"{space}.{name}" if space and "." not in name else name or None


def schema_of(model: type[BaseModel]) -> str:
    """A model's JSON Schema, as it is registered."""
    return json.dumps({"$schema": DIALECT, **model.model_json_schema()}, sort_keys=True)


def _of_avro(schema: KnownSchema, model: type[BaseModel]) -> Iterator[str]:
    """The same for a schema of Avro: a field without a default has to come from the document."""
    fields = {field.name: field for field in avro_type(engine_schema(schema)).fields}
    names = set(model.model_json_schema().get("properties", {}))
    for name in sorted(fields.keys() - names):
        if fields[name].default is NO_DEFAULT:
            yield f"the schema requires {name}, which the model does not have"
    for name in sorted(names - fields.keys()):
        yield f"the schema has no {name}, which the model has"


def _of_schemas(schema: Schema, beside: Schema) -> Iterator[str]:
    """Fields of which the schema that is written by and the one beside the step say different things."""
    theirs, ours = fields_of_schema(schema), fields_of_schema(beside)
    for path in dict.fromkeys((*theirs, *ours)):
        told, wanted = theirs.get(path), ours.get(path)
        if told is None:
            yield f"the schema has no {path}, which the one beside the step has"
        elif wanted is None:
            yield f"the schema has {path}, which the one beside the step does not have"
        elif told != wanted:
            yield f"{path} is {told}, and {wanted} in the schema beside the step"


def _disagreements(schema: KnownSchema, model: type[BaseModel]) -> Iterator[str]:
    """Fields at the top by which readers of one would stumble over the other."""
    try:
        written = json.loads(schema.text)
    except ValueError:
        return
    if not isinstance(written, dict) or "$ref" in written:
        return
    ours, theirs = model.model_json_schema(), written.get("properties", {})
    for name in sorted({*written.get("required", ())} - ours.get("properties", {}).keys()):
        yield f"the schema requires {name}, which the model does not have"
    if written.get("additionalProperties") is False:
        for name in sorted(ours.get("properties", {}).keys() - theirs.keys()):
            yield f"the schema allows no {name}, which the model has"


def _of_protobuf(schema: KnownSchema, model: type[BaseModel]) -> Iterator[str]:
    """The same for a schema of Protobuf, whose fields may all be missing but for what proto2 requires."""
    fields = fields_of_schema(engine_schema(schema))
    for name in sorted(set(model.model_json_schema().get("properties", {})) - fields.keys()):
        yield f"the schema has no {name}, which the model has"


_DISAGREEMENTS: Mapping[str, Callable[[KnownSchema, type[BaseModel]], Iterator[str]]] = {
    AVRO: _of_avro,
    JSON: _disagreements,
    PROTOBUF: _of_protobuf,
}
