"""A schema as a registry knows it, and the cache that keeps it: in memory and, where a folder is given, on disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from worker.schemas.frames import SchemaId

log = structlog.get_logger(__name__)

AVRO, JSON, PROTOBUF = "AVRO", "JSON", "PROTOBUF"
"""Kinds of schemas, as registries call them."""


class Place(NamedTuple):
    """Where a schema is registered: one may be under several subjects."""

    subject: str
    version: int


class RawReference(NamedTuple):
    """What a schema refers to: a name that its text uses, and where the other one is registered."""

    name: str
    subject: str
    version: int


class KnownSchema(msgspec.Struct, frozen=True):
    """``kind`` is AVRO, JSON or PROTOBUF; ``guid`` is empty where the registry has none, ``properties`` are of its
    metadata, ``used`` is all that a schema of Avro or Protobuf refers to, directly or not, by name."""

    kind: str
    text: str
    number: int
    guid: str = ""
    references: tuple[RawReference, ...] = ()
    places: tuple[Place, ...] = ()
    properties: dict[str, str] = {}
    used: dict[str, KnownSchema] = {}

    @property
    def schema_id(self) -> SchemaId:
        return SchemaId(self.number, self.guid)

    def under(self, subject: str) -> list[int]:
        """Its versions there."""
        return [each.version for each in self.places if each.subject == subject]

    def __str__(self) -> str:
        """``12 (orders-value version 3)``."""
        places = ", ".join(f"{each.subject} version {each.version}" for each in self.places[:3])
        return f"{self.number or self.guid} ({places})" if places else f"{self.number or self.guid}"


class SchemaFolder:
    """Schemas on disk, a file each. A schema never changes under its id, so what is there is right; where a file
    cannot be read or written the registry is asked.

    Files are named by digests: nothing that a registry says becomes a path.
    """

    def __init__(self, folder: Path, urls: Sequence[str], context: str) -> None:
        self._folder = folder
        self._registry = "\n".join([*sorted(urls), context])

    def find(self, schema: SchemaId) -> KnownSchema | None:
        try:
            return msgspec.json.decode(self._path(schema).read_bytes(), type=KnownSchema)
        except (OSError, msgspec.DecodeError):
            return None

    def keep(self, schema: SchemaId, known: KnownSchema) -> None:
        scratch = ""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, scratch = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".new")
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(known))
            Path(scratch).replace(self._path(schema))
        except OSError as error:
            log.warning("a schema is not kept on disk", folder=str(self._folder), reason=error.strerror)
            with contextlib.suppress(OSError):
                Path(scratch).unlink()

    def _path(self, schema: SchemaId) -> Path:
        name = hashlib.sha256(f"{self._registry}\n{schema}".encode()).hexdigest()[:32]
        return self._folder / f"{name}.json"
