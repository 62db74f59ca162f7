"""What is known of ids: learnt from the registry before anybody needs it, kept for good, and for a while where the
registry does not know one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from worker.schemas.frames import SchemaId
from worker.schemas.known import KnownSchema, SchemaFolder
from worker.schemas.registry import NotFoundError, Registry

MOST_UNKNOWN = 100_000
"""Ids that the registry does not have. Far more than all lanes ask for before one of them works on its records."""
AT_ONCE = 16
"""Questions to the registry: a topic full of made-up ids is no reason to flood it."""


class Schemas:
    """Ids and their schemas. ``folder`` keeps them over restarts; ``unknown_for`` is how long (s) an id that is not
    there counts as such."""

    def __init__(
        self,
        registry: Registry,
        folder: SchemaFolder | None = None,
        unknown_for: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._folder = folder
        self._unknown_for = unknown_for
        self._clock = clock
        self._known: dict[SchemaId, KnownSchema] = {}
        self._unknown: dict[SchemaId, float] = {}
        self._fresh: set[SchemaId] = set()
        self._asking: dict[SchemaId, asyncio.Task[None]] = {}

    def find(self, schema: SchemaId) -> KnownSchema | None:
        """What was learnt of it; None where it is unknown, or nobody has asked."""
        return self._known.get(schema)

    def is_settled(self, schema: SchemaId) -> bool:
        """Whether nobody has to ask for it now."""
        return schema in self._known or self._unknown.get(schema, 0.0) > self._clock()

    def was_asked(self, schema: SchemaId) -> bool:
        """Whether the registry has said once what it is, or that it knows of none."""
        return schema in self._known or schema in self._unknown

    async def learn(self, schemas: Iterable[SchemaId]) -> None:
        """Ask for those that are not settled, at once. Raises RegistryError."""
        unsettled = [each for each in schemas if not self.is_settled(each)]
        for start in range(0, len(unsettled), AT_ONCE):
            await asyncio.gather(*map(self._shared, unsettled[start : start + AT_ONCE]))

    async def learn_anew(self, schema: SchemaId) -> None:
        """Ask for one that came from disk: it may be under more subjects by now. Raises RegistryError."""
        if schema not in self._fresh:
            await self._ask(schema)

    async def _shared(self, schema: SchemaId) -> None:
        """All lanes meet a new id at the same time, and the registry is asked once."""
        asking = self._asking.get(schema)
        if asking is None:
            asking = self._asking[schema] = asyncio.create_task(self._learn(schema))
            asking.add_done_callback(lambda done: self._forget(schema, done))
        await asyncio.shield(asking)

    def _forget(self, schema: SchemaId, done: asyncio.Task[None]) -> None:
        del self._asking[schema]
        if not done.cancelled():
            done.exception()  # whoever waits has it; where nobody does any more, it is nobody's

    async def _learn(self, schema: SchemaId) -> None:
        kept = await asyncio.to_thread(self._folder.find, schema) if self._folder else None
        if kept is not None:
            self._known[schema] = kept
        else:
            await self._ask(schema)

    async def _ask(self, schema: SchemaId) -> None:
        try:
            found = await self._registry.schema(schema)
        except NotFoundError:
            if len(self._unknown) >= MOST_UNKNOWN:
                self._unknown = dict(list(self._unknown.items())[MOST_UNKNOWN // 2 :])
            self._unknown.pop(schema, None)  # an id that was asked again is the youngest
            self._unknown[schema] = self._clock() + self._unknown_for
            return
        self._fresh.add(schema)
        self._unknown.pop(schema, None)
        self._known[schema] = found
        if self._folder:
            await asyncio.to_thread(self._folder.keep, schema, found)
