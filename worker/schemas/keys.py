"""Keys that a step sets, written by a schema of their own: found or registered at the start as those of results are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from upcasters import Chain
from upcasters.context import KEY_FORMAT, KeyFormat
from upcasters.event import Partition, SourceRecord
from upcasters.formats import Schema
from upcasters.formats.keys import key_writer, misfits
from upcasters.outcome import Outcome
from worker.errors import WorkerError
from worker.schemas.encodings import KIND_OF, engine_schema
from worker.schemas.framed import RecordUpcaster
from worker.schemas.frames import FRAMES, KEY_HEADER_OF, KEY_HEADERS
from worker.schemas.known import KnownSchema
from worker.schemas.registry import Registry
from worker.schemas.set_keys import keys_of
from worker.schemas.subjects import Subjects, Wanted, asked, text_of
from worker.settings import RouteSettings
from worker.settings.schemas import KeySettings

PLAIN = KeyFormat(lambda _parts, text: text, KEY_HEADERS)
"""A key is its text; a header that tells how the old one was written would mislead whoever reads it."""


class KeySchema:
    """Of the destination of one route."""

    def __init__(self, route: RouteSettings, settings: KeySettings, chain: Chain, registry: Registry) -> None:
        self._settings = settings
        self._keys = list(keys_of(route, chain))
        self._registry = registry
        self._subjects = Subjects(registry, register=settings.register_)
        self._wanted = Wanted(
            f"{route.destination}-key", "keys", f"keys of {route.destination}", "writes.key", settings.format
        )
        if not self._keys:
            raise WorkerError(
                f"{route.source}: writes.key is for keys that a step sets, and no step sets one: remove it",
                code="UPC2209",
            )

    async def find(self) -> tuple[KnownSchema, KeyFormat]:
        """Raises WorkerError where there is none, or keys do not fit it; RegistryError."""
        text = await self._text()
        own = None if text is None else Schema(self._settings.format, text)
        schema = await self._subjects.schema(self._wanted, own)
        return schema, self._format(schema)

    async def look(self) -> list[str]:
        """What may go wrong at a start, in words; nothing is registered. Raises as ``find``."""
        text = await self._text()
        if text is None or not self._settings.register_:
            await self.find()
            return []
        kind = KIND_OF[self._settings.format]
        self._format(KnownSchema(kind, text, 0))
        if await self._registry.is_compatible(self._wanted.subject, asked(kind, text)) is not False:
            return []
        return [f"{self._wanted.subject}: readers of the schema before may not take that of keys"]

    async def _text(self) -> str | None:
        path = self._settings.schema_
        kind = KIND_OF[self._settings.format]
        return await asyncio.to_thread(text_of, path, "writes.key.schema", kind, of_record=False) if path else None

    def _format(self, schema: KnownSchema) -> KeyFormat:
        """Raises ChainError where the schema cannot be used."""
        engine = engine_schema(schema)
        for paths in self._keys:
            for what in misfits(engine, [str(path[-1]) for path in paths]):
                raise WorkerError(
                    f"{self._wanted.subject}: a key that a step sets does not fit its schema: {what}", code="UPC2209"
                )
        write = key_writer(engine)
        frame = FRAMES[self._settings.frame]
        prefix = frame.prefix(schema.schema_id)
        headers = tuple((KEY_HEADER_OF[name], value) for name, value in frame.header(schema.schema_id))
        return KeyFormat(lambda parts, text: prefix + write(parts, text), KEY_HEADERS, headers)


class KeyedUpcaster:
    """Another one, whose steps set keys as a route wants them."""

    def __init__(self, upcaster: RecordUpcaster, key_format: Callable[[], KeyFormat]) -> None:
        self._upcaster = upcaster
        self._key_format = key_format

    def upcast(self, record: SourceRecord, source: Partition | None = None) -> Outcome:
        """What becomes of a record."""
        token = KEY_FORMAT.set(self._key_format())
        try:
            return self._upcaster.upcast(record, source)
        finally:
            KEY_FORMAT.reset(token)
