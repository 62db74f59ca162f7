"""How the values of one route stand in their topics, from its settings to what lanes and commands need: ids learnt
ahead, an upcaster for records with a frame, and a record without it for whoever only looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import TypeVar

import structlog

from upcasters import Chain, Event
from upcasters.detection import Always, Detection, FromHeader
from upcasters.event import Header, SourceRecord
from upcasters.outcome import Fault
from upcasters.policy import Policy
from worker.errors import WorkerError
from worker.schemas.answers import Answers, NoAnswerError, SchemaReader
from worker.schemas.framed import FramedUpcaster, MakeUpcaster, RecordUpcaster
from worker.schemas.frames import FRAMES, Frame, Mark, NotFramedError, SchemaId, without_ids
from worker.schemas.known import SchemaFolder
from worker.schemas.learning import Schemas
from worker.schemas.registry import Registry, RegistryError
from worker.schemas.targets import JSON, Targets, TargetSchemas
from worker.settings import RouteSettings
from worker.settings.detection import SCHEMA_TYPE, SCHEMA_VERSION
from worker.settings.schemas import RegistrySettings

log = structlog.get_logger(__name__)

VALUE, HEADERS = attrgetter("value"), attrgetter("headers")
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds between two attempts to begin."""


class Framing:
    """``begin`` once, ``learn`` before records are worked on, then the rest without waiting."""

    def __init__(self, route: RouteSettings, chain: Chain, registry: Registry, schemas: Schemas) -> None:
        self._route = route
        self._chain = chain
        self._frame: Frame | None = FRAMES.get(route.reads.frame)
        self._schemas = schemas
        self._reader = SchemaReader(route.event_type, route.version, route.reads.subject or f"{route.source}-value")
        target = FRAMES.get(route.writes.frame)
        self._finding = TargetSchemas(route, chain, registry, target) if target else None
        self._targets: Targets | None = None
        self._policy = route.policy()
        if chain.readers if self._policy.readers is None else self._policy.readers:
            raise WorkerError(
                f"{route.source}: its values have a frame, and readers are for values that are nearly JSON: set "
                "readers: []"
            )
        self._settled: set[Mark] = set()

    # What waits for the registry.

    async def begin(self) -> None:
        """Find the schemas that results are written by. Raises WorkerError where that cannot be, RegistryError."""
        if self._finding and self._targets is None:
            self._targets = await self._finding.find()

    async def look(self) -> list[str]:
        """What may go wrong at a start, in words; nothing is registered. Raises as ``begin``."""
        return await self._finding.look() if self._finding else []

    async def learn(self, records: Sequence[SourceRecord]) -> None:
        """Ask for the schemas of these records that nobody has seen yet. Raises RegistryError."""
        if self._frame is None:
            return
        marks = self._unsettled(self._frame, records)
        if not marks:
            return
        wanted = {mark: schema for mark in marks if (schema := self._schema_id(mark))}
        await self._schemas.learn(set(wanted.values()))
        for schema in set(wanted.values()):
            if (known := self._schemas.find(schema)) and self._reader.may_be_stale(known):
                await self._schemas.learn_anew(schema)
        self._settle(marks, wanted)

    def _unsettled(self, frame: Frame, records: Sequence[SourceRecord]) -> list[Mark]:
        settled = self._settled
        try:
            if not any(map(HEADERS, records)) and set(map(frame.start, map(VALUE, records))) <= settled:
                return []
        except TypeError:
            pass  # a tombstone
        marks = {frame.mark(record) for record in records if record.value is not None}
        return [mark for mark in marks if mark not in settled]

    def _schema_id(self, mark: Mark) -> SchemaId | None:
        try:
            return self._frame.schema_id(mark) if self._frame else None
        except NotFramedError:
            return None

    def _settle(self, marks: Iterable[Mark], wanted: dict[Mark, SchemaId]) -> None:
        """What is known is so for good; the rest is looked at again, and hostile marks are not collected."""
        self._settled.update(mark for mark in marks if mark in wanted and self._schemas.find(wanted[mark]))

    # What does not.

    def upcaster(self, make: MakeUpcaster) -> RecordUpcaster:
        """For records with their frames, ``make`` being what makes one for a policy."""
        return FramedUpcaster(self._frame, self._opened, self._policy_for, self._lacking, make, self._found_targets)

    def bare(self, record: SourceRecord) -> Event | Fault:
        """The record without its frame, and beside it headers that say what its schema says: for the route's own
        policy, which looks there."""
        value, frame = record.value, self._frame
        headers = list(record.headers)
        if value is None or frame is None:
            return Event(value, record.key, headers, record.timestamp, record.offset)
        mark = frame.mark(record)
        answers = self._opened(mark)
        if isinstance(answers, Fault):
            return answers
        plain = [*without_ids(headers), *_said(answers)]
        return Event(frame.body(mark, value), record.key, plain, record.timestamp, record.offset)

    def told(self, record: SourceRecord) -> str:
        """The schema that a record names, for a person: its id, and where it is registered as far as that is known."""
        if self._frame is None or record.value is None:
            return ""
        schema = self._schema_id(self._frame.mark(record))
        return str(self._schemas.find(schema) or schema) if schema else ""

    def written(self) -> dict[str, str]:
        """By type and version what results are written by: the same in a plan, its replay and its proof."""
        found = self._targets or {}
        return {
            f"{event_type} {version}": str(target.schema)
            for event_type, versions in found.items()
            for version, target in versions.items()
        }

    def _opened(self, mark: Mark) -> Answers | Fault:
        if self._frame is None:
            return Answers()
        try:
            schema = self._frame.schema_id(mark)
        except NotFramedError as error:
            return Fault("decode", "NotFramed", f"{error}: see reads.frame of the route")
        known = self._schemas.find(schema)
        if known is None:
            return self._not_known(schema)
        if known.kind != JSON:
            return Fault(
                "decode", "WrongSchemaKind", f"schema {known} is of kind {known.kind}, and the route reads JSON"
            )
        try:
            return self._reader.answers(known)
        except NoAnswerError as error:
            return Fault("detect", "SchemaSaysNothing", str(error))

    def _not_known(self, schema: SchemaId) -> Fault:
        if not self._schemas.was_asked(schema):
            raise NotLearntError(f"nobody has asked for schema {schema}")
        return Fault(
            "decode", "UnknownSchema", f"schema {schema} is not in the registry: register it again, then redrive"
        )

    def _found_targets(self) -> Targets | None:
        if self._finding and self._targets is None:
            raise NotLearntError("nobody has asked for the schemas that results are written by")
        return self._targets

    def _lacking(self, answers: Answers) -> list[Header]:
        """What the schema says, where the chain has no such type or version. The route's own policy decides then."""
        known = (answers.event_type is None or answers.event_type in self._chain.types) and (
            answers.version is None or any(answers.version == version for _, version in self._chain.versions)
        )
        return [] if known else _said(answers)

    def _policy_for(self, answers: Answers) -> Policy:
        """The route's, with what the schema says in place of the rules that ask it."""
        if self._lacking(answers):
            return self._policy
        rules = self._policy.detection
        detection = Detection(
            answered(rules.event_type, SCHEMA_TYPE, answers.event_type),
            answered(rules.version, SCHEMA_VERSION, answers.version),
            rules.stamp,
        )
        return replace(self._policy, detection=detection)


class NotLearntError(Exception):
    """A mistake of ours: ``begin`` and ``learn`` come first."""


R = TypeVar("R")


def answered(rules: tuple[R, ...], header: str, answer: str | None) -> tuple[R | Always, ...]:
    """The rules, with the schema's answer in the place of the one that asks it; without an answer the others are left,
    and that one where it is alone: a tombstone has none."""
    others = tuple(rule for rule in rules if not (isinstance(rule, FromHeader) and rule.name == header))
    return (others or rules) if answer is None else (Always(answer),)


def _said(answers: Answers) -> list[Header]:
    """As headers, which the route's own rules read."""
    texts = ((SCHEMA_TYPE, answers.event_type), (SCHEMA_VERSION, answers.version))
    return [(name, text.encode()) for name, text in texts if text is not None]


def open_framing(route: RouteSettings, chain: Chain, registry: RegistrySettings) -> Framing:
    """For a route whose values have a frame in one of its topics."""
    asked = Registry(registry)
    folder = SchemaFolder(registry.cache, registry.urls, registry.context) if registry.cache else None
    return Framing(route, chain, asked, Schemas(asked, folder, registry.unknown_for))


async def begin_in_time(framing: Framing, tell: Callable[[str], None]) -> None:
    """Begin as soon as the registry answers; ``tell`` is told why it does not. Raises WorkerError where it does, and
    something is wrong."""
    pause = FIRST_PAUSE
    while True:
        try:
            await framing.begin()
        except RegistryError as error:
            tell(str(error))
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)
        else:
            return
