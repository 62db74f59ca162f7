"""Subjects of a registry: the newest schema under one, or one of our own there, registered first where that is
allowed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from upcasters.formats import Schema
from upcasters.loading import imported_names
from worker.errors import WorkerError
from worker.schemas.encodings import KIND_OF
from worker.schemas.known import JSON, PROTOBUF, KnownSchema, Place
from worker.schemas.registry import NotFoundError, RefusedError, Registry
from worker.settings.schemas import FormatName

log = structlog.get_logger(__name__)


class Wanted(NamedTuple):
    """What a schema is wanted for, in the words of a refusal: the schema ``of`` something, by which ``written`` is
    written; ``section`` are the settings that say so."""

    subject: str
    of: str
    written: str
    section: str
    format: FormatName


class Subjects:
    """``register``: whether a schema of our own may be registered."""

    def __init__(self, registry: Registry, *, register: bool) -> None:
        self._registry = registry
        self._register = register

    async def schema(self, wanted: Wanted, own: Schema | None) -> KnownSchema:
        """The one that is given, with the files that it imports; the newest one where none is. Raises WorkerError,
        RegistryError."""
        found = await (self.newest(wanted) if own is None else self._own(wanted, own))
        if found.kind != KIND_OF[wanted.format]:
            raise WorkerError(
                f"{wanted.subject}: its schema is of kind {found.kind}, and {wanted.section}.format is {wanted.format}",
                code="UPC2203",
            )
        return found

    async def newest(self, wanted: Wanted) -> KnownSchema:
        """Raises as ``schema``."""
        try:
            return await self._registry.version(wanted.subject)
        except NotFoundError:
            raise WorkerError(
                f"{wanted.subject}: the schema registry has no such subject, and {wanted.written} are to be written by "
                f"its schema: register one, or set {wanted.section}.register: true",
                code="UPC2204",
            ) from None

    async def _own(self, wanted: Wanted, own: Schema) -> KnownSchema:
        files = {name: inner.text for name, inner in own.references}
        places: dict[str, Place] = {}
        for name in in_order(files):
            subject = wanted._replace(subject=name, of=f"{name}, which the schema of {wanted.of} imports,")
            sent = asked(KIND_OF[wanted.format], files[name], _named(files[name], places))
            places[name] = (await self._place(subject, sent)).places[0]
        return await self._place(wanted, asked(KIND_OF[wanted.format], own.text, _named(own.text, places)))

    async def _place(self, wanted: Wanted, sent: Mapping[str, Any]) -> KnownSchema:
        if self._register:
            await self._registered(wanted, sent)
        try:
            return await self._registry.look_up(wanted.subject, sent)
        except NotFoundError:
            raise WorkerError(
                f"{wanted.subject}: the schema of {wanted.of} is not registered there: register it, or set "
                f"{wanted.section}.register: true",
                code="UPC2204",
            ) from None
        except RefusedError as error:
            raise WorkerError(
                f"{wanted.subject}: the schema registry does not take the schema of {wanted.of} ({error}): change it",
                code="UPC2205",
            ) from None

    async def _registered(self, wanted: Wanted, sent: Mapping[str, Any]) -> None:
        compatible = await self._registry.is_compatible(wanted.subject, sent)
        try:
            await self._registry.register(wanted.subject, sent)
        except RefusedError as error:
            raise WorkerError(
                f"{wanted.subject}: the schema registry does not take the schema of {wanted.of} ({error}): change it, "
                "or the subject's compatibility",
                code="UPC2205",
            ) from None
        if compatible is False:
            log.warning(
                "readers of the schema before may not take the new one", subject=wanted.subject, schema=wanted.of
            )


def asked(kind: str, text: str, references: Sequence[Mapping[str, Any]] = ()) -> Mapping[str, Any]:
    """The body of a question about a schema."""
    return {"schemaType": kind, "schema": text, **({"references": references} if references else {})}


def in_order(files: Mapping[str, str]) -> list[str]:
    """Names of `.proto` files, by their texts: each behind those that it imports."""
    made: dict[str, None] = {}

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in files and name not in made and name not in above:
            for each in imported_names(files[name]):
                add(each, (*above, name))
            made[name] = None

    for name in sorted(files):
        add(name, ())
    return list(made)


def _named(text: str, places: Mapping[str, Place]) -> list[Mapping[str, Any]]:
    """What a text imports, as registries call it: by the name of the file, and where that is registered."""
    found = ((name, places[name]) for name in imported_names(text) if name in places)
    return [{"name": name, "subject": place.subject, "version": place.version} for name, place in found]


def text_of(path: Path, setting: str, kind: str, *, of_record: bool = True) -> str:
    """The text of a schema's file: that of a record, or of anything in Avro. Raises WorkerError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkerError(f"{setting}: cannot read {path}: {why_unread(error)}", code="UPC2206") from None
    if kind == PROTOBUF:
        return text
    try:
        is_object = isinstance(json.loads(text), dict if of_record or kind == JSON else (dict, str, list))
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        what = "JSON Schema" if kind == JSON else "Avro schema of a record"
        raise WorkerError(f"{setting}: {path} is no {what}: it holds no JSON object", code="UPC2206")
    return text


def why_unread(error: OSError | UnicodeDecodeError) -> str:
    """Why a file of text could not be read, in words."""
    return error.strerror or "" if isinstance(error, OSError) else "it is no text in UTF-8"
