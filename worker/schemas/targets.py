"""The schemas by which results are written: found or registered at the start, one for each version that a route's
events can end in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from pydantic import BaseModel

from upcasters import Chain
from upcasters.errors import Irreversible
from upcasters.event import Header
from upcasters.step import VersionKey
from worker.errors import WorkerError
from worker.schemas.frames import Frame
from worker.schemas.known import KnownSchema
from worker.schemas.registry import NotFoundError, RefusedError, Registry
from worker.settings import RouteSettings

log = structlog.get_logger(__name__)

JSON = "JSON"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""What pydantic writes. Some registries know JSON Schema by nothing else."""


@dataclass(frozen=True)
class Target:
    """How results of one version are written: the bytes before them, the headers beside them."""

    schema: KnownSchema
    prefix: bytes
    headers: tuple[Header, ...]


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

    async def find(self) -> Targets:
        """Raises WorkerError where one is not there, or the registry does not take it; RegistryError."""
        found: dict[VersionKey, Target] = {}
        targets: dict[str, dict[str, Target]] = {}
        for start, end in self._ends():
            if end not in found:
                found[end] = self._target(await self._schema(end))
            targets.setdefault(start, {})[end[1]] = found[end]
        return targets

    async def look(self) -> list[str]:
        """What a start would find, without registering anything: what may go wrong, in words. Raises as ``find``."""
        doubts = []
        for node in dict.fromkeys(end for _, end in self._ends()):
            text = await self._own_text(node)
            if text is None or not self._route.writes.register_:
                await self._schema(node)
                continue
            subject = self._subject(node, text)
            if await self._registry.is_compatible(subject, _as_json(text)) is False:
                doubts.append(f"{subject}: readers of the schema before may not take that of version {node[1]}")
        return doubts

    def _ends(self) -> Iterator[tuple[str, VersionKey]]:
        """Each type with the type and version that its events end in."""
        chosen = self._route.policy().target
        for node in self._chain.versions:
            with suppress(Irreversible):
                hops = self._chain.path(node, chosen)
                if any(hop.forks for hop in hops):
                    raise WorkerError(
                        f"{self._route.source}: the chain splits events or lets them decide their type (step "
                        f"{hops[-1].id}), and by which schema each part is written cannot be told: set "
                        "writes.frame: none"
                    )
                yield node[0], hops[-1].target if hops else node

    def _target(self, schema: KnownSchema) -> Target:
        try:
            return Target(schema, self._frame.prefix(schema.schema_id), self._frame.header(schema.schema_id))
        except OverflowError:
            raise WorkerError(
                f"writes.frame: {self._route.writes.frame} has no room for the id {schema.number}: choose another frame"
            ) from None

    async def _schema(self, node: VersionKey) -> KnownSchema:
        text = await self._own_text(node)
        subject = self._subject(node, text)
        if text is None:
            schema = await self._newest(subject, node)
        else:
            schema = await self._own(subject, node, text)
        if schema.kind != JSON:
            raise WorkerError(f"{subject}: its schema is of kind {schema.kind}, and values are written as JSON")
        for line in _disagreements(schema, self._chain.versions[node].model):
            log.warning("the schema and the model of a version differ", subject=subject, version=node[1], found=line)
        log.info("results are written by a schema", subject=subject, version=node[1], schema=str(schema))
        return schema

    async def _newest(self, subject: str, node: VersionKey) -> KnownSchema:
        try:
            return await self._registry.version(subject)
        except NotFoundError:
            raise WorkerError(
                f"{subject}: the schema registry has no such subject, and results of version {node[1]} are to be "
                "written by its schema: register one, or set writes.register: true"
            ) from None

    async def _own(self, subject: str, node: VersionKey, text: str) -> KnownSchema:
        """The route's own schema, registered first where that is allowed."""
        asked = _as_json(text)
        if self._route.writes.register_:
            compatible = await self._registry.is_compatible(subject, asked)
            await self._register(subject, node, asked, compatible)
        try:
            return await self._registry.look_up(subject, asked)
        except NotFoundError:
            raise WorkerError(
                f"{subject}: the schema of version {node[1]} is not registered there: register it, or set "
                "writes.register: true"
            ) from None
        except RefusedError as error:
            raise WorkerError(
                f"{subject}: the schema registry does not take the schema of version {node[1]} ({error}): change it"
            ) from None

    async def _register(
        self, subject: str, node: VersionKey, asked: Mapping[str, Any], compatible: bool | None
    ) -> None:
        try:
            await self._registry.register(subject, asked)
        except RefusedError as error:
            raise WorkerError(
                f"{subject}: the schema registry does not take the schema of version {node[1]} ({error}): change it, "
                "or the subject's compatibility"
            ) from None
        if compatible is False:
            log.warning("readers of the schema before may not take the new one", subject=subject, version=node[1])

    async def _own_text(self, node: VersionKey) -> str | None:
        """The schema that the route brings along; None where that of the subject is taken as it is."""
        writes = self._route.writes
        path = writes.schemas.get(f"{node[0]}/{node[1]}") or writes.schemas.get(node[1])
        if path:
            return await asyncio.to_thread(_text_of, path)
        if not writes.register_:
            return None
        model = self._chain.versions[node].model
        if model is None:
            raise WorkerError(
                f"{self._route.source}: version {node[1]} has no model to register a schema of: name a file in "
                "writes.schemas"
            )
        return schema_of(model)

    def _subject(self, node: VersionKey, text: str | None) -> str:
        writes, topic = self._route.writes, self._route.destination
        if writes.subject == "topic":
            return f"{topic}-value"
        name = (json.loads(text).get("title") if text else None) or node[0]
        return name if writes.subject == "record" else f"{topic}-{name}"


def _as_json(text: str) -> Mapping[str, str]:
    return {"schemaType": JSON, "schema": text}


def schema_of(model: type[BaseModel]) -> str:
    """A model's JSON Schema, as it is registered."""
    return json.dumps({"$schema": DIALECT, **model.model_json_schema()}, sort_keys=True)


def _text_of(path: Path) -> str:
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        is_object = isinstance(json.loads(text), dict)
    except OSError as error:
        raise WorkerError(f"writes.schemas: cannot read {path}: {error.strerror}") from None
    except ValueError:
        is_object = False
    if not is_object:
        raise WorkerError(f"writes.schemas: {path} is no JSON Schema: it holds no JSON object")
    return text


def _disagreements(schema: KnownSchema, model: type[BaseModel] | None) -> Iterator[str]:
    """Fields at the top by which readers of one would stumble over the other."""
    try:
        written = json.loads(schema.text)
    except ValueError:
        return
    if model is None or not isinstance(written, dict) or "$ref" in written:
        return
    ours, theirs = model.model_json_schema(), written.get("properties", {})
    for name in sorted({*written.get("required", ())} - ours.get("properties", {}).keys()):
        yield f"the schema requires {name}, which the model does not have"
    if written.get("additionalProperties") is False:
        for name in sorted(ours.get("properties", {}).keys() - theirs.keys()):
            yield f"the schema allows no {name}, which the model has"
